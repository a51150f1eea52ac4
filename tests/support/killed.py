"""Run work in forked processes that are killed before their k-th file operation, training step or validation batch.

    python tests/support/killed.py preprocess folder

This is a separate process, because a fork of a process with computing threads can hang. It prints a summary as JSON.
"""

import json
import os
import random
import shutil
import signal
import stat
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[2]), *map(str, Path(__file__).parents[:2])]

from project import digests  # noqa: E402
from raw_data import pairs, write_raw  # noqa: E402

from maskline.engine import pool  # noqa: E402
from maskline.files.artifacts import new_directory, npz_bytes, write_bytes  # noqa: E402
from maskline.shards.write.build import SplitOptions, build_shards  # noqa: E402
from maskline.shards.write.convert import Target  # noqa: E402
from maskline.training.checkpoint import Checkpoints, State  # noqa: E402

CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
NEVER = 10**9


class Life:
    """Counts operations, and kills the process before the last one that it may do."""

    def __init__(self, operations: int) -> None:
        self.done, self._granted = 0, operations

    def tick(self, before_the_end: Callable[[], None] = lambda: None) -> None:
        self.done += 1
        if self.done >= self._granted:
            before_the_end()
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_files(self) -> None:
        sync = os.fsync
        sys.addaudithook(self._audit)
        os.fsync = lambda descriptor: (self.tick(partial(tear, descriptor)), sync(descriptor))

    def _audit(self, event: str, arguments: tuple) -> None:
        if event in CHANGING or (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            self.tick()


def tear(descriptor: int) -> None:
    """Truncate a file to half, as if the process was killed while writing it."""
    about = os.fstat(descriptor)
    if stat.S_ISREG(about.st_mode):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        with open(path, "r+b", buffering=0) as file:
            os.ftruncate(file.fileno(), about.st_size // 2)


def run(work: Callable[[Life], None], operations: int = NEVER) -> int | None:
    """Run `work` in a fork; return how many operations it took, or None if it was killed."""
    read, write = os.pipe()
    if pid := os.fork():
        os.close(write)
        with open(read) as pipe:
            text = pipe.read()
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            assert os.WTERMSIG(status) == signal.SIGKILL, status
            return None
        assert status == 0, text
        return int(text)
    try:
        life = Life(operations)
        life.watch_files()
        work(life)
        os.write(write, str(life.done).encode())
        os._exit(0)
    except BaseException:
        os.write(write, traceback.format_exc().encode())
        os._exit(1)


def complete_or_absent(folder: Path, names: list[str], expected: dict[str, str]) -> None:
    for name in names:
        whole = {file: digest for file, digest in expected.items() if file == name or file.startswith(f"{name}/")}
        assert digests(folder, *[name] * (folder / name).exists()) in (whole, {}), name


def every_moment(work: Callable[[Path, Life], None], folder: Path, names: list[str], stride: int = 1) -> dict:
    """Kill `work` before each operation, kill its second start too, and compare the outputs of the third."""
    operations, kills = run(partial(work, folder / "whole")), 0
    expected = digests(folder / "whole", *names)
    for number in range(1, operations + 1, stride):
        place = folder / str(number)
        for last in (number, max(1, number * 2 // 3), NEVER):
            kills += run(partial(work, place), last) is None
            complete_or_absent(place, names, expected)
        assert digests(place, *names) == expected, number
        assert not [path for path in place.rglob("*") if path.name.endswith((".partial", ".old"))], number
        shutil.rmtree(place)
    return {"operations": operations, "kills": kills}


def preprocess(folder: Path) -> dict:
    pool.map_tasks = lambda work, tasks, *_: [work(task) for task in tasks]
    write_raw(folder / "raw", {"train": pairs(4, 1), "validation": pairs(1, 2), "test": pairs(1, 3)})

    def work(place: Path, life: Life) -> None:
        build_shards(folder / "raw", place / "data/shards", Target(16, 16, "raw"), 2, SplitOptions(1, None, 0.1))

    return every_moment(work, folder, ["data/shards"], stride=2)


def checkpoint(folder: Path) -> dict:
    """Kill a run whose state is a sum over its steps; every loaded state must be that of some step."""

    def work(place: Path, life: Life) -> None:
        checkpoints = Checkpoints(place / ".checkpoints", 1)
        state = checkpoints.load([(500,)]) or State(variables=[np.zeros(500)])
        assert state.variables[0][0] == sum(range(state.step + 1))
        for step in range(state.step + 1, 5):
            state = State(step, [*state.history, {"epoch": step}], [state.variables[0] + step], [np.arange(step)])
            checkpoints.save(state)
            assert len(list(place.glob(".checkpoints/*/*"))) <= 2
        with new_directory(place / "data/model") as model:
            write_bytes(model / "model", npz_bytes({"weights": state.variables[0]}))
            write_bytes(model / "history", json.dumps(state.history).encode())
        checkpoints.finish()

    return every_moment(work, folder, ["data/model"])


def _training(folder: Path) -> Callable[..., None]:
    """Return the work of the train stage with a tiny network, and a tick at each step and validation batch."""
    import keras
    import tensorflow as tf
    from fake_run import described_network
    from test_training import Tiny

    from maskline.files.yaml12 import read_yaml
    from maskline.params.augment import AugmentParams
    from maskline.training import setup, validate
    from maskline.training import train as module
    from maskline.training.trainer import Trainer

    tf.config.run_functions_eagerly(True)  # otherwise each life traces the steps again
    knobs = read_yaml(Path(__file__).parents[2] / "params.yaml")
    knobs["train"] |= {"epochs": 6, "batch_size": 2, "ema": 0.8, "early_stopping": 4, "class_weights": "inverse"}
    train_params = module.TrainParams.model_validate(knobs["train"] | {"learning_rate": 0.01})
    augment = AugmentParams.model_validate(knobs["augment"] | {"rotation": 10.0, "brightness": 0.1})

    def build(*_: object) -> keras.Model:
        model = Tiny("float32", classes=3)
        model.class_names = ["sky", "tree", "car"]
        return model

    def ticking(life: Life, function: Callable) -> Callable:
        @tf.autograph.experimental.do_not_convert
        def ticked(*arguments: object) -> object:
            tf.py_function(life.tick, [], [])
            return function(*arguments)

        return ticked

    def save(model: keras.Model, path: Path) -> None:
        write_bytes(path, npz_bytes({str(i): np.array(v) for i, v in enumerate(model.variables)}))

    def work(place: Path, life: Life, code: str = "a", shards: str = "shards") -> None:
        place.mkdir(exist_ok=True)
        log = os.open(place / "log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        setup._build, module.save_model = build, save
        module.describe_network = lambda *_: described_network()  # a tiny network is none of the project's
        setup._check_step = lambda *_: None  # it traces
        step, counted = Trainer._step, validate.confusion_matrices
        Trainer._step, validate.confusion_matrices = ticking(life, step), ticking(life, counted)
        module.train(
            folder / shards, folder / "weights", place / "model", place / ".checkpoints", seed=1,
            model=module.ModelParams.model_validate(knobs["model"]), augment=augment, params=train_params, code=code,
        )  # fmt: skip
        sys.stdout.flush()

    return work


def _shards(folder: Path) -> None:
    pool.map_tasks = lambda work, tasks, *_: [work(task) for task in tasks]
    write_raw(folder / "raw", {"train": pairs(8, 1), "validation": pairs(4, 2), "test": pairs(1, 3)})
    for name, size in (("shards", 16), ("others", 32)):
        build_shards(folder / "raw", folder / name, Target(size, size, "raw"), 4, SplitOptions(1, None, 0.1))
    write_bytes(
        folder / "weights/encoder.json", b'{"encoder": "unet", "weights": "none", "file": null, "sha256": null}'
    )


def train(folder: Path) -> dict:
    """Kill training at random moments until it finishes, twice; then train other code and data next to a killed run."""
    _shards(folder)
    work = _training(folder)
    operations = run(partial(work, folder / "whole"))
    expected, kills, resumed = digests(folder / "whole", "model"), 0, 0
    for place in (folder / name for name in ("a", "b")):
        while run(partial(work, place), random.randint(operations // 3, operations * 2 // 3)) is None:
            kills += 1
            complete_or_absent(place, ["model"], expected)
        resumed += "resumes after step" in (place / "log").read_text()
        assert digests(place, "model") == expected
        assert sorted(path.name for path in place.iterdir()) == [".checkpoints", "log", "model"]
        assert [path.suffix for path in (place / ".checkpoints").iterdir()] == [".finished"]
    place = folder / "other"
    assert run(partial(work, place), operations * 2 // 3) is None
    did_resume = {}
    for name, changes in {"code": {"code": "b"}, "data": {"shards": "others"}, "back": {}}.items():
        assert run(partial(work, place, **changes)) is not None
        did_resume[name] = "resumes after step" in (place / "log").read_text()
    assert digests(place, "model") == expected
    return {"operations": operations, "kills": kills, "went_on": resumed} | did_resume


def evaluate(folder: Path) -> dict:
    """Kill evaluate, with a stand-in for the network, whose loading and tracing takes long."""
    from scipy.special import softmax

    from maskline.evaluation import evaluate as module
    from maskline.evaluation import splits
    from maskline.files.yaml12 import read_yaml
    from maskline.prediction.inference import Prediction

    _shards(folder)
    params = read_yaml(Path(__file__).parents[2] / "params.yaml")["evaluate"]
    params = module.EvaluateParams.model_validate(params | {"samples": 1})
    splits._model = lambda *_: None
    splits.predictor = lambda *_: predict
    splits.KerasRuntime = lambda *_: None

    def predict(images: np.ndarray) -> Prediction:
        probabilities = softmax(images.astype(np.float32) / 50.0, axis=-1)
        return Prediction(probabilities, 1.0 - probabilities.max(axis=-1), None)

    def work(place: Path, life: Life) -> None:
        module.evaluate(
            folder / "raw", folder / "shards", folder / "none", place / "evaluation", place / "metrics",
            params=params, batch_size=2, seed=1,
        )  # fmt: skip

    tables = [
        f"metrics/{name}.csv"
        for name in (
            "headlines",
            "classes",
            "conventions",
            "confusion",
            "sizes",
            "calibration",
            "trimap",
            "suspects",
            "suspect_images",
        )
    ]
    return every_moment(work, folder, ["evaluation", "metrics/samples", "metrics/evaluation.json", *tables], stride=24)


if __name__ == "__main__":
    random.seed(3)
    print(json.dumps(globals()[sys.argv[1]](Path(sys.argv[2]))))
