"""TensorBoard's events of a run: what they hold, that a resumed run goes on with them, and that they change nothing."""

import importlib
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from test_training import STEPS, Killed, batches, dying, params, trainer

from maskline.contracts.classes import VOID, ClassInfo
from maskline.training.checkpoint import Checkpoints
from maskline.training.fit import fit
from maskline.training.schedule import schedule
from maskline.training.validate import Example, Scores
from maskline.training.watch import Watch, run_folder

CLASSES = [ClassInfo(name="road", color="#ff0000"), ClassInfo(name="sky", color="#0000ff")]
PARAMS = {"seed": 1, "model": {"architecture": "unet", "encoder": "resnet50"}, "train": {"loss": {"dice": 0.5}}}
TAGS = {
    "params", "loss/train", "loss/validation", "learning_rate", "iou/road",
    "validation/mean_iou", "validation/pixel_accuracy", "validation/image_mask_prediction",
}  # fmt: skip


def scores(value: float = 0.5) -> Scores:
    labels = np.zeros((20, 30), np.uint8)
    labels[:10], labels[:, :6] = 1, VOID
    example = Example(np.full((20, 30, 3), 90, np.uint8), labels, np.ones_like(labels))
    return Scores(1.0, 0.5, value, (value, float("nan")), (example, example))


def train(folder: Path, source=batches, logs: Path | None = None, validator=scores, config=None):
    config = config or params()
    one, checkpoints = trainer(config), Checkpoints(folder, 1)
    watch = logs and Watch(logs, CLASSES, PARAMS)
    history = fit(one, validator, source, schedule(config, STEPS), config, checkpoints, watch)
    return history, one.values()


def events(logs: Path) -> list[tuple[str, int, object]]:
    """Return tag, epoch and value of all that a folder's events hold, read by TensorFlow."""
    read = itertools.chain.from_iterable(map(tf.compat.v1.train.summary_iterator, sorted(map(str, logs.iterdir()))))
    return [(value.tag, event.step, value) for event in read for value in event.summary.value]


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """The events and the result of a run that is left alone."""
    folder = tmp_path_factory.mktemp("watched")
    return folder / "logs", train(folder / "checkpoints", logs=folder / "logs")


def test_each_epoch_has_losses_rate_iou_and_pictures_from_before_the_first_step(watched):
    logs, (history, _) = watched
    found = {(tag, epoch): value for tag, epoch, value in events(logs)}
    assert {tag for tag, _ in found} == TAGS
    for tag in TAGS - {"params", "loss/train", "learning_rate"}:
        assert [epoch for name, epoch in found if name == tag] == [0, 1, 2, 3]
    for row in history:
        assert found["loss/train", row.epoch].simple_value == pytest.approx(row.train_loss)
        assert found["learning_rate", row.epoch].simple_value == pytest.approx(row.learning_rate)
    text = tf.make_ndarray(found["params", 0].tensor).item().decode()
    assert "|train.loss.dice|0.5|" in text


def test_the_picture_shows_images_above_masks_above_predictions_in_the_classes_colors(watched):
    logs, _ = watched
    image = next(value.image for tag, _, value in events(logs) if tag.startswith("validation/image"))
    pixels = tf.io.decode_jpeg(image.encoded_image_string).numpy().astype(int)
    assert pixels.shape == (3 * 20 + 2 * 4, 2 * 30 + 4, 3) == (image.height, image.width, 3)
    expected = {(10, 15): (90, 90, 90), (28, 20): (0, 0, 255), (40, 54): (255, 0, 0), (30, 2): (255, 255, 255)}
    for place, color in {**expected, (58, 10): (0, 0, 255)}.items():
        assert np.abs(pixels[place] - color).max() < 12, place


def test_watching_changes_nothing(watched, tmp_path):
    _, (history, values) = watched
    alone, others = train(tmp_path)
    assert alone == history
    assert all(np.array_equal(a, b) for a, b in zip(values, others, strict=True))


@pytest.mark.parametrize("step", [2, STEPS, 2 * STEPS + 1])
def test_a_killed_run_goes_on_with_its_own_curves(watched, tmp_path, step):
    """A kill between an epoch's events and its checkpoint repeats the epoch; a torn record is cut off."""
    logs, _ = watched
    kill = KeyboardInterrupt if step == 2 else Killed  # one saves a checkpoint inside the epoch
    with pytest.raises(kill):
        train(tmp_path / "checkpoints", dying(step, kill), tmp_path / "logs")
    [first] = (tmp_path / "logs").iterdir()
    ahead = Watch(tmp_path / "logs", CLASSES, PARAMS)._events
    ahead._path = first
    ahead.add(step // STEPS + 1, [])
    os.truncate(first, first.stat().st_size + 7)
    train(tmp_path / "checkpoints", logs=tmp_path / "logs")
    kept = [(tag, epoch) for tag, epoch, _ in events(tmp_path / "logs")]
    assert sorted(kept) == sorted((tag, epoch) for tag, epoch, _ in events(logs))


def test_a_run_that_starts_again_leaves_nothing_of_the_first(tmp_path):
    for number in range(2):
        train(tmp_path / str(number), logs=tmp_path / "logs", config=params(epochs=1))
    assert sorted(epoch for tag, epoch, _ in events(tmp_path / "logs") if tag == "iou/road") == [0, 1]


def test_a_run_whose_events_cannot_be_written_goes_on(tmp_path, capsys):
    (tmp_path / "logs").write_text("a file where a folder should be")
    history, _ = train(tmp_path / "checkpoints", logs=tmp_path / "logs/run", config=params(epochs=2))
    assert [row.epoch for row in history] == [1, 2]
    found = [line for line in capsys.readouterr().out.splitlines() if "watched" in line]
    assert len(found) == 1
    assert found[0].startswith("train: this run is no longer watched: Not a directory (")


def test_another_worker_scores_and_writes_nothing(tmp_path):
    calls = []
    one = params(epochs=1)
    watch = Watch(None, CLASSES, PARAMS)
    fit(trainer(one), lambda: calls.append(1) or scores(), batches, schedule(one, STEPS), one, None, watch)
    assert len(calls) == 2


def test_runs_lie_next_to_each_other():
    folders = {run_folder(Path("logs"), PARAMS, key * 32) for key in "ab"}
    assert folders == {Path(f"logs/unet-resnet50-seed1-{key * 8}") for key in "ab"}


def test_a_queued_experiment_is_watched_in_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "stages")
    stage = importlib.import_module("train")
    assert stage.logs_folder() == Path(".logs")
    copy = tmp_path / ".dvc/tmp/exps/tmp1"
    (copy / "ci").mkdir(parents=True)
    monkeypatch.setattr(stage.entry, "ROOT", copy)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(copy / "ci")
    assert stage.logs_folder() == tmp_path / "ci/.logs"
