"""A project from a folder of photos to its report, as a user makes it: planned, run, run again, and changed."""

import json
import shutil
import sys

import pytest
from project import ROOT, commit, create, dvc, git, photos, run, set_params

from maskline.files.yaml12 import read_yaml

MINE = "projects/mine"
pytestmark = pytest.mark.slow


def maskline(folder, *arguments, **options):
    return run(folder, sys.executable, "-m", "maskline", *arguments, **options)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return photos(tmp_path_factory.mktemp("own") / "my photos é", 24)


@pytest.fixture(scope="module")
def repository(tmp_path_factory, images):
    """A copy of the project with a project of the photos that was planned, run and committed."""
    folder = create(tmp_path_factory.mktemp("maskline") / "maskline", images)
    shutil.copy(ROOT / "params.yaml", folder / "params.yaml")  # the defaults
    commit(folder, "The defaults")
    maskline(folder, "plan", str(images), "--minutes", "0.1", "--write", MINE)
    dvc(folder, "repro", f"{MINE}/dvc.yaml")
    commit(folder, "My project")
    return folder


def test_the_plan_chose_every_param_that_the_run_needs(repository, images):
    params = read_yaml(repository / MINE / "params.yaml")
    assert (params["dataset"]["name"], params["dataset"]["path"]) == ("folder", str(images))
    assert 2 <= len(params["dataset"]["classes"]) <= 3
    assert "mean_iou" in json.loads((repository / MINE / "metrics/evaluation.json").read_text())
    assert (repository / MINE / "metrics/report.html").exists()


def test_only_its_small_files_are_in_git_and_the_root_is_as_it_was(repository):
    tracked = set(git(repository, "ls-files", MINE).splitlines())
    assert {f"{MINE}/{name}" for name in ("dvc.yaml", "params.yaml", "dvc.lock", "baseline.json")} <= tracked
    assert not [name for name in tracked if name.startswith(f"{MINE}/data/")]
    assert git(repository, "status", "--porcelain") == ""
    assert not (repository / "dvc.lock").exists() and not (repository / "metrics").exists()


def test_run_again_it_does_nothing_and_no_metric_differs(repository):
    assert "up to date" in dvc(repository, "repro", f"{MINE}/dvc.yaml")
    assert "up to date" in run(repository / MINE, "dvc", "repro")
    assert MINE not in dvc(repository, "metrics", "diff")


def test_the_commands_take_its_folder(repository, images, tmp_path):
    assert "B is workspace, on 7 test images" in maskline(repository, "compare", "HEAD", "--folder", MINE)
    assert "workspace" in maskline(repository, "experiments", "--folder", MINE)
    assert "is up to date" in maskline(repository, "plan", "--update", MINE)
    model = f"{MINE}/data/model/model.keras"
    maskline(repository, "predict", model, str(images / "images"), "-o", str(tmp_path / "out"))
    assert len(list((tmp_path / "out/labels").iterdir())) == 24
    made = run(repository, "make", "--old-file=.venv/bin/maskline", "repro", f"FOLDER={MINE}", check=True)
    assert f"report    {repository / MINE / 'metrics/report.html'}" in made


def test_its_model_is_exported_and_the_file_scores_as_the_model(repository, tmp_path):
    model, out = f"{MINE}/data/model/model.keras", str(tmp_path / "model.onnx")
    limits = ("--max-drop", "0.05", "--max-class-drop", "0.1")  # the model's own precision may be mixed
    assert f"written   {out}" in maskline(
        repository, "export", model, "--format", "onnx", "-o", out, "--folder", MINE, *limits
    )
    assert "mean_iou" in maskline(repository, "check", out, "--folder", MINE, *limits)


def test_an_edited_mask_runs_download_again(repository, images, tmp_path):
    folder = shutil.copytree(repository, tmp_path / "maskline", symlinks=True, ignore=shutil.ignore_patterns("tmp"))
    own = shutil.copytree(images, tmp_path / "own")
    set_params(folder / MINE, {"dataset.path": str(own)})
    dvc(folder, "commit", "--force", "--quiet", f"{MINE}/dvc.yaml")
    assert json.loads(dvc(folder, "status", "--json", f"{MINE}/dvc.yaml")) == {}
    shutil.copy(own / "masks/photo 01 é.png", own / "masks/photo 00 é.png")
    assert set(json.loads(dvc(folder, "status", "--json", f"{MINE}/dvc.yaml"))) == {f"{MINE}/dvc.yaml:download"}
    assert "Running stage 'projects/mine/dvc.yaml:download'" in dvc(folder, "repro", "--dry", f"{MINE}/dvc.yaml")


def test_a_project_of_an_older_version_says_what_renews_it(repository, tmp_path):
    folder = shutil.copytree(repository, tmp_path / "maskline", symlinks=True, ignore=shutil.ignore_patterns("tmp"))
    path = folder / MINE / "dvc.yaml"
    path.write_text(path.read_text().replace("# The folder", "# A folder"))
    output = dvc(folder, "repro", "--force", f"{MINE}/dvc.yaml:report", "--single-item", check=False)
    assert f"run `maskline plan --update {MINE}` in {folder}" in output
    assert "replaced by this version's" in maskline(folder, "plan", "--update", MINE)
    assert path.read_bytes() == (folder / "dvc.yaml").read_bytes()
