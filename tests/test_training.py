"""The training loop: resume to equal bytes, best epoch, early stopping, moving average, schedule, NaN."""

import itertools
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from networks import build

from maskline.errors import InputError
from maskline.files.yaml12 import read_yaml
from maskline.models.segmentation import SegmentationModel
from maskline.params.train import LossParams, TrainParams
from maskline.training.checkpoint import Checkpoints, State
from maskline.training.ema import MovingAverage
from maskline.training.fit import fit
from maskline.training.losses import cross_entropy
from maskline.training.plateau import reductions
from maskline.training.schedule import Schedule, optimizer, schedule
from maskline.training.trainer import Trainer
from maskline.training.validate import Scores

STEPS = 5  # in an epoch


def params(**changes) -> TrainParams:
    values = {
        "epochs": 3,
        "batch_size": 2,
        "workers": 1,
        "loss": dict.fromkeys(LossParams.model_fields, 0.0) | {"cross_entropy": 1.0},
        "loss_options": read_yaml(Path(__file__).parents[1] / "params.yaml")["train"]["loss_options"],
        "class_weights": "none",
        "optimizer": "adam",
        "learning_rate": 0.01,
        "encoder_learning_rate": 1.0,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "clip_norm": None,
        "schedule": "cosine",
        "plateau": {"factor": 0.5, "patience": 1},
        "warmup_epochs": 0.5,
        "early_stopping": 0,
        "ema": 0.0,
        "precision": "float32",
        "deterministic": True,
    }
    return TrainParams.model_validate(values | changes)


class Tiny(keras.Model):
    """All kinds of state in a network that is traced in no time: kernels, statistics and a dropout stream."""

    def __init__(self, precision, classes=2):
        super().__init__(dtype=precision)
        images = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(4, 3, padding="same", dtype=precision)(images)
        x = keras.layers.BatchNormalization(dtype=precision)(x)
        x = keras.layers.Dropout(0.3, dtype=precision)(x)
        self.network = keras.Model(images, keras.layers.Conv2D(classes, 1, dtype="float32")(x))
        self.built = True

    def call(self, images, training=False):
        return self.network(tf.cast(images, tf.float32) / 255.0, training=training)

    def training_loss(self, images, labels, loss):
        return loss(labels, self(images, training=True))


def trainer(config: TrainParams) -> Trainer:
    keras.utils.set_random_seed(1)
    model = Tiny(config.precision)
    return Trainer(model, cross_entropy, optimizer(config, schedule(config, STEPS)), config.ema)


def batches(steps: range):
    """Batches that are a pure function of the step."""
    for step in steps:
        random = np.random.default_rng(step)
        labels = random.integers(0, 2, (2, 16, 16), np.uint8)
        yield tf.constant((labels[..., None] * 150 + random.integers(0, 90, (2, 16, 16, 3))).astype(np.uint8)), labels


def scores_of(values):
    """A validator that says these mean IoUs in turn."""
    turn = iter(values)
    return lambda: Scores(1.0, 0.5, next(turn))


def run(config, checkpoints, source=batches, validator=None):
    one = trainer(config)
    probe = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8))
    validator = validator or (lambda: Scores(1.0, 0.5, float(tf.reduce_mean(one.model(probe)[..., 1]))))
    history = fit(one, validator, source, schedule(config, STEPS), config, checkpoints)
    return history, [np.array(v) for v in one.model.variables]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a run that is left alone ends in; it runs once for each config."""
    done = {}

    def of(**changes):
        name = repr(changes)
        if name not in done:
            done[name] = run(params(**changes), Checkpoints(tmp_path_factory.mktemp("whole"), 1))
        return done[name]

    return of


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the loop may catch it and save."""


def dying(at: int, error: type[BaseException]):
    def source(steps: range):
        for step, batch in zip(steps, batches(steps), strict=True):
            if step == at:
                raise error
            yield batch

    return source


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ema": 0.9, "optimizer": "adamw", "weight_decay": 0.01},
        {"precision": "mixed_bfloat16", "early_stopping": 1},
        {"precision": "mixed_float16"},
    ],
)
@pytest.mark.parametrize("error", [Killed, KeyboardInterrupt])
def test_a_stopped_run_ends_in_the_bytes_of_one_left_alone(changes, error, whole, tmp_path):
    config = params(**changes)
    expected_history, expected = whole(**changes)
    stopped = Checkpoints(tmp_path / "stopped", 1)
    for at in (3, 7, 13):
        with pytest.raises(error):
            run(config, stopped, dying(at, error))
            raise error  # early stopping may end the run before the step at which it was to die
    history, variables = run(config, stopped)
    assert history == expected_history
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("plateau", [(0.5, 1), (0.1, 2)])
def test_momentum_and_the_plateau_go_on_where_they_were(plateau, tmp_path):
    factor, patience = plateau
    config = params(
        epochs=5, warmup_epochs=0.0, optimizer="sgd", clip_norm=1.0,
        schedule="plateau", plateau={"factor": factor, "patience": patience},
    )  # fmt: skip
    scores = [0.5, 0.4, 0.4, 0.6, 0.3]
    expected_history, expected = run(config, Checkpoints(tmp_path / "whole", 1), validator=scores_of(scores))
    lowered = {1: [0, 0, 1, 2, 2], 2: [0, 0, 0, 1, 1]}[patience]
    assert [row.learning_rate for row in expected_history] == pytest.approx([0.01 * factor**times for times in lowered])
    stopped = Checkpoints(tmp_path / "stopped", 1)
    with pytest.raises(Killed):
        run(config, stopped, dying(17, Killed), scores_of(scores[:3]))
    history, variables = run(config, stopped, validator=scores_of(scores[3:]))
    assert history == expected_history
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("architecture", ["pointrend", pytest.param("bayesian_segnet", marks=pytest.mark.slow)])
def test_random_points_and_masks_go_on_where_they_were(architecture, tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "Tiny", lambda precision: build(architecture, dropout=0.3))
    monkeypatch.setitem(globals(), "STEPS", 2)
    tf.config.run_functions_eagerly(True)  # tracing would take most of the time
    try:
        config = params(epochs=2)
        expected_history, expected = run(config, Checkpoints(tmp_path / "whole", 1))
        stopped = Checkpoints(tmp_path / "stopped", 1)
        with pytest.raises(KeyboardInterrupt):
            run(config, stopped, dying(3, KeyboardInterrupt))
        history, variables = run(config, stopped)
    finally:
        tf.config.run_functions_eagerly(False)
    assert history == expected_history
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_ctrl_c_keeps_the_steps_inside_an_epoch(tmp_path, capsys):
    checkpoints = Checkpoints(tmp_path, 1)
    with pytest.raises(KeyboardInterrupt):
        run(params(), checkpoints, dying(8, KeyboardInterrupt))
    run(params(), checkpoints)
    assert "resumes after step 8 of 15" in capsys.readouterr().out


def test_another_fingerprint_never_goes_on_from_this_run(whole, tmp_path):
    fresh, _ = whole()
    with pytest.raises(Killed):
        run(params(), Checkpoints(tmp_path / "shared", "b"), dying(12, Killed))
    assert run(params(), Checkpoints(tmp_path / "shared", "a"))[0] == fresh


def test_a_torn_or_foreign_checkpoint_is_passed_over(whole, tmp_path, capsys):
    expected, _ = whole()
    for number, damage in enumerate([lambda data: b"", lambda data: data[: len(data) // 2], flip_a_byte, foreign]):
        root = tmp_path / str(number)
        with pytest.raises(Killed):
            run(params(), Checkpoints(root, 1), dying(12, Killed))
        last = sorted(root.glob("*/*.npz"))[-1]
        last.write_bytes(damage(last.read_bytes()))
        history, _ = run(params(), Checkpoints(root, 1))
        assert history == expected
        output = capsys.readouterr().out
        assert f"{last} is damaged or of another run" in output
        assert "resumes after step 5 of 15" in output


def flip_a_byte(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def foreign(data: bytes) -> bytes:
    from maskline.files.artifacts import npz_bytes

    about = np.frombuffer(b'{"step": 9, "history": [], "variables": 1}', np.uint8)
    return npz_bytes({"about": about, "00000": np.zeros(3)})


def test_two_checkpoints_are_kept_and_none_after_clear(tmp_path):
    """A finished run keeps its last until another run starts: DVC may be killed before it records the model."""
    checkpoints = Checkpoints(tmp_path, 1)
    for step in range(1, 5):
        checkpoints.save(State(step, [], [np.arange(step)], []))
    assert [path.name for path in sorted(tmp_path.glob("*/*"))] == ["0000000003.npz", "0000000004.npz"]
    assert checkpoints.load([(4,)]).step == 4
    checkpoints.finish()
    (finished,) = tmp_path.iterdir()
    assert finished.suffix == ".finished"
    assert [path.name for path in finished.iterdir()] == ["0000000004.npz"]
    again = Checkpoints(tmp_path, 1)
    assert again.load([(4,)]).step == 4
    again.finish()
    assert finished.exists()
    assert Checkpoints(tmp_path, 2).load([(4,)]) is None
    assert not any(tmp_path.iterdir())


def test_a_run_killed_after_its_end_trains_no_step_again(tmp_path, whole):
    expected_history, expected = whole()
    checkpoints = Checkpoints(tmp_path, 1)
    run(params(), checkpoints)
    checkpoints.finish()
    history, variables = run(params(), Checkpoints(tmp_path, 1), source=lambda steps: iter(()))
    assert history == expected_history
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_best_epoch_is_kept_and_the_earlier_of_equals(tmp_path):
    checkpoints = Checkpoints(tmp_path, 1)
    config = params(epochs=4)
    history, kept = run(config, checkpoints, validator=scores_of([0.2, 0.6, 0.6, 0.1]))
    assert [row.best for row in history] == [False, True, False, False]
    with pytest.raises(Killed):
        run(config, Checkpoints(tmp_path / "b", 1), dying(10, Killed), scores_of([0.2, 0.6]))
    at_two = Checkpoints(tmp_path / "b", 1).load(trainer(config).shapes())
    for ours, theirs in zip(kept, at_two.variables, strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_early_stopping_waits_as_long_as_it_is_told(tmp_path):
    scores = [0.5, 0.4, 0.6, 0.5, 0.5, 0.9, 0.9]
    for patience, epochs in ((0, 7), (1, 2), (2, 5), (3, 7)):
        config = params(epochs=7, early_stopping=patience)
        history, _ = run(config, Checkpoints(tmp_path / str(patience), 1), validator=scores_of(scores))
        assert len(history) == epochs


def test_a_loss_that_is_not_finite_stops_with_its_sentence(tmp_path):
    with pytest.raises(InputError, match=r"loss became .*nan.* by step \d+; lower train.learning_rate"):
        config = params()
        one = trainer(config)
        one.model.trainable_variables[-1].assign([math.nan] * 2)
        fit(one, scores_of([0.1] * 3), batches, schedule(config, STEPS), config, Checkpoints(tmp_path, 1))
    assert not list(tmp_path.glob("*/*.npz"))


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        (Scores(math.nan, 0.5, 0.5), "validation loss became nan"),
        (Scores(math.inf, 0.5, 0.5), "validation loss became inf"),
        (Scores(1.0, math.nan, math.nan), "validation pixel accuracy became nan"),
        (Scores(1.0, 0.5, math.nan), "validation mean IoU became nan"),
    ],
)
def test_a_validation_that_is_not_finite_stops_with_its_sentence(scores, words, tmp_path):
    turn = iter([Scores(1.0, 0.5, 0.2), scores])
    with pytest.raises(InputError, match=rf"{words} by step 10; lower train.learning_rate \(Received: 0.01\)"):
        run(params(early_stopping=1), Checkpoints(tmp_path, 1), validator=lambda: next(turn))
    kept = Checkpoints(tmp_path, 1).load(trainer(params()).shapes())
    assert [row["epoch"] for row in kept.history] == [1]


@pytest.mark.parametrize(
    ("epochs", "given", "steps"),
    [(1, 1.0, 2), (1, 0.5, 2), (1, 0.25, 1), (1, 0.0, 0), (2, 1.0, 5), (2, 3.0, 5), (8, 1.0, 5), (3, 1e5, 8)],
)
def test_the_warmup_takes_half_of_the_run_at_most(epochs, given, steps):
    made = schedule(params(epochs=epochs, warmup_epochs=given), STEPS)
    assert made.get_config() == {"kind": "cosine", "peak": 0.01, "warmup_steps": steps, "total_steps": epochs * STEPS}


def test_schedule_by_hand():
    rates = [float(Schedule("cosine", 1.0, 3, 13)(step)) for step in range(14)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    assert rates[8] == pytest.approx(0.5)
    assert rates[13] == pytest.approx(0.0)
    assert all(a >= b for a, b in itertools.pairwise(rates[3:]))
    assert [float(Schedule("constant", 1.0, 1, 9)(step)) for step in (0, 1, 8)] == [0.5, 1.0, 1.0]


def test_poly_is_a_power_of_the_steps_that_are_left():
    rates = [float(Schedule("poly", 2.0, 3, 13)(step)) for step in range(14)]
    np.testing.assert_allclose(rates[:3], [0.5, 1.0, 1.5])
    np.testing.assert_allclose(rates[3:], [2 * (1 - step / 10) ** 0.9 for step in range(11)], rtol=1e-5)


@given(st.lists(st.sampled_from([0.1, 0.2, 0.3]), max_size=12), st.integers(1, 3))
def test_plateaus_are_those_of_keras(scores, patience):
    rate = keras.Variable(1.0)
    callback = keras.callbacks.ReduceLROnPlateau("iou", 0.5, patience, mode="max", min_delta=0, min_lr=0)
    callback.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=rate)))
    callback.on_train_begin()
    for epoch, score in enumerate(scores):
        callback.on_epoch_end(epoch, {"iou": score})
    assert 0.5 ** reductions(scores, patience) == float(callback.model.optimizer.learning_rate)


def step_by(config: TrainParams, gradients: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return a kernel of [3, -4] and a bias of [2] after a step by each of these gradients of both."""
    kernel, bias = keras.Variable([3.0, -4.0], name="kernel"), keras.Variable([2.0], name="bias")
    chosen = optimizer(config, schedule(config, STEPS))
    for gradient in gradients:
        chosen.apply([tf.constant(gradient[:2]), tf.constant(gradient[2:])], [kernel, bias])
    return kernel.numpy(), bias.numpy()


CONSTANT = {"schedule": "constant", "warmup_epochs": 0.0, "learning_rate": 0.1}


def test_sgd_by_hand():
    config = params(**CONSTANT, optimizer="sgd", momentum=0.8, weight_decay=0.5)
    kernel, bias, last = np.array([3.0, -4.0]), 2.0, np.zeros(3)
    gradients = np.array([[1.0, 2.0, 3.0], [-1.0, 0.5, 1.0]])
    for gradient in gradients:
        last = 0.8 * last - 0.1 * gradient
        kernel, bias = kernel - 0.1 * 0.5 * kernel + last[:2], bias + last[2]
    found = step_by(config, gradients.astype(np.float32).tolist())
    np.testing.assert_allclose(found[0], kernel, rtol=1e-6)
    np.testing.assert_allclose(found[1], bias, rtol=1e-6)


@pytest.mark.parametrize(("precision", "scale"), [("float32", 1.0), ("mixed_float16", 2.0**15)])
def test_a_gradient_is_shortened_to_the_norm_after_it_is_unscaled(precision, scale):
    config = params(**CONSTANT, optimizer="sgd", momentum=0.0, clip_norm=3.5, precision=precision)
    for gradient, norm in (([2.0, 3.0, 6.0], 7.0), ([1.0, 1.0, 1.0], 3.5)):
        kernel, bias = step_by(config, [[scale * part for part in gradient]])
        step = 0.1 * np.array(gradient) * 3.5 / norm
        np.testing.assert_allclose([*kernel, *bias], np.array([3.0, -4.0, 2.0]) - step, rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": "adam"}, {"optimizer": "adamw", "weight_decay": 0.5}, {"optimizer": "sgd", "weight_decay": 0.5}],
)
def test_the_encoder_learns_as_with_a_lower_rate(changes):
    config = params(**CONSTANT, **changes)
    slow = config.model_copy(update={"learning_rate": 0.01})
    gradients = [[1.0, 2.0, 3.0], [-1.0, 0.5, 1.0]]
    kernel, bias = keras.Variable([3.0, -4.0], name="kernel"), keras.Variable([2.0], name="bias")
    encoder = SimpleNamespace(trainable_variables=[kernel])
    model = SimpleNamespace(encoder=encoder, trainable_variables=[kernel, bias], variables=[kernel, bias])
    one = Trainer(model, cross_entropy, optimizer(config, schedule(config, STEPS)), 0.0, encoder_rate=0.1)
    for gradient in gradients:
        one._update([tf.constant(gradient[:2]), tf.constant(gradient[2:])], model.trainable_variables)
    np.testing.assert_allclose(kernel, step_by(slow, gradients)[0], rtol=1e-6)
    np.testing.assert_array_equal(bias, step_by(config, gradients)[1])


def test_the_moving_average_follows_its_formula():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    average = MovingAverage(model, 0.5)
    value = float(model.variables[0].value[0, 0])
    expected = value
    for step in range(20):
        model.variables[0].assign([[float(step)]])
        average.update(tf.constant(step))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
    assert float(average.variables[0][0, 0]) == pytest.approx(expected, rel=1e-5)
    with average.in_place():
        assert float(model.variables[0].value[0, 0]) == pytest.approx(expected, rel=1e-5)
    assert float(model.variables[0].value[0, 0]) == 19.0


def test_the_average_is_what_is_kept(tmp_path):
    plain, with_average = (
        run(params(ema=ema), Checkpoints(tmp_path / str(ema), 1), validator=scores_of([0.1, 0.2, 0.3]))[1]
        for ema in (0.0, 0.9)
    )
    assert not all(np.array_equal(a, b) for a, b in zip(plain, with_average, strict=True))


@pytest.mark.parametrize(("network", "optimizer_name"), [("unet", "sgd"), ("enet", "adamw")])
def test_weight_decay_spares_norms_biases_and_slopes(network, optimizer_name):
    config = params(optimizer=optimizer_name, weight_decay=0.1)
    one = optimizer(config, schedule(config, STEPS))
    model = SegmentationModel(network, network, ["a", "b"], ["#000000", "#ffffff"], 4, 0.0, False, "float32")
    one.build(model.trainable_variables)
    decayed = {v.name for v in model.trainable_variables if one._use_weight_decay(v)}
    assert decayed == {"kernel"}


def test_nothing_is_left_when_the_disk_is_full(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, 1)
    checkpoints.save(State(1, [], [np.arange(3)], []))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            checkpoints.save(State(2, [], [np.arange(3)], []))
    assert [path.name for path in tmp_path.glob("*/*")] == ["0000000001.npz"]
    assert checkpoints.load([(3,)]).step == 1
    shutil.rmtree(tmp_path)
