"""`maskline compare` as it is typed, in a Git repository with DVC, its cache and a remote."""

import contextlib
import json
import os
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from dvc.repo import Repo
from project import ROOT, clone, commit, dvc, git, initialize
from simulated import EASY, NAMES, simulated, truths

import maskline
from maskline.cli.main import main
from maskline.contracts.about import About
from maskline.errors import ArtifactError, InputError
from maskline.files.artifacts import npz_bytes
from maskline.files.checksums import write_sums
from maskline.files.records import write_record

# DVC 3.67 itself uses what its library pygtrie is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

PIPELINE = """
stages:
  evaluate:
    cmd: mkdir -p data && rm -rf data/evaluation && cp -r result data/evaluation
    deps: [result]
    outs: [data/evaluation]
"""


def write_result(folder, seed, gain=0.0, images=30, **about):
    """Write what evaluate leaves: the counts of a model that is right at `gain` more of the pixels."""
    rng = np.random.default_rng(0)
    truth, accuracy = truths(images, rng), rng.normal(EASY, 0.05, images)
    matrices = simulated(truth, accuracy + gain, np.random.default_rng(seed))
    arrays = {"filenames": np.array([f"{i} é.png" for i in range(images)]), "matrices": matrices}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "counts.npz").write_bytes(npz_bytes(arrays | {"void": np.zeros(images, np.int64)}))
    same = {"test_split": "1" * 64, "resolution": "model"}
    other = {"shards": "2" * 64, "inference": {}, "versions": {}, "conventions": {}}
    write_record(folder / "about.json", About.model_validate({"classes": NAMES} | same | other | about))
    write_sums(folder)


def repro(project, name, place="."):
    """Run the pipeline in this process, which spares DVC's start, and commit and tag its result."""
    with contextlib.chdir(project / place), Repo() as repo:
        repo.reproduce()
    commit(project, name)
    git(project, "tag", name)


def result(project, name, place=".", **choice):
    """Give the pipeline another result."""
    write_result(project / place / "result", **choice)
    repro(project, name, place)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A repository with a tag for each result; the remote came after all of them."""
    folder = tmp_path_factory.mktemp("project")
    store = tmp_path_factory.mktemp("store")
    initialize(folder)
    (folder / ".gitignore").write_text("data/\n")
    for place in (folder, folder / "ci"):
        place.mkdir(exist_ok=True)
        (place / "dvc.yaml").write_text(PIPELINE)
    write_result(folder / "result", 1)
    commit(folder, "Never run")
    git(folder, "tag", "unrun")
    result(folder, "plain", seed=1)
    result(folder, "again", seed=2)
    result(folder, "good", seed=3, gain=0.1)
    result(folder, "other", seed=1, classes=["sky", "tree", "car"])
    result(folder, "small", place="ci", seed=1, images=8)
    (folder / "result/counts.npz").write_bytes(b"PK no more")
    write_sums(folder / "result")
    repro(folder, "damaged")
    (folder / "result/counts.npz").rename(folder / "result/confusion.npz")
    repro(folder, "old")
    result(folder, "last", seed=1)
    remote = ("remote", "add", "--quiet", "--default", "store", str(store))
    dvc(folder, *remote, "--local")  # of all commits, so that push sees it in each
    dvc(folder, "push", "--quiet", "--all-commits")
    (folder / ".dvc/config.local").unlink()
    dvc(folder, *remote)
    commit(folder, "A remote")
    return folder


@pytest.fixture
def compare(project, monkeypatch, capsys):
    """Return a function that compares in a folder and gives what was printed, or the sentence of a refusal."""

    def run(*arguments, folder=project):
        monkeypatch.chdir(folder)
        try:
            main(["compare", *arguments])
        except SystemExit as stop:
            printed = capsys.readouterr()
            assert (printed.out, printed.err) == ("", "")
            return stop.code
        printed = capsys.readouterr()
        assert printed.err == ""
        return printed.out

    return run


def verdict(text, metric):
    return json.loads(text)["metrics"][metric]["verdict"]


def test_two_revisions_are_told_apart_or_not(compare, project):
    text = compare("plain", "good")
    commits = [git(project, "rev-parse", "--short=7", f"{tag}^{{commit}}").strip() for tag in ("plain", "good")]
    assert text.startswith(f"A is plain ({commits[0]}), B is good ({commits[1]}), on 30 test images.\n")
    assert [line.split()[-1] for line in text.splitlines() if line.startswith(("mean_iou", "iou.sky"))] == [
        "better"
    ] * 2
    swapped = compare("good", git(project, "rev-parse", "plain").strip(), "--json")
    assert (json.loads(swapped)["b"], verdict(swapped, "mean_iou")) == (commits[0], "worse")
    assert verdict(compare("plain", "again", "--json"), "mean_iou") == "can't tell"
    assert verdict(compare("plain", "last", "--json"), "mean_iou") == "the same"


def test_the_options_reach_the_bootstrap_and_the_table(compare):
    said = json.loads(compare("plain", "good", "--json", "--seed", "7", "--resamples", "1234"))
    assert (said["seed"], said["resamples"], said["images"]) == (7, 1234, 30)
    assert "\n| `mean_iou` " in compare("plain", "good", "--md")


def test_one_revision_is_compared_with_the_workspace(compare, project, tmp_path):
    folder = clone(project, tmp_path / "copy")
    dvc(folder, "cache", "dir", "--local", str(project / ".dvc/cache"))
    before = compare("good", "--json", folder=folder)  # nothing is checked out: what dvc.lock records
    assert (json.loads(before)["b"], verdict(before, "mean_iou")) == ("workspace", "worse")
    write_result(folder / "data/evaluation", 4, gain=0.2)
    assert verdict(compare("good", "--json", folder=folder), "mean_iou") == "better"


def test_an_experiment_is_a_revision(compare, project, tmp_path):
    folder = clone(project, tmp_path / "copy")
    dvc(folder, "cache", "dir", "--local", str(project / ".dvc/cache"))
    write_result(folder / "result", 5, gain=0.1)
    dvc(folder, "exp", "run", "--quiet", "--name", "tried")
    git(folder, "checkout", "--quiet", ".")
    assert verdict(compare("plain", "tried", "--json", folder=folder), "mean_iou") == "better"


def test_a_folder_below_has_a_pipeline_of_its_own(compare, project):
    ways = [
        compare("small", "last", "--json", "--folder", "ci"),
        compare("small", "last", "--json", folder=project / "ci"),
    ]
    assert ways[0] == ways[1]
    assert json.loads(ways[0])["images"] == 8


def test_a_clone_reads_the_remote_and_stays_as_it_was(compare, project, tmp_path):
    folder = clone(project, tmp_path / "fresh")
    assert compare("plain", "good", folder=folder) == compare("plain", "good")
    assert git(folder, "status", "--porcelain") == ""
    assert not (folder / "data").exists()


def test_without_cache_and_remote_it_says_what_gets_the_counts(compare, project, tmp_path):
    folder = clone(project, tmp_path / "fresh")
    dvc(folder, "remote", "modify", "store", "url", str(tmp_path / "store"))
    assert compare("plain", "good", folder=folder) == (
        "maskline: plain: data/evaluation is not in DVC's cache nor in the remote store; get it with `git switch "
        "--detach plain`, then `dvc pull data/evaluation` or `dvc repro dvc.yaml:evaluate`."
    )
    dvc(folder, "remote", "remove", "store")
    assert compare("workspace", "good", "--folder", "ci", folder=folder) == (
        "maskline: workspace: ci/data/evaluation is not in DVC's cache and no default remote is set; get it with "
        "`dvc pull ci/data/evaluation` or `dvc repro ci/dvc.yaml:evaluate`."
    )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["plain", "other"], "different classes. Received: sky, tree, crème brûlée and sky, tree, car; compare"),
        (["plain", "nowhere"], "Git has no revision nowhere; `git branch --all` lists the branches."),
        (
            ["unrun", "plain"],
            "unrun: data/evaluation is not in dvc.lock; run `git switch --detach unrun`, then `dvc repro",
        ),
        (["plain", "old"], "old: data/evaluation has no counts.npz, because older code wrote it; run"),
        (["damaged", "plain"], "damaged: data/evaluation is damaged: "),
        (["plain", "--folder", "docs"], "plain has no docs/dvc.yaml; name the folder of a pipeline with --folder."),
        (["plain", "--folder", ".."], "Received: .."),
        (["plain", "good", "last"], "compare takes two revisions, or the runs of one side, --against, and those"),
        (["plain", "--against", "good"], ") has no seed in its dvc.lock; run `dvc repro` there"),
    ],
)
def test_a_refusal_is_one_sentence(compare, arguments, sentence):
    said = compare(*arguments)
    assert said.startswith("maskline: ")
    assert sentence in said
    assert "\n" not in said


def test_outside_of_a_repository_it_says_so(compare, tmp_path):
    assert compare("main", folder=tmp_path) == (
        f"maskline: {tmp_path} is not in a DVC repository; run the command in the project's folder."
    )


def run(project, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "maskline", *arguments], cwd=project, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": f"{project / 'poison'}{os.pathsep}{ROOT}"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def poison(project):
    """Stop whoever imports TensorFlow, which would cost ten times the comparison."""
    (project / "poison/tensorflow").mkdir(parents=True)
    (project / "poison/tensorflow/__init__.py").write_text("raise SystemExit('tensorflow was imported')")


@pytest.mark.usefixtures("poison")
def test_the_module_runs_without_tensorflow_and_fails_loudly(project):
    done = run(project, "compare", "plain", "good")
    assert (done.returncode, done.stderr) == (0, "")
    assert "better" in done.stdout
    refused = run(project, "compare", "plain", "other")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("maskline: plain (")


@pytest.mark.usefixtures("poison")
def test_help_has_an_example_and_wrong_options_are_told(project):
    assert "maskline compare main my-branch" in run(project, "compare", "--help").stdout
    assert "compare" in run(project, "--help").stdout
    wrong = run(project, "compare", "plain", "--resamples", "99")
    assert wrong.returncode == 2
    assert "must be a whole number of at least 1000. Received: 99" in wrong.stderr
    assert run(project, "compare", "plain", "--md", "--json").returncode == 2
    assert run(project, "wrong").returncode == 2


@pytest.mark.usefixtures("poison")
def test_without_a_command_it_prints_the_help_or_its_version(project):
    bare = run(project)
    assert (bare.returncode, bare.stdout) == (0, run(project, "--help").stdout)
    version = run(project, "--version")
    assert (version.returncode, version.stdout) == (0, f"maskline {maskline.__version__}\n")


def test_the_console_script_is_this_command():
    script = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["maskline"]
    module, function = script.split(":")
    assert getattr(import_module(module), function) is main
    assert Path(import_module(module).__file__) == ROOT / "maskline/cli/main.py"


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (
            OSError(28, "No space left on device", "a b"),
            "the disk is full while writing a b; free some space and try again.",
        ),
        (PermissionError(13, "Permission denied", "x"), "no permission for x; change its owner or mode and try again."),
        (InputError("\x1b[31mred\u2028 is missing."), "\\x1b[31mred\\u2028 is missing."),
        (ArtifactError("a", "is missing"), "a is missing; check its name and --folder, or make it again."),
        (
            ZeroDivisionError("by zero"),
            "an unexpected error stopped the work (ZeroDivisionError: by zero); please report it with the traceback in "
            "maskline.log.",
        ),
    ],
)
def test_any_error_of_a_command_is_one_sentence(raised, sentence, tmp_path, monkeypatch, capsys):
    def fail(options):
        raise raised

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maskline.cli.verify._run", fail)
    with pytest.raises(SystemExit) as stop:
        main(["verify"])
    assert stop.value.code == f"maskline: {sentence}"
    assert (tmp_path / "maskline.log").exists() == isinstance(raised, ZeroDivisionError)


@pytest.mark.parametrize("command", [["verify"], ["compare", "plain"], ["experiments"]])
def test_without_git_it_is_one_sentence(command, project, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "maskline", *command], cwd=project, text=True, capture_output=True,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr and "unexpected" not in done.stderr
    if done.returncode:
        assert done.stderr.startswith("maskline: ") and done.stderr.count("\n") == 1
