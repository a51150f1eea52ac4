"""`maskline experiments`: DVC's experiments in a table that fits a terminal."""

from pathlib import Path

import pytest
from dvc.repo import Repo

from maskline.cli.main import main
from maskline.comparison.experiments import Experiment, as_text, read_experiments

NAMES = [f"a class with a long name {i}" for i in range(12)]


class Shown:
    """What DVC returns for a revision."""

    def __init__(self, name=None, mean_iou=None, params=None, runs=None, folder=""):
        metrics = {f"{folder}metrics/evaluation.json": {"data": {"mean_iou": mean_iou, "iou.sky": 0.5}}}
        data = {"params": {f"{folder}params.yaml": {"data": params}}, "metrics": metrics}
        self._entry = {"rev": "0123456789", "name": name, "data": data, "experiments": runs}

    def dumpd(self):
        return self._entry


def params(**train):
    return {"seed": 1, "train": {"epochs": 8, "loss": {"dice": 1.0}} | train, "dataset": {"classes": None}}


def run(name, state="", **at):
    return {"name": name, "revs": [Shown(name, **at).dumpd()], "executor": {"state": state} if state else None}


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Let DVC show what the test puts into the list."""
    shown = []

    class Experiments:
        def show(self):
            return shown

    Repo.init(tmp_path, no_scm=True).close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Repo, "experiments", Experiments())
    return shown


def test_the_best_comes_first_and_what_has_no_result_last(shown):
    runs = [
        run("waits", "queued", params=params(epochs=2)),
        run("worse", mean_iou=0.4, params=params(epochs=4)),
        run("bad", "failed", mean_iou=0.5, params=params(epochs=0)),
        run("better", "success", mean_iou=0.7, params=params(loss={"dice": 0.0})),
    ]
    shown += [Shown(None, 0.5, params()), Shown("main", 0.5, params(), runs)]
    found = read_experiments(Path())
    assert [(e.name, e.state, e.mean_iou, e.params) for e in found] == [
        ("workspace", "", 0.5, ()),
        ("main", "", 0.5, ()),
        ("better", "", 0.7, ("train.loss.dice=0.0",)),
        ("worse", "", 0.4, ("train.epochs=4",)),
        ("bad", "failed", None, ("train.epochs=0",)),
        ("waits", "queued", None, ("train.epochs=2",)),
    ]
    assert [e.change for e in found] == [0.0, None, pytest.approx(0.2), pytest.approx(-0.1), None, None]


def test_a_folder_below_has_its_own(shown, tmp_path):
    (tmp_path / "ci").mkdir()
    shown += [Shown(None, 0.3, params(epochs=1), folder="ci/"), Shown("main", 0.2, params(), folder="ci/")]
    assert [e.mean_iou for e in read_experiments(Path("ci"))] == [0.3, 0.2]
    assert [e.mean_iou for e in read_experiments(Path())] == [None, None]


def test_a_commit_that_dvc_cannot_read_has_no_result(shown):
    broken = Shown("main")
    broken.dumpd()["data"] = None
    shown += [Shown(None, 0.3, params()), broken]
    assert [(e.name, e.mean_iou) for e in read_experiments(Path())] == [("workspace", 0.3), ("main", None)]


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits(width):
    changed = (f"dataset.classes=[{', '.join(NAMES)}]", "train.epochs=4", "dataset.path=/" + "a_long_folder/" * 20)
    found = [
        Experiment("main", "", 0.92, None, ()),
        Experiment("an-experiment-with-a-name-of-more-than-thirty-letters", "", 0.93, 0.01, changed),
        Experiment("bad", "failed", None, None, changed[:1]),
    ]
    text = as_text(found, width)
    assert max(map(len, text.splitlines())) <= width
    assert "train.epochs=4" in text and "0.9300" in text and "+0.0100" in text
    assert "`dvc queue logs bad` shows why bad failed." in text


def test_outside_of_a_project_it_says_where_to_run_it(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(["experiments"])
    assert "is not in a DVC repository; run the command in the project's folder." in stop.value.code
