"""A user's own files are dependencies of download, as DVC sees them: in any place, in every kind of run."""

import json
import os
import shutil
from pathlib import Path

import pytest
from project import ROOT, clone, commit, copy_of, create, dvc, git, hold_up_to_date, photos, set_params, stale

from maskline.datasets.links import linked_folders, report_links
from maskline.files.yaml12 import read_yaml

PIPELINES = [folder for folder in (ROOT, ROOT / "ci") if folder.exists()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """The project, held up to date, in a folder with images next to it and in it."""
    around = tmp_path_factory.mktemp("own")
    images = photos(around / "meine Bilder é", 2)
    folder = create(around / "project", f"../{images.name}")
    shutil.copytree(images, folder / "fotos")
    (around / "link").symlink_to(images.name)
    hold_up_to_date(folder)
    commit(folder, "The first result")
    return folder


@pytest.fixture
def project(recorded, tmp_path):
    """A copy of it, and of the images next to it."""
    return copy_of(recorded.parent, tmp_path / "own") / "project"


def accept(folder: Path) -> None:
    """Let DVC record params and dependencies as they are now."""
    dvc(folder, "commit", "--force", "--quiet")


def edit(folder: Path) -> None:
    with open(folder / "masks" / "photo 00 é.png", "ab") as file:
        file.write(b"edited")


CHANGES = {
    "changed": edit,
    "added": lambda folder: shutil.copy(folder / "images" / "photo 00 é.jpg", folder / "images" / "new.jpg"),
    "removed": lambda folder: (folder / "masks" / "photo 01 é.png").unlink(),
    "renamed": lambda folder: (folder / "masks" / "photo 01 é.png").rename(folder / "masks" / "photo 02 é.png"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_status_names_download_after_a_file(change, project):
    images = project.parent / "meine Bilder é"
    CHANGES[change](images)
    changed = [{"changed deps": {str(images): "modified"}}]
    assert json.loads(dvc(project, "status", "--json")) == {"download": changed}


def test_a_file_written_again_with_the_same_bytes_is_no_change(project):
    for file in (project.parent / "meine Bilder é").rglob("*.png"):
        content = file.read_bytes()
        file.unlink()
        file.write_bytes(content)
    assert stale(project) == set()


@pytest.mark.parametrize("path", ["absolute", "../link", "fotos"])
def test_the_path_may_be_absolute_or_relative_to_the_folder_of_params(path, project):
    folder = project.parent / "meine Bilder é" if path == "absolute" else project / path
    set_params(project, {"dataset.path": str(folder) if path == "absolute" else path})
    accept(project)
    assert stale(project) == set()
    edit(folder)
    assert stale(project) == {"download"}


def test_status_names_download_after_the_weights_file(project):
    weights = project.parent / "meine Gewichte.h5"
    weights.write_bytes(b"1")
    set_params(project, {"model.encoder_weights": str(weights)})
    accept(project)
    assert stale(project) == set()
    weights.write_bytes(b"2")
    assert stale(project) == {"download"}


@pytest.mark.parametrize("weights", ["none", "imagenet"])
def test_without_files_of_ones_own_the_lock_names_no_place_of_this_machine(weights, project):
    set_params(project, {"dataset.name": "shapes", "dataset.path": "none", "model.encoder_weights": weights})
    accept(project)
    assert stale(project) == set()
    deps = {dep["path"] for dep in read_yaml(project / "dvc.lock")["stages"]["download"]["deps"]}
    assert {"none", weights} <= deps
    assert not [dep for dep in deps if os.path.isabs(dep)]


@pytest.mark.parametrize("folder", PIPELINES, ids=str)
def test_every_pipeline_has_the_files_that_stand_for_no_file(folder):
    for name in ("none", "imagenet"):
        assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
        assert git(ROOT, "ls-files", "--", os.path.relpath(folder / name, ROOT))


@pytest.mark.slow
def test_a_pipeline_in_another_folder_resolves_paths_from_there(project):
    folder = project / "projects" / "mine"
    folder.mkdir(parents=True)
    for name in ("dvc.yaml", "params.yaml", "none", "imagenet", "baseline.json"):
        shutil.copy(project / name, folder / name)
    set_params(folder, {"repo": "../..", "dataset.path": "../../../meine Bilder é"})
    hold_up_to_date(folder)
    assert stale(project) == set()
    edit(project.parent / "meine Bilder é")
    assert stale(project) == {"download", "projects/mine/dvc.yaml:download"}


SLOW = [pytest.param(path, marks=pytest.mark.slow) for path in ("../nowhere", "~/nowhere")]


@pytest.mark.parametrize("path", ["/nowhere/images", None, *SLOW])
def test_a_missing_folder_stops_with_its_name_and_outputs_come_back(path, project):
    set_params(project, {"dataset.path": path})
    output = dvc(project, "repro", "download", check=False)
    assert f"No such file or directory: '{os.path.normpath(project / str(path))}'" in output
    assert "Traceback" not in output
    git(project, "checkout", "params.yaml", "dvc.lock")
    dvc(project, "checkout")
    assert "up to date" in dvc(project, "repro", "--dry", "report")


@pytest.mark.slow
def test_a_folder_that_dvc_tracks_is_pulled_with_the_result(project, tmp_path):
    shutil.copytree(project / "fotos", project / "tracked")
    dvc(project, "add", "--quiet", "tracked")
    set_params(project, {"dataset.path": "tracked"})
    accept(project)
    dvc(project, "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    commit(project, "My images")
    dvc(project, "push", "--quiet")
    other = clone(project, tmp_path / "other")
    dvc(other, "pull", "--quiet")
    assert stale(other) == set()
    edit(other / "tracked")
    assert stale(other) == {"download", "tracked.dvc"}


@pytest.mark.slow
def test_on_a_machine_without_the_images_the_result_is_still_up_to_date(project, tmp_path):
    dvc(project, "remote", "add", "--quiet", "--default", "store", str(tmp_path / "store"))
    commit(project, "A remote")
    dvc(project, "push", "--quiet")
    other = clone(project, project.parent / "other")
    dvc(other, "pull", "--quiet")
    (project.parent / "meine Bilder é").rename(tmp_path / "away")
    assert stale(other) == {"download"}
    assert "up to date" in dvc(other, "repro", "--allow-missing", "--dry")


def test_links_to_folders_are_reported(tmp_path, capfd):
    images = photos(tmp_path / "images", 1)
    report_links(images)
    assert capfd.readouterr().err == ""
    (images / "images" / "more").symlink_to(photos(tmp_path / "elsewhere", 1))
    (images / "masks" / "photo 01.png").symlink_to(images / "masks" / "photo 00 é.png")
    (images / "here").symlink_to(images / "masks")
    assert linked_folders(images) == [images / "here", images / "images" / "more"]
    report_links(images)
    err = capfd.readouterr().err
    assert err.startswith(f"{images / 'here'} and 1 more is a link to a folder") and err.count("\n") == 1


@pytest.mark.slow
def test_an_edited_mask_runs_download_again_and_what_depends_on_it(tmp_path):
    images = photos(tmp_path / "my images é")
    folder = create(tmp_path / "project", images)
    dvc(folder, "repro", "preprocess")
    commit(folder, "The shards")
    other = shutil.copytree(images, tmp_path / "other images")
    shutil.copy(images / "masks" / "photo 01 é.png", images / "masks" / "photo 00 é.png")
    output = dvc(folder, "repro", "preprocess")
    assert "Running stage 'download'" in output and "Running stage 'preprocess'" in output
    assert "up to date" in dvc(folder, "repro", "preprocess")
    output = dvc(folder, "exp", "run", "--set-param", f"dataset.path='{other}'", "preprocess")
    assert "Running stage 'download'" in output
    output = dvc(folder, "exp", "run", "--set-param", f"dataset.path='{images}'", "preprocess")
    assert "Stage 'download' is cached" in output and "Stage 'preprocess' is cached" in output
    dvc(folder, "exp", "run", "--temp", "--name", "beside", "--set-param", f"dataset.path='{other}'", "preprocess")
    assert "beside" in dvc(folder, "exp", "list")
