"""Projects: the root's pipeline with params of their own, which an update renews without touching the user's values."""

import shutil
import subprocess
from pathlib import Path

import pytest
from fake_plan import root_files
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from maskline.errors import InputError
from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
from maskline.planning.params_text import _without, with_keys_of, with_values, written
from maskline.planning.project import check_new, path_for, project_root, update_project, write_project

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
CHOSEN = {
    "dataset.name": "folder",
    "dataset.path": "/data/meine Bilder é",
    "dataset.classes": ["sky", "crème brûlée", "no"],
    "dataset.values": [0, [1, 2], 7],
    "dataset.void": [255],
    "dataset.group": "^(.+)_[0-9]+",
    "preprocess.height": 96,
    "train.learning_rate": 1e-05,
    "evaluate.scales": [1.0, 0.5],
    "evaluate.window": 256,
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The files of the project's root that a project is made of, as the current folder."""
    folder = root_files(tmp_path / "maskline")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def mine(root):
    folder = Path("projects/mine")
    write_project(folder, root, CHOSEN)
    return folder


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_project_is_the_roots_pipeline_with_its_own_params(root, mine):
    assert sorted(path.name for path in mine.iterdir()) == [
        "baseline.json",
        "dvc.yaml",
        "imagenet",
        "none",
        "params.yaml",
    ]
    for name in ("dvc.yaml", "none", "imagenet"):
        assert (mine / name).read_bytes() == (root / name).read_bytes()
    assert dict(leaves(read_yaml(mine / "params.yaml"))) == dict(leaves(read_yaml(root / "params.yaml"))) | CHOSEN | {
        "repo": "../.."
    }


def test_its_params_have_every_comment(mine):
    comments = [line.partition("  #")[2] for line in TEXT.splitlines()[1:] if "  #" in line]
    text = (mine / "params.yaml").read_text()
    assert all(comment in text for comment in comments)


def test_every_value_is_written_as_dvc_sets_it(mine, tmp_path):
    """So that `-S` changes one line afterwards."""
    from dvc.utils.serialize import modify_yaml

    before = (mine / "params.yaml").read_text()
    with modify_yaml(mine / "params.yaml") as values:
        values["train"]["epochs"] = 3
    after = (mine / "params.yaml").read_text()
    changed = [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]
    assert [new.split("#")[0].strip() for _, new in changed] == ["epochs: 3"]


def test_nothing_is_left_where_the_params_are_not_valid(root):
    with pytest.raises(InputError, match=r"projects/mine/params.yaml: preprocess.height must be at least 16"):
        write_project(Path("projects/mine"), root, {"preprocess.height": 3})
    assert not list(Path("projects").iterdir())


def test_a_project_is_never_written_over(root, mine):
    before = (mine / "params.yaml").read_bytes()
    with pytest.raises(InputError, match=r"projects/mine holds a project.*`maskline plan --update projects/mine`"):
        write_project(mine, root, {})
    assert (mine / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("place", ["notes", "file"])
def test_what_is_not_an_empty_folder_is_left_alone(root, place):
    Path("notes").mkdir()
    for name in ("notes/mine.txt", "file"):
        Path(name).write_text("mine")
    with pytest.raises(InputError, match=f"^{place} exists and is not an empty folder"):
        write_project(Path(place), root, {})
    assert Path("notes/mine.txt").read_text() == Path("file").read_text() == "mine"


@pytest.mark.parametrize("place", [".", "..", "../other", "/tmp/other"])
def test_a_project_lies_inside_the_repository(root, place):
    with pytest.raises(InputError, match="a project must be a folder inside"):
        check_new(Path(place), root)


def test_the_root_is_found_from_a_project(root, mine, monkeypatch):
    monkeypatch.chdir(mine)
    assert project_root() == root
    monkeypatch.chdir(root.parent)
    with pytest.raises(InputError, match="is not in a copy of maskline's repository"):
        project_root()


def test_a_project_that_is_up_to_date_is_not_changed(root, mine):
    before = {path: path.read_bytes() for path in mine.iterdir()}
    assert update_project(mine, root) == []
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


def test_an_update_renews_the_pipeline_and_adds_params_with_their_comments(root, mine):
    edit(mine / "params.yaml", "seed: 1                        # seed of", "seed: 7   # mine: seed of")
    expected = (mine / "params.yaml").read_text()
    for path in (mine / "params.yaml", root / "params.yaml"):
        text = path.read_text()
        line = next(line for line in text.splitlines() if "unseen:" in line)
        path.write_text(text.replace(line + "\n", ""))
    edit(root / "params.yaml", "\npreprocess:\n", "  # how\n  unseen: refuse   # new\n\npreprocess:\n")
    edit(root / "dvc.yaml", "# The folder", "# A folder")
    assert update_project(mine, root) == [
        "projects/mine/params.yaml: dataset.unseen is new; its value is refuse",
        "projects/mine/dvc.yaml: replaced by this version's",
    ]
    assert (mine / "dvc.yaml").read_bytes() == (root / "dvc.yaml").read_bytes()
    updated = (mine / "params.yaml").read_text()
    assert "  # how\n  unseen: refuse   # new\n\npreprocess:\n" in updated
    assert updated.replace("  # how\n  unseen: refuse   # new\n", "") == "".join(
        line for line in expected.splitlines(keepends=True) if "unseen:" not in line
    )
    assert update_project(mine, root) == []


def test_an_update_takes_out_keys_that_are_gone_and_says_their_values(root, mine):
    before = (mine / "params.yaml").read_text()
    edit(mine / "params.yaml", "  limit:  ", "  # of old\n  old:\n  - 1\n  - two\n  limit:  ")
    assert update_project(mine, root) == [
        "projects/mine/params.yaml: dataset.old no longer exists; its value was [1, two]"
    ]
    assert (mine / "params.yaml").read_text() == before


def test_an_update_that_cannot_be_valid_changes_nothing(root, mine):
    edit(mine / "params.yaml", "preprocess:\n  height: 96 ", "preprocess:\n  height: 3 ")
    edit(root / "dvc.yaml", "# The folder", "# A folder")
    before = {path: path.read_bytes() for path in mine.iterdir()}
    with pytest.raises(InputError, match=r"projects/mine/params.yaml: preprocess.height must be at least 16"):
        update_project(mine, root)
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


def test_an_update_gives_a_recipe_that_nobody_ran_its_pipeline(root, mine):
    before = {path: path.read_bytes() for path in mine.iterdir()}
    for name in ("dvc.yaml", "none", "imagenet"):
        (mine / name).unlink()
    assert update_project(mine, root) == [f"projects/mine/{name}: is new" for name in ("dvc.yaml", "none", "imagenet")]
    assert {path: path.read_bytes() for path in mine.iterdir()} == before


def test_an_update_leaves_other_params_than_a_projects(root, mine):
    (mine / "dvc.yaml").unlink()
    (mine / "baseline.json").unlink()
    with pytest.raises(InputError, match="is not a project"):
        update_project(mine, root)


@pytest.mark.parametrize("place", [".", "nowhere", "stages"])
def test_only_a_project_is_updated(root, place):
    with pytest.raises(InputError, match="is not a project"):
        update_project(Path(place), root)


@settings(max_examples=10)
@given(st.sets(st.sampled_from([key for key, _ in leaves(read_yaml(ROOT / "params.yaml"))]), min_size=1))
def test_params_without_keys_get_them_back_as_they_were(keys):
    text = TEXT
    for key in keys:
        text = _without(text, key)
    updated, new, gone = with_keys_of(text, TEXT)
    assert (updated, set(new), gone) == (TEXT, keys, [])


def test_a_whole_section_comes_back():
    start = TEXT.index("augment:")
    end = TEXT.index("\ntrain:")
    updated, new, _ = with_keys_of(TEXT[:start] + TEXT[end + 1 :], TEXT)
    assert updated == TEXT and new[0] == "augment"


@given(st.lists(st.text("a,:#[]{}'- 1~é", max_size=6) | st.sampled_from(["null", "yes", 'a "b"', "1e3"]), max_size=3))
def test_values_on_one_line_are_yaml(names):
    assert YAML(typ="safe").load(written(names)) == names
    assert [YAML(typ="safe").load(written(name)) for name in names] == names


def test_an_unknown_key_is_a_defect():
    with pytest.raises(KeyError):
        with_values(TEXT, {"train.epoch": 3})


def test_a_path_is_relative_only_where_every_clone_has_it(root):
    folder = Path("projects/mine")
    images = root / "data/own/cells"
    images.mkdir(parents=True)
    assert path_for(Path("data/own/cells"), folder, root) == str(images)
    assert path_for(Path("../elsewhere"), folder, root) == str(root.parent / "elsewhere")
    (root / "data/own/cells.dvc").write_text("")
    assert path_for(images, folder, root) == "../../data/own/cells"
    assert path_for(images / "part", folder, root) == "../../data/own/cells/part"
    tracked = root / "photos"
    tracked.mkdir()
    (tracked / "1.png").write_bytes(b"1")
    subprocess.run(["git", "add", "photos"], cwd=root, check=True)
    assert path_for(tracked, folder, root) == "../../photos"
    (tracked / "2.png").write_bytes(b"2")
    assert path_for(tracked, folder, root) == str(tracked)


def test_a_path_is_absolute_where_there_is_no_repository(root):
    shutil.rmtree(root / ".git")
    assert path_for(Path("none"), Path("projects/mine"), root) == str(root / "none")


@pytest.mark.parametrize("path", ["projects/mine/data/raw", "projects/mine/dvc_plots/x", "data/own/cells/1.png"])
def test_git_ignores_the_data_of_projects(path):
    assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 0


@pytest.mark.parametrize("path", ["projects/mine/params.yaml", "projects/mine/metrics/x.json", "data/own/cells.dvc"])
def test_git_keeps_what_a_project_is(path):
    assert subprocess.run(["git", "check-ignore", "--quiet", path], cwd=ROOT).returncode == 1


def test_params_of_a_project_are_checked_as_every_stage_does(mine):
    assert check_params(read_yaml(mine / "params.yaml"), mine).dataset.classes == CHOSEN["dataset.classes"]
