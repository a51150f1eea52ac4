"""The pipeline as its users run it: repro, branches, experiments, remotes, kills and bad input, all through DVC."""

import json
import shutil
import time

import numpy as np
import pytest
from PIL import Image
from project import ROOT, clone, commit, copy_of, digests, dvc, git, initialize, run, set_params
from ruamel.yaml import YAML
from test_params import leaves

from maskline.files.yaml12 import read_yaml
from maskline.params.check import Params

OUTPUTS = ("data", "metrics", "dvc.lock")
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]
CODE = (".py", ".jinja", ".css", ".js")
PIPELINE = """
stages:
  write:
    cmd: mkdir -p data && echo {} > data/here
    outs: [data]
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory, first_result):
    """The project after its first run, committed; tests that change it work in clones."""
    return copy_of(first_result, tmp_path_factory.mktemp("project") / "project")


@pytest.fixture
def copy(project, tmp_path):
    """The project's repository with all outputs and the cache, to be changed."""
    return copy_of(project, tmp_path / "copy")


def test_first_run_leaves_what_readme_says_and_second_does_nothing(project):
    figures = json.loads((project / "metrics/evaluation.json").read_text())
    assert {"pixel_accuracy", "mean_iou", "iou.sky", "iou.crème brûlée"} <= set(figures)
    assert (project / "metrics/report.html").read_text().startswith("<!DOCTYPE html>")
    assert len(list((project / "metrics/samples").glob("*.png"))) == 2
    before = digests(project, *OUTPUTS)
    assert "up to date" in dvc(project, "repro")
    assert digests(project, *OUTPUTS) == before
    assert git(project, "status", "--porcelain") == ""


def test_make_repro_ends_with_the_result(project):
    """Without the set-up of an environment."""
    *_, mean_iou, report, following = run(project, "make", "--old-file=.venv/bin/maskline", "repro").splitlines()
    figures = json.loads((project / "metrics/evaluation.json").read_text())
    assert mean_iou == f"mean IoU  {figures['mean_iou']} on the test images"
    assert report == f"report    {project / 'metrics/report.html'}"
    assert "`make repro`" in following


def test_it_learns_from_a_dozen_photos(project):
    assert json.loads((project / "metrics/evaluation.json").read_text())["mean_iou"] > 0.5


@pytest.mark.slow
def test_elsewhere_it_comes_out_in_the_same_bytes(project, tmp_path):
    """Another folder, hash seed, time zone and locale; an empty cache."""
    folder = tmp_path / "Ein anderer Ört"
    folder.mkdir()
    elsewhere = {"TMPDIR": str(folder), "PYTHONHASHSEED": "7", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "C"}
    assert "0 within tolerance, 0 different." in run(project, "python", "-m", "maskline", "verify", **elsewhere)
    assert git(project, "status", "--porcelain") == "" and not list(folder.iterdir())


def test_bad_input_stops_with_its_sentence_and_earlier_outputs_come_back(copy, tmp_path):
    before = digests(copy, *OUTPUTS)
    broken = shutil.copytree(read_yaml(copy / "params.yaml")["dataset"]["path"], tmp_path / "broken")
    mask = np.array(Image.open(broken / "masks/photo 05 é.png"))
    mask[3, 4] = 77
    Image.fromarray(mask).save(broken / "masks/photo 05 é.png")
    set_params(copy, {"dataset.path": str(broken)})
    output = dvc(copy, "repro", check=False)
    assert "photo 05 é" in output
    assert "has the label 77 at 1 pixel, outside the classes and void (0, 1, 2, 255)" in output
    assert "Traceback" not in output
    assert "DVC had removed the outputs of the last run; get them back with `dvc checkout data/shards`." in output
    assert not (copy / "data/shards").exists()
    dvc(copy, "checkout", "data/shards")
    assert digests(copy, "data/shards") == {
        name: sum for name, sum in before.items() if name.startswith("data/shards/")
    }
    git(copy, "checkout", "params.yaml", "dvc.lock")
    dvc(copy, "checkout")
    assert digests(copy, *OUTPUTS) == before
    assert "up to date" in dvc(copy, "repro")
    assert not list(copy.rglob("*.partial"))


def test_outputs_of_a_failing_stage_come_back_as_its_sentence_says(copy):
    """Evaluate's are of both kinds; report's stay where they are, as DVC keeps them."""
    before = digests(copy, *OUTPUTS)
    set_params(copy, {"evaluate.window": 2})
    output = dvc(copy, "repro", check=False)
    assert "window must be" in output and "Traceback" not in output
    (sentence,) = (line for line in output.splitlines() if "get them back with" in line)
    commands = sentence.split("`")[1::2]
    assert [command.split(" ")[0] for command in commands] == ["git", "dvc"]
    assert (copy / "metrics/report.html").exists() and not (copy / "metrics/evaluation.json").exists()
    for command in commands:
        run(copy, *command.split(" "))
    git(copy, "checkout", "params.yaml")
    assert digests(copy, *OUTPUTS) == before
    assert "up to date" in dvc(copy, "repro")


@pytest.mark.slow
def test_a_kill_before_dvc_records_the_model_trains_no_step_again(copy):
    """The model is gone with all that DVC knows of it, as after a kill while DVC hashes it."""
    trained = digests(copy, "data/model")
    lock = YAML().load(copy / "dvc.lock")
    del lock["stages"]["train"]
    YAML().dump(lock, copy / "dvc.lock")
    shutil.rmtree(copy / "data/model")
    shutil.rmtree(copy / ".dvc/cache/runs")
    output = dvc(copy, "repro", "train")
    assert "train: resumes after step" in output and "epoch " not in output
    assert digests(copy, "data/model") == trained


@pytest.mark.slow
def test_branches_can_be_compared(copy, tmp_path):
    git(copy, "checkout", "--quiet", "-b", "dice")
    set_params(copy, {"train.loss.dice": 1.0, "train.epochs": 2})
    output = dvc(copy, "repro")
    assert "Stage 'preprocess' didn't change" in output
    commit(copy, "Dice beside cross-entropy")
    changes = json.loads(dvc(copy, "metrics", "diff", "main", "--json"))
    assert "mean_iou" in changes["metrics/evaluation.json"]
    assert "train.loss.dice" in dvc(copy, "params", "diff", "main")
    page = tmp_path / "page"
    dvc(copy, "plots", "diff", "main", "--out", str(page))
    html = (page / "index.html").read_text()
    assert "Validation mean IoU by epoch" in html
    assert "Where the pixels of each true class went" in html
    pictures = sorted(path.name for path in (page / "static").glob("*.png"))
    assert len(pictures) == 4  # two samples of two revisions
    assert {name.split("_")[0] for name in pictures} == {"main", "workspace"}
    git(copy, "checkout", "main", "--", "params.yaml")
    toggled = dvc(copy, "repro")
    assert "Stage 'train' is cached" in toggled
    assert git(copy, "diff", "--stat", "main", "--", "metrics") == ""


@pytest.mark.slow
def test_experiments_run_at_once_and_from_the_queue(copy):
    """The queue starts from the workspace that the first leaves; "bad" fails there, and "two" trains after it."""
    dvc(copy, "exp", "run", "--name", "mirrored", "-S", "evaluate.flip=true")
    dvc(copy, "exp", "run", "--queue", "--name", "bad", "-S", "train.epochs=0")
    dvc(copy, "exp", "run", "--queue", "--name", "two", "-S", "train.epochs=2")
    dvc(copy, "queue", "start")
    deadline = time.monotonic() + 400
    while "/two\n" not in git(copy, "for-each-ref", "--format=%(refname)", "refs/exps"):
        assert time.monotonic() < deadline, dvc(copy, "queue", "status")
        time.sleep(1)
    while any(word in (status := dvc(copy, "queue", "status")) for word in ("Queued", "Running")):
        assert time.monotonic() < deadline, status
        time.sleep(3)
    assert status.count("Success") == 1 and status.count("Failed") == 1, status
    assert "train.epochs" in dvc(copy, "queue", "logs", "bad")
    listed = run(copy, "python", "-m", "maskline", "experiments")
    assert max(map(len, listed.splitlines())) <= 120
    assert {"workspace", "main", "mirrored", "bad", "two"} <= {line.split(" ")[0] for line in listed.splitlines()}
    assert "`dvc queue logs bad` shows why bad failed." in listed
    table = dvc(copy, "exp", "show", "--csv", "--sort-by", "mean_iou")
    shown = {line.split(",")[1] for line in table.splitlines()} | {line.split(",")[0] for line in table.splitlines()}
    assert {"mirrored", "two"} <= shown


@pytest.mark.parametrize("kind", ["folder", pytest.param("s3", marks=pytest.mark.slow)])
def test_a_result_is_pushed_and_pulled(kind, project, copy, tmp_path, s3):
    keys = dict(s3.environment)
    url = keys.pop("AWS_ENDPOINT_URL")
    dvc(copy, "remote", "add", "--default", "store", str(tmp_path / "store") if kind == "folder" else "s3://masks/dvc")
    if kind == "s3":
        dvc(copy, "remote", "modify", "store", "endpointurl", url)
    commit(copy, "A remote")
    assert "pushed" in dvc(copy, "push", **keys)
    other = clone(copy, tmp_path / "other")
    dvc(other, "pull", **keys)
    assert digests(other, *OUTPUTS) == digests(project, *OUTPUTS)
    assert "up to date" in dvc(other, "status", **keys)


@pytest.fixture
def two_pipelines(tmp_path):
    """A repository whose root pipeline was pushed to its remote by a clone that never ran the one in ci/."""
    origin = tmp_path / "origin"
    (origin / "ci").mkdir(parents=True)
    initialize(origin)
    dvc(origin, "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    shutil.copy2(ROOT / "Makefile", origin)
    for folder in (origin, origin / "ci"):
        (folder / "dvc.yaml").write_text(PIPELINE.format(folder.name))
        (folder / ".gitignore").write_text("/data\n")
        dvc(folder, "repro", "dvc.yaml")
    commit(origin, "Both pipelines were run here")
    pushing = clone(origin, tmp_path / "pushing")
    dvc(pushing, "repro", "dvc.yaml")
    dvc(pushing, "push")
    return origin


def pull(folder, check=True):
    """Run `make pull` without the set-up of an environment."""
    return run(folder, "make", "--old-file=.venv/bin/maskline", "pull", check=check)


@pytest.mark.slow
def test_make_pull_names_what_the_remote_lacks_of_other_pipelines(two_pipelines, tmp_path):
    other = clone(two_pipelines, tmp_path / "other")
    assert "ci/data/ is not on the remote; dvc repro ci/dvc.yaml makes it." in pull(other)
    assert (other / "data/here").read_text() == "origin\n"
    assert "failed to pull" in dvc(other, "pull", check=False)  # what `make pull` is for
    dvc(two_pipelines, "push")
    assert "is not on the remote" not in pull(other)
    assert (other / "ci/data/here").read_text() == "ci\n"


def test_make_pull_fails_if_the_remote_lacks_the_root_pipeline(two_pipelines, tmp_path):
    other = clone(two_pipelines, tmp_path / "other")
    shutil.rmtree(tmp_path / "store")
    assert "failed to pull" in pull(other, check=False)


def test_metrics_and_plots_show_in_a_clone_without_cache_or_remote(project, tmp_path):
    folder = clone(project, tmp_path / "fresh")
    assert "mean_iou" in dvc(folder, "metrics", "show")
    dvc(folder, "plots", "show", "--out", str(tmp_path / "page"))
    assert (tmp_path / "page/index.html").exists()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the project's Git history")
@pytest.mark.parametrize("pipeline", ["dvc.yaml", "ci/dvc.yaml"])
def test_the_committed_result_is_of_the_committed_code_and_params(pipeline, tmp_path):
    plan = dvc(clone(ROOT, tmp_path / "fresh"), "repro", "--dry", "--allow-missing", pipeline)
    assert "Running stage" not in plan, f"run `dvc repro {pipeline}` and commit:\n{plan}"
    assert "up to date" in plan


def test_status_shows_a_stage_for_every_file_and_param_it_declares_and_for_nothing_else(copy):
    def changed():
        status = json.loads(dvc(copy, "status", "--json"))
        shown = {stage: {} for stage in STAGES}
        for stage, parts in status.items():
            for part in parts:
                shown[stage] |= part["changed deps"]
        return shown

    def append(names):
        for name in names:
            with open(copy / name, "a") as file:
                file.write("\n")

    append(["README.md", "Makefile", "pyproject.toml", ".gitignore"])
    append(
        [
            "maskline/cli/main.py",
            "maskline/comparison/text.py",
            "maskline/comparison/revisions.py",
            "maskline/verification/judgement.py",
        ]
    )
    assert not any(changed().values())
    append(path for part in ("maskline", "stages") for path in copy.glob(f"{part}/**/*") if path.suffix in CODE)
    set_params(copy, {key: "another" for key in leaves(Params) if key != "repo"})
    shown = changed()
    for stage, entry in STAGES.items():
        files = {dep.removeprefix("${repo}/") for dep in entry["deps"] if dep.startswith("${repo}/")}
        assert files == {name for name in shown[stage] if name.startswith(("maskline", "stages"))}
        assert set(entry["params"]) - {"repo"} == set(shown[stage]["params.yaml"])


@pytest.mark.parametrize("name", ["download", "preprocess", "train", "evaluate", "report"])
def test_every_stage_has_help(name, project):
    assert f"usage: stages/{name}.py" in run(project, "python", f"stages/{name}.py", "--help")
