"""`maskline seeds` as it is typed, and `maskline compare --against` of its runs, in a pipeline that takes no time."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from project import ENVIRONMENT, commit, git, initialize
from test_folds_command import simulated_folds

from maskline.cli.main import main
from maskline.comparison.sides import read_side
from maskline.errors import InputError
from maskline.seeds.runs import pattern, seeds_of
from maskline.seeds.text import as_text
from maskline.series.pipeline import Pipeline, read_pipeline
from maskline.series.results import Run
from maskline.series.summary import summarize

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

PIPELINE = """
stages:
  evaluate:
    cmd: python fake.py
    deps: [fake.py]
    params: [seed, train]
    outs: [data/evaluation]
"""
FAKE = """
import sys
from pathlib import Path
from ruamel.yaml import YAML
import numpy as np
from maskline.contracts.about import About
from maskline.files.artifacts import npz_bytes
from maskline.files.checksums import write_sums
from maskline.files.records import write_record

seed = YAML().load(Path("params.yaml"))["seed"]
matrices = np.random.default_rng(seed).integers(1, 100, (9, 2, 2)) + 300 * np.eye(2, dtype=int)
matrices[:, 0, 1] = 400 - matrices[:, 0, 0]
matrices[:, 1, 0] = 400 - matrices[:, 1, 1]
out = Path("data/evaluation")
out.mkdir(parents=True)
names = np.array([f"{i} é.png" for i in range(9)])
(out / "counts.npz").write_bytes(npz_bytes({"filenames": names, "matrices": matrices}))
about = {"classes": ["sky", "tree"], "resolution": "model", "shards": "2" * 64, "inference": {}}
about |= {"test_split": "1" * 64, "versions": {}, "conventions": {}}
write_record(out / "about.json", About.model_validate(about))
write_sums(out)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "project"
    folder.mkdir()
    initialize(folder)
    (folder / "dvc.yaml").write_text(PIPELINE)
    (folder / "params.yaml").write_text("seed: 7\ntrain:\n  epochs: 2\n")
    (folder / "fake.py").write_text(FAKE)
    (folder / ".gitignore").write_text("data/\n")
    commit(folder, "A pipeline")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), ENVIRONMENT["PYTHONPATH"]]))
    return folder


@pytest.mark.slow
def test_seeds_are_run_summed_up_and_compared(project, capsys):
    main(["seeds", "2", "--json", "--csv", "seeds.csv"])
    streams = capsys.readouterr()
    assert "seeds: running seed 7." in streams.err
    found = json.loads(streams.out)
    start = git(project, "rev-parse", "--short=7", "HEAD").strip()
    assert [run["experiment"] for run in found["runs"]] == [f"{start}-seed-7", f"{start}-seed-8"]
    values = found["metrics"]["mean_iou"]["runs"]
    assert found["metrics"]["mean_iou"]["standard_deviation"] == pytest.approx(np.std(values, ddof=1), abs=2e-6)
    table = pd.read_csv(project / "seeds.csv", index_col="metric")
    assert table.loc["mean_iou", ["lowest", "highest", "seed_7", "seed_8"]].tolist() == [*sorted(values), *values]
    assert git(project, "status", "--porcelain") == "?? seeds.csv\n"

    main(["seeds", "2"])
    streams = capsys.readouterr()
    assert streams.err == "" and f"maskline compare '{start}-seed-*' --against " in streams.out
    main(["seeds", "3", "--queue"])
    assert capsys.readouterr().out.endswith(
        f"In DVC's queue: {start}-seed-9. `dvc queue start` runs them; this command then sums up.\n"
    )

    assert list(read_side([f"{start}-seed-*"], Path())) == [7, 8]
    main(["compare", f"{start}-seed-7", "--against", f"{start}-*-8", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert [run["seed"] for side in "ab" for run in said[side]] == [7, 8]
    assert said["metrics"]["mean_iou"]["a"] == [values[0]]
    with pytest.raises(InputError, match="no branch, tag or experiment matches wide-"):
        read_side(["wide-*"], Path())


def test_names_carry_the_commit_and_seeds_count_up(project):
    pipeline = read_pipeline(Path())
    series = seeds_of(pipeline, 3)
    assert [member.changes for member in series.members.values()] == [{"seed": 7}, {"seed": 8}, {"seed": 9}]
    assert [member.name for member in series.members.values()] == [f"{pipeline.commit[:7]}-seed-{s}" for s in (7, 8, 9)]
    below = pipeline._replace(inside=Path("projects/mine"))
    assert pattern(below) == f"projects-mine-{pipeline.commit[:7]}-seed-*"
    with pytest.raises(InputError, match=r"must hold a seed, a whole number, .*Received: None"):
        seeds_of(pipeline._replace(params={}), 3)


def test_seeds_that_draw_the_test_images_are_said_to():
    pipeline = Pipeline(Path(), Path(), Path(), "0" * 40, {})
    results = list(simulated_folds(2))
    runs = [Run(seed, f"run {seed}", "1" * 40, result) for seed, result in enumerate(results)]
    assert "seed draws them here" in as_text(pipeline, runs, summarize(results))
