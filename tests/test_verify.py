"""`maskline verify`: the judgement of each output, and the command in a small Git repository with DVC."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc.repo import Repo
from project import ROOT, commit, dvc, git, initialize

from maskline.cli.main import main
from maskline.verification import clone
from maskline.verification.judgement import TOLERANCE, Output, as_text, judge, largest_change

# DVC 3.67 itself uses what its library pygtrie is about to drop.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")

FIGURES = {"images": 96, "mean_iou": 0.9, "iou.ring": None, "nested": {"mean_iou": {"low": 0.8}}}
PIPELINE = """
stages:
  train:
    cmd: python train.py
    deps: [train.py, ../own]
    outs: [data/model]
    metrics:
      - metrics/evaluation.json:
          cache: false
"""
# NOISE is the machine's, as an instruction set is: DVC knows nothing of it.
TRAIN = """
import json, os, pathlib, time
noise = os.environ.get("NOISE", "0")
pathlib.Path("../own/photo").read_text()  # tracked by `dvc add`
for folder in ("data", "metrics"):
    pathlib.Path(folder).mkdir(exist_ok=True)
pathlib.Path("data/model").write_text(noise)
pathlib.Path("metrics/evaluation.json").write_text(json.dumps({"mean_iou": 0.75 + float(noise)}))
if "WAIT" in os.environ:
    pathlib.Path(os.environ["WAIT"]).write_text(str(os.getpid()))
    time.sleep(100)
"""


def outputs(**contents):
    """Return outputs by name, with the text itself as hash; `__` stands for a slash and `_json` for an ending."""
    names = {key: key.replace("__", "/").replace("_json", ".json").replace("_csv", ".csv") for key in contents}
    return {
        names[key]: Output(text, text.encode() if "." in names[key] else None)
        for key, text in contents.items()
        if text is not None
    }


def judgements(before, after):
    return {verdict.output: verdict.judgement for verdict in judge(outputs(**before), outputs(**after))}


def figures(**changes):
    return json.dumps(FIGURES | changes)


def test_equal_hashes_are_equal_and_the_model_follows_the_metrics():
    before = {"data__shards": "1", "data__model": "1", "metrics__evaluation_json": figures()}
    assert set(judgements(before, before).values()) == {"equal"}
    near = before | {"data__model": "2", "metrics__evaluation_json": figures(mean_iou=0.9 + TOLERANCE / 2)}
    assert judgements(before, near) == {
        "data/shards": "equal",
        "data/model": "within tolerance",
        "metrics/evaluation.json": "within tolerance",
    }
    far = before | {"data__model": "2", "metrics__evaluation_json": figures(mean_iou=0.9 + 2 * TOLERANCE)}
    assert judgements(before, far) == {
        "data/shards": "equal",
        "data/model": "different",
        "metrics/evaluation.json": "different",
    }


def test_a_table_is_within_tolerance_where_the_figures_are_and_its_form_is_the_same():
    before = {"metrics__evaluation_json": figures(), "metrics__sizes_csv": "size,iou\nsmall,0.5\n"}
    moved = before | {"metrics__sizes_csv": "size,iou\nsmall,0.9\n"}
    said = {verdict.output: verdict for verdict in judge(outputs(**before), outputs(**moved))}
    assert said["metrics/sizes.csv"] == ("metrics/sizes.csv", "within tolerance", "iou[1] by 0.4000")
    assert judgements(before, moved | {"metrics__evaluation_json": figures(mean_iou=0.5)}) == {
        "metrics/evaluation.json": "different",
        "metrics/sizes.csv": "different",
    }
    renamed = before | {"metrics__sizes_csv": "size,iou\nlarge,0.5\n"}
    assert judgements(before, renamed)["metrics/sizes.csv"] == "different"


def test_without_figures_nothing_vouches_for_the_model():
    assert judgements({"data__model": "1"}, {"data__model": "2"}) == {"data/model": "different"}


@pytest.mark.parametrize("name", ["data__raw", "data__weights", "data__shards"])
def test_what_no_rounding_can_change_must_be_equal(name):
    table = {"metrics__evaluation_json": figures()}
    assert set(judgements({name: "1"} | table, {name: "2"} | table).values()) == {"different", "equal"}


def test_the_audit_must_be_equal_though_it_is_a_table():
    changed = judgements({"metrics__dataset_json": figures()}, {"metrics__dataset_json": figures(mean_iou=0.9001)})
    assert changed == {"metrics/dataset.json": "different"}


def test_an_output_on_one_side_alone_is_different():
    table = {"metrics__evaluation_json": figures()}
    said = judge(outputs(data__old="1", **table), outputs(data__new="1", **table))
    assert [(v.output, v.judgement, v.reason) for v in said] == [
        ("data/old", "different", "is missing"),
        ("metrics/evaluation.json", "equal", ""),
        ("data/new", "different", "is new"),
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"images": 95}, "images is 95, was 96"),
        ({"iou.ring": 0.5}, "iou.ring is 0.5, was null"),
        ({"mean_iou": "high"}, 'mean_iou is "high", was 0.9'),
        ({"iou.dog": 0.9}, "iou.dog is in only one of the two"),
        ({"nested": {"mean_iou": {"low": 0.85}}}, "nested.mean_iou.low by 0.0500"),
    ],
)
def test_the_reason_names_the_figure(changes, reason):
    (verdict,) = judge(
        outputs(metrics__evaluation_json=figures()), outputs(metrics__evaluation_json=figures(**changes))
    )
    assert (verdict.judgement, verdict.reason) == ("different", reason)
    assert reason in as_text([verdict])


@pytest.mark.parametrize(
    ("row", "place"),
    [
        ("ring,ring,60,0.61", "share[2] by 0.0100"),
        ("ring,ring,65,0.6", "pixels[2] by"),
        ("ring,dog,60,0.6", 'predicted[2] is "dog", was "ring"'),
        ("ring,ring,60,", "share[2] is null, was 0.6"),
        ("ring,ring,60,0.6\nring,sky,1,0.0", "actual[3] is in only one of the two"),
    ],
)
def test_tables_are_compared_cell_by_cell(row, place):
    before = "actual,predicted,pixels,share\nsky,sky,40,0.4\nring,ring,60,0.6\n"
    after = before.replace("ring,ring,60,0.6", row)
    assert place in str(largest_change("confusion.csv", before.encode(), after.encode()))


def test_the_table_says_what_it_comes_to():
    said = judge(
        outputs(data__model="1", metrics__evaluation_json=figures()),
        outputs(data__model="2", metrics__evaluation_json=figures(mean_iou=0.901)),
    )
    text = as_text(said)
    assert "metrics/evaluation.json  within tolerance  mean_iou by 0.0010" in text
    assert text.endswith("Of 2 outputs: 0 equal, 2 within tolerance, 0 different.")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A repository with a committed result in ci/, whose cache the clone must not see."""
    folder = tmp_path_factory.mktemp("project é")
    initialize(folder)
    (folder / ".gitignore").write_text("data/\n")
    (folder / "ci").mkdir()
    (folder / "ci/dvc.yaml").write_text(PIPELINE)
    (folder / "ci/train.py").write_text(TRAIN)
    (folder / "own").mkdir()
    (folder / "own/photo").write_text("mine")
    dvc(folder, "add", "--quiet", "own")
    commit(folder, "Never run")
    with contextlib.chdir(folder / "ci"), Repo() as repo:
        repo.reproduce()
    commit(folder, "A result")
    return folder


@pytest.fixture
def verify(project, tmp_path, monkeypatch, capfd):
    """Return a function that verifies ci/ and gives exit code and output; temporary folders are the test's own."""
    monkeypatch.chdir(project)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(*arguments, **environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        code = 0
        try:
            main(["verify", *(arguments or ("--folder", "ci"))])
        except SystemExit as stop:
            code = stop.code
        assert list(tmp_path.iterdir()) == []
        assert git(project, "status", "--porcelain") == ""
        return code, capfd.readouterr().out

    return run


def test_a_committed_result_comes_out_again(verify):
    code, out = verify()
    assert (code, out.splitlines()[-1]) == (0, "Of 2 outputs: 2 equal, 0 within tolerance, 0 different.")


def test_a_machine_that_gives_another_result_is_told(verify):
    code, out = verify(NOISE="0.125")
    assert (code, out.splitlines()[-1]) == (1, "Of 2 outputs: 0 equal, 0 within tolerance, 2 different.")
    assert "metrics/evaluation.json  different  mean_iou by 0.1250" in out


def test_a_stage_that_fails_is_told(verify):
    code, out = verify(NOISE="no number")
    assert (code, out) == (
        "maskline: `dvc repro` failed with exit code 255 in a fresh clone; fix the error above and commit.",
        "",
    )


def test_a_cache_that_dvc_cannot_name_is_one_sentence(verify, project, monkeypatch):
    monkeypatch.setattr(clone, "_DVC", ("false",))
    code, _ = verify()
    assert code == f"maskline: `dvc cache dir` failed in {project}; fix the error above and try again."


def test_its_stages_read_every_byte(verify, monkeypatch):
    given = []
    monkeypatch.setattr(clone, "_run", lambda command, folder, variables: given.append(variables) or 1)
    verify(MASKLINE_CHECKSUMS="once")
    assert {variables["MASKLINE_CHECKSUMS"] for variables in given} == {"always"}


def test_what_is_not_committed_is_refused(verify, project):
    code, _ = verify("--folder", "docs")
    assert code == (
        "maskline: Git's HEAD has no docs/dvc.yaml; "
        "run the pipeline there and commit, or name another folder with --folder."
    )
    train = project / "ci/train.py"
    train.write_text(TRAIN + "\n")
    with pytest.raises(SystemExit) as stop:
        main(["verify", "--folder", "ci"])
    train.write_text(TRAIN)
    assert stop.value.code == (
        "maskline: ci/train.py changed since the last commit, but only the committed result is checked; "
        "commit the changes, or set them aside with `git stash`."
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_leaves_no_folder_and_no_process(stop, project, tmp_path, interruptible):
    temporary, begun = tmp_path / "temporary", tmp_path / "begun"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "maskline", "verify", "--folder", "ci"],
        cwd=project, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), "WAIT": str(begun)},
    )  # fmt: skip
    while not (begun.exists() and begun.read_text()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(stop)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, out) == (1, "")
    assert errors.endswith("maskline: stopped.\n")
    assert list(temporary.iterdir()) == []
    assert not Path(f"/proc/{begun.read_text()}").exists()


def test_the_order_of_suspects_is_within_tolerance_if_the_figures_are():
    """Their file names are text, which may not change in other tables."""
    figures = Output("1", b'{"mean_iou": 0.5}')
    before = {"metrics/evaluation.json": figures, "metrics/suspects.csv": Output("2", b"rank,filename\n1,a.png\n")}
    after = {"metrics/evaluation.json": figures, "metrics/suspects.csv": Output("3", b"rank,filename\n1,b.png\n")}
    assert [verdict.judgement for verdict in judge(before, after)] == ["equal", "within tolerance"]
