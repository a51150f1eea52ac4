"""`maskline folds` as it is typed, in a Git repository whose pipeline takes no time."""

import csv
import json
import os
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
from project import ENVIRONMENT, commit, copy_of, digests, dvc, git, initialize, set_params
from simulated import NAMES, simulated, truths

from maskline.cli.main import main
from maskline.comparison.compare import Result, compare
from maskline.comparison.revisions import read_result
from maskline.errors import InputError
from maskline.folds.suspects import write_suspects
from maskline.series.pipeline import read_pipeline
from maskline.series.results import Run
from maskline.series.summary import _T, summarize

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

PIPELINE = """
vars:
  - text: ''
stages:
  download:
    cmd: python fake.py download
    deps: ["${text}${dataset.path}", fake.py]
    params: [dataset.path]
    outs: [data/raw]
  evaluate:
    cmd: python fake.py evaluate
    deps: [data/raw, fake.py]
    params: [dataset]
    outs: [data/evaluation]
    plots:
      - metrics/suspects.csv:
          cache: false
"""
PARAMS = """
dataset:
  path: fotos                  # the folder
  folds:
  fold: 1                      # the fold
model:
  encoder_weights: none
"""
FAKE = """
import json, shutil, sys
from pathlib import Path
import numpy as np
from ruamel.yaml import YAML
from maskline.contracts.about import About
from maskline.files.artifacts import npz_bytes
from maskline.files.checksums import write_sums
from maskline.files.records import write_record

dataset = YAML().load(Path("params.yaml"))["dataset"]
if sys.argv[1] == "download":
    shutil.copytree(dataset["path"], "data/raw")
    sys.exit()
names = sorted(p.name for p in Path("data/raw").iterdir())
if "broken" in names and dataset["fold"] == 2:
    sys.exit("fold 2 is broken")
names = names[dataset["fold"] - 1 :: dataset["folds"]]
matrices = np.random.default_rng(dataset["fold"]).integers(1, 100, (len(names), 3, 3)) + 300 * np.eye(3, dtype=int)
out = Path("data/evaluation")
out.mkdir(parents=True)
(out / "counts.npz").write_bytes(npz_bytes({"filenames": np.array(names), "matrices": matrices}))
about = {"classes": ["sky", "tree", "crème brûlée"], "resolution": "model", "shards": "2" * 64, "inference": {}}
about |= {"test_split": str(dataset["fold"]) * 64, "versions": {}, "conventions": {}}
write_record(out / "about.json", About.model_validate(about))
write_sums(out)
Path("metrics").mkdir(exist_ok=True)
rows = [f"{i},{split},{name},{dataset['fold'] / 10 + i / 100:.2f}" for i, name in enumerate(names, 1)
        for split in ("validation", "test")]
Path("metrics/suspects.csv").write_text("rank,split,filename,score\\n" + "\\n".join(rows) + "\\n")
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds é") / "project"
    folder.mkdir()
    initialize(folder)
    for place in (folder, folder / "projects/mine"):
        place.mkdir(parents=True, exist_ok=True)
        for name, text in {"dvc.yaml": PIPELINE, "params.yaml": PARAMS, "fake.py": FAKE, "none": ""}.items():
            (place / name).write_text(text)
        photos(place / "fotos")
    photos(folder.parent / "mine's é")
    (folder / ".gitignore").write_text("data/\nfotos/\n")
    commit(folder, "A pipeline")
    return folder


def photos(folder: Path, count: int = 7) -> None:
    folder.mkdir()
    for index in range(count):
        (folder / f"{index} é.png").write_text(str(index))


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    shutil.copytree(made.parent, tmp_path / "all")
    folder = tmp_path / "all" / made.name
    monkeypatch.chdir(folder)
    for name in ("PATH", "PYTHONPATH"):
        monkeypatch.setenv(name, ENVIRONMENT[name])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), ENVIRONMENT["PYTHONPATH"]]))
    return folder


def set_path(folder: Path, path: str) -> None:
    text = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("path: fotos ", f"path: {path} "))
    commit(folder, "Other images")


def folds(*arguments):
    main(["folds", *map(str, arguments)])


def refused(*arguments):
    with pytest.raises(SystemExit) as stop:
        folds(*arguments)
    return stop.value.code


def experiments(folder):
    return sorted(ref.split("/")[-1] for ref in git(folder, "for-each-ref", "--format=%(refname)", "refs/exps").split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "path"),
    [(".", path) for path in ("fotos", "absolute", "committed")]
    + [("projects/mine", path) for path in ("fotos", "../mine's é", "added")],
)
def test_own_data_anywhere(place, path, project, capsys):
    """A relative path names nothing in the folder where an experiment runs, unless Git or DVC puts it there."""
    folder = project / place
    if path == "../mine's é":
        path = os.path.relpath(project.parent / "mine's é", folder)
    elif path == "absolute":
        path = str(project.parent / "mine's é")
    elif path in ("added", "committed"):
        photos(folder / path)
        if path == "added":
            dvc(folder, "add", "--quiet", path)
    if path != "fotos":
        set_path(folder, f'"{path}"')
    folds(2, "--folder", place, "--json")
    found = json.loads(capsys.readouterr().out)
    assert [fold["images"] for fold in found["folds"]] == [4, 3]
    assert git(project, "status", "--porcelain") == ""
    written = git(project, "show", f"{found['folds'][0]['commit']}:{'' if place == '.' else f'{place}/'}params.yaml")
    assert "# the folder" in written and "fold: 1 " in written
    if path == "fotos":
        (folder / "fotos/new é.png").write_text("new")
        assert "fotos in dataset.path has changed since" in refused(2, "--folder", place)


@pytest.mark.slow
def test_a_second_call_sums_up_without_a_run(project, capsys, tmp_path):
    folds(2, "--json", "--suspects", tmp_path / "all.csv")
    found = json.loads(capsys.readouterr().out)
    assert experiments(project) == ["fold-1-of-2", "fold-2-of-2"]
    folds(2)
    streams = capsys.readouterr()
    assert streams.err == "" and "not independent" in streams.out and "fold-2-of-2" in streams.out
    results = [read_result(fold["commit"], Path()) for fold in found["folds"]]
    with pytest.raises(InputError, match="were tested on different images"):
        compare(*results, 100, 1)
    for row in summarize(results):
        shown = found["metrics"][row.metric]
        assert shown["mean"] == pytest.approx(statistics.mean(shown["folds"]), abs=1e-6)
        assert shown["standard_deviation"] == pytest.approx(statistics.stdev(shown["folds"]), abs=2e-6)
    rows = list(csv.DictReader((tmp_path / "all.csv").open()))
    assert list(rows[0]) == ["rank", "fold", "filename", "score"] and len(rows) == 7
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
    assert len({row["filename"] for row in rows}) == 7 and rows[0]["rank"] == "1"


@pytest.mark.slow
def test_a_failed_fold_stops_and_the_finished_one_is_kept(project, capfd):
    (project / "fotos/broken").write_text("")
    assert "fold 2 of 2 failed with exit code" in refused(2)
    assert "fold 2 is broken" in capfd.readouterr().err
    assert experiments(project) == ["fold-1-of-2"]
    (project / "fotos/broken").unlink()
    assert "fotos in dataset.path has changed since fold-1-of-2 ran" in refused(2)
    dvc(project, "exp", "remove", "fold-1-of-2")
    folds(2)
    assert experiments(project) == ["fold-1-of-2", "fold-2-of-2"]


@pytest.mark.slow
def test_the_queue_is_filled_once_and_finished_folds_are_read_from_it(project, capsys):
    folds(2, "--queue")
    assert "In DVC's queue: fold-1-of-2, fold-2-of-2." in capsys.readouterr().out
    folds(2, "--queue", "--suspects", "to_check.csv")
    assert "this command then sums up and writes to_check.csv.\n" in capsys.readouterr().out
    assert dvc(project, "queue", "status").count("Queued") == 2
    assert refused(2).startswith("maskline: the experiment fold-1-of-2 is queued; `dvc queue start` runs it, or remove")
    dvc(project, "exp", "run", "--run-all")
    capsys.readouterr()
    folds(2, "--json")
    assert len(json.loads(capsys.readouterr().out)["folds"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", ["absolute", "copied"])
def test_a_plain_queued_experiment_has_own_data(how, project):
    """DVC runs it in another folder: an absolute path holds there, and `--copy-paths` takes a folder along."""
    more = ["-S", f"dataset.path={project / 'fotos'}"] if how == "absolute" else ["--copy-paths", "fotos"]
    dvc(project, "exp", "run", "--queue", "--name", "mine", "-S", "dataset.folds=2", *more)
    dvc(project, "exp", "run", "--run-all")
    assert len(read_result("mine", Path()).filenames) == 4


@pytest.mark.slow
def test_the_whole_pipeline_tests_every_image_once(first_result, tmp_path, monkeypatch, capsys):
    folder = copy_of(first_result, tmp_path / "project")
    set_params(folder, {"train.epochs": 1})
    commit(folder, "A short training")
    before = digests(folder, "data", "metrics")
    monkeypatch.chdir(folder)
    folds(2, "--json")
    found = json.loads(capsys.readouterr().out)
    assert [fold["images"] for fold in found["folds"]] == [8, 8]
    for fold in found["folds"]:
        page = git(folder, "show", f"{fold['commit']}:metrics/report.html")
        assert f"Figures of 8 test images (fold {fold['fold']} of 2)\n" in page
        assert '"images.test": 8' in git(folder, "show", f"{fold['commit']}:metrics/dataset.json")
    assert digests(folder, "data", "metrics") == before and git(folder, "status", "--porcelain") == ""


def test_what_is_not_committed_is_refused(project):
    with open(project / "fake.py", "a") as file:
        file.write("\n")
    assert "fake.py changed since the last commit, and all folds must start from one commit" in refused(2)
    (project / "projects/new").mkdir()
    assert "Git's HEAD has no projects/new/dvc.yaml" in refused(2, "--folder", "projects/new")
    assert "HEAD has no no/where/dvc.yaml" in refused(2, "--folder", "no/where")


def test_an_experiment_of_that_name_with_other_params_is_refused(project):
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("fold: 1 ", "fold: 2 "))
    git(project, "commit", "--quiet", "--all", "--message", "dvc: commit experiment")
    other = git(project, "rev-parse", "HEAD").strip()
    git(project, "reset", "--quiet", "--hard", "HEAD~1")
    head = git(project, "rev-parse", "HEAD").strip()
    git(project, "update-ref", f"refs/exps/{head[:2]}/{head[2:]}/fold-1-of-2", other)
    assert "fold-1-of-2 has another dataset.fold than" in refused(2)


def test_a_name_with_a_carriage_return_stays_whole_in_the_joined_table(project, tmp_path):
    text = 'rank,split,filename,score\n1,test,"a\rb, c.png",0.50\n2,validation,d.png,0.25\n'
    (project / "metrics").mkdir()
    (project / "metrics/suspects.csv").write_text(text, newline="")
    commit(project, "A table")
    fold = Run(3, "fold-3-of-5", git(project, "rev-parse", "HEAD").strip(), next(simulated_folds(1)))
    assert write_suspects(read_pipeline(Path()), [fold], tmp_path / "all.csv") == 1
    with open(tmp_path / "all.csv", newline="") as file:
        assert list(csv.DictReader(file)) == [{"rank": "1", "fold": "3", "filename": "a\rb, c.png", "score": "0.50"}]


@pytest.mark.parametrize("number", ["1", "21", "two"])
def test_the_number_of_folds_has_bounds(number, capsys):
    with pytest.raises(SystemExit):
        folds(number)
    assert "must be a whole number from 2 to 20" in capsys.readouterr().err


def simulated_folds(count):
    rng = np.random.default_rng(0)
    for fold in range(count):
        matrices = simulated(truths(10, rng), rng.normal(0.8, 0.05, 10), rng)
        names = np.array([f"{fold} {i}" for i in range(10)])
        yield Result(str(fold), names, matrices, list(NAMES), str(fold) * 64, "model")


def test_the_interval_is_students(tmp_path):
    stats = pytest.importorskip("scipy.stats")
    assert np.allclose(_T, [stats.t.ppf(0.975, n) for n in range(1, 20)], atol=5e-5)
    results = list(simulated_folds(5))
    for row in summarize(results):
        low, high = stats.t.interval(0.95, 4, statistics.mean(row.values), stats.sem(row.values))
        assert (row.low, row.high) == pytest.approx((low, high), abs=1e-4)
    assert [row.metric for row in summarize(results)][:2] == ["mean_iou", "pixel_accuracy"]


def test_the_interval_does_not_leave_the_range_of_its_metric():
    results = list(simulated_folds(2))
    results[0].matrices[:, 0, 1] += 100 * results[0].matrices[:, 0, 0]
    rows = summarize(results)
    assert (rows[0].low, rows[0].high) == (0.0, 1.0)
    assert all(0 <= row.low <= row.mean <= row.high <= 1 for row in rows)


def test_a_class_that_a_fold_lacks_is_left_out_there():
    results = list(simulated_folds(3))
    lacking = results[0].matrices.copy()
    lacking[:, 1], lacking[:, :, 1] = 0, 0
    row = summarize([results[0]._replace(matrices=lacking), *results[1:]])[3]
    assert np.isnan(row.values[0]) and row.mean == pytest.approx(np.mean(row.values[1:]))
    assert row.pooled > 0
