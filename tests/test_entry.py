import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import none_left
from raw_data import pairs, write_raw

ROOT = Path(__file__).parents[1]
STAGE = """
import errno, os, sys, time
from pathlib import Path
import entry
from maskline.errors import ArtifactError
from maskline.params.preprocess import PreprocessParams

def run(stage):
    {body}

if __name__ == "__main__":
    entry.main("preprocess", "Do as the test asks.", run)
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the project's code in a folder that holds dvc.yaml and params.yaml."""
    for name in ("stages", "maskline"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    poison = tmp_path / "poison" / "tensorflow"
    poison.mkdir(parents=True)
    (poison / "__init__.py").write_text("raise SystemExit('tensorflow was imported')")
    return tmp_path


def start(project, stage, *arguments, cwd=None):
    return subprocess.Popen(
        [sys.executable, project / "stages" / f"{stage}.py", *arguments],
        cwd=cwd or project,
        env=os.environ | {"PYTHONPATH": str(project / "poison")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(project, stage, *arguments, cwd=None):
    process = start(project, stage, *arguments, cwd=cwd)
    out, errors = process.communicate()
    return process.returncode, out, errors


def body(project, code):
    """Replace the work of stage preprocess."""
    (project / "stages" / "preprocess.py").write_text(STAGE.format(body=code))


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize("stage", ["download", "preprocess", "train", "evaluate", "report"])
def test_a_params_error_is_one_sentence_without_tensorflow(project, stage):
    if not (project / "stages" / f"{stage}.py").exists():
        pytest.skip(f"stages/{stage}.py is not there")
    edit(project / "params.yaml", "seed: 1 ", "seed: one ")
    code, out, errors = run(project, stage)
    assert (code, out) == (1, "")
    assert errors == f"{stage}: params.yaml: seed must be a whole number, without quotes. Received: 'one'\n"


@pytest.mark.parametrize("stage", ["download", "preprocess", "train", "evaluate", "report"])
def test_help_says_what_the_stage_does_without_tensorflow(project, stage):
    if not (project / "stages" / f"{stage}.py").exists():
        pytest.skip(f"stages/{stage}.py is not there")
    code, out, errors = run(project, stage, "--help")
    assert (code, errors) == (0, "")
    assert out.startswith(f"usage: stages/{stage}.py [-h]") and "`dvc repro` runs all stages in order" in out.replace(
        "\n", " "
    )


def test_unknown_arguments_are_refused(project):
    code, _, errors = run(project, "preprocess", "--epochs", "3")
    assert code == 2 and "unrecognized arguments: --epochs 3" in errors


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml"])
def test_another_folder_is_told(project, name):
    (project / name).unlink()
    code, _, errors = run(project, "preprocess")
    assert (code, errors) == (1, f"preprocess: {name} is missing; run the command in the folder that holds it.\n")


def test_a_stage_that_dvc_yaml_does_not_list_is_told(project):
    (project / "dvc.yaml").write_text("stages:\n  train: {cmd: x}\n")
    code, _, errors = run(project, "preprocess")
    assert (code, errors) == (
        1,
        "preprocess: dvc.yaml has no stage preprocess; restore it with `git checkout dvc.yaml`. Received: train\n",
    )


def test_a_declared_param_is_read_and_an_undeclared_one_refused(project):
    body(
        project,
        "print(stage.section('preprocess', PreprocessParams).height, stage.integer('seed')); "
        "stage.integer('train.epochs')",
    )
    code, out, errors = run(project, "preprocess")
    assert (code, out) == (1, "128 1\n")
    assert errors == (
        "preprocess: stage preprocess reads the param train.epochs, which its entry in dvc.yaml does not declare; "
        "add train.epochs to the stage's params.\n"
    )


@pytest.fixture
def below(project):
    """A folder of the project that runs the same pipeline, as ci/ does."""
    folder = project / "ci"
    folder.mkdir()
    shutil.copy(project / "dvc.yaml", folder)
    shutil.copy(project / "params.yaml", folder)
    edit(folder / "params.yaml", "repo: . ", "repo: .. ")
    return folder


def test_a_folder_below_runs_the_projects_code(project, below):
    body(project, "print(stage.code, stage.integer('seed'))")
    code, out, errors = run(project, "preprocess", cwd=below)
    assert (code, errors) == (0, "")
    assert run(project, "preprocess")[1] == out  # the digest of the same code from another folder


def test_a_folder_below_with_another_pipeline_is_said_with_what_renews_it(project, below):
    edit(below / "dvc.yaml", "# The folder", "# A folder")
    code, out, errors = run(project, "preprocess", cwd=below)
    assert (code, out) == (1, "")
    assert errors == (
        "preprocess: dvc.yaml is not that of this version of maskline; run `maskline plan --update ci` in "
        f"{project}, which leaves your params as they are.\n"
    )


@pytest.mark.parametrize(
    ("touched", "changes"),
    [
        ("maskline/shards/decode.py", True),
        ("stages/entry.py", True),
        ("maskline/models/decoders/unet.py", False),
        ("maskline/shards/read/batches.py", False),
        ("README.md", False),
    ],
)
def test_code_edited_while_the_stage_runs_is_refused_where_it_is_declared(project, touched, changes):
    body(
        project,
        f"path = Path({str(touched)!r}); path.write_text(path.read_text() + '# edited' if path.exists() else '')",
    )
    code, _, errors = run(project, "preprocess")
    if changes:
        sentence = "preprocess: the code of stage preprocess was edited while it ran; run `dvc repro` again.\n"
        assert (code, errors) == (1, sentence)
    else:
        assert (code, errors) == (0, "")


@pytest.mark.parametrize(
    ("raised", "sentence"),
    [
        (
            "OSError(errno.ENOSPC, 'No space left on device', 'data/shards/a b.tfrecord')",
            "the disk is full while writing data/shards/a b.tfrecord; free some space and run `dvc repro` again.",
        ),
        (
            "OSError(errno.ENOSPC, 'No space left on device')",
            "the disk is full while writing an output; free some space and run `dvc repro` again.",
        ),
        (
            "OSError(errno.EDQUOT, 'Disk quota exceeded', 'data/x')",
            "the disk is full while writing data/x; free some space and run `dvc repro` again.",
        ),
        (
            "PermissionError(errno.EACCES, 'Permission denied', 'data/shards')",
            "no permission for data/shards; change its owner or mode and run `dvc repro` again.",
        ),
        (
            "OSError(errno.EROFS, 'Read-only file system', 'data')",
            "no permission for data; change its owner or mode and run `dvc repro` again.",
        ),
        (
            "FileNotFoundError(errno.ENOENT, 'No such file or directory', 'data/raw')",
            "No such file or directory (data/raw); fix it and run `dvc repro` again.",
        ),
        (
            "OSError(errno.EMFILE, 'Too many open files', 'data/x')",
            "too many files are open to open data/x; raise the limit with `ulimit -n 4096` and run `dvc repro` again.",
        ),
        (
            "RuntimeError('Error: cannot finish data/raw.partial/a b; data/x; No space left on device')",
            "the disk is full while writing data/x; free some space and run `dvc repro` again.",
        ),
        ("KeyboardInterrupt", "stopped; finished work is kept, and `dvc repro` resumes from there."),
    ],
)
def test_an_error_of_the_system_is_one_sentence(project, raised, sentence):
    body(project, f"raise {raised}")
    assert run(project, "preprocess") == (1, "", f"preprocess: {sentence}\n")


@pytest.mark.parametrize(
    ("path", "remedy"),
    [
        ("data/raw", "; run `dvc repro --force download`"),
        ("data/raw/source.json", "; run `dvc repro --force download`"),
        ("data/weights/encoder.json", "; run `dvc repro --force download`"),
        ("data/../data/shards/manifest.json", "; run `dvc repro --force preprocess`"),
        ("data/model/model.keras", "; run `dvc repro --force train`"),
        ("metrics/evaluation.json", "; run `dvc repro --force evaluate`"),
        ("metrics/samples/1.png", "; run `dvc repro --force evaluate`"),
        ("metrics/report.html", "; run `dvc repro --force report`"),
        ("data/rawer", ""),
        ("data", ""),
        ("baseline.json", ""),
    ],
)
def test_an_artifact_that_cannot_be_used_is_said_with_the_stage_that_makes_it_again(project, path, remedy):
    body(project, f"raise ArtifactError({path!r}, 'is damaged')")
    assert run(project, "preprocess") == (1, "", f"preprocess: {Path(path)} is damaged{remedy}.\n")


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_damaged_link_into_the_cache_is_said_with_what_makes_dvc_look_at_it(project, link):
    (project / "data/model").mkdir(parents=True)
    (project / "cache").write_bytes(b"")
    link(project / "cache", project / "data/model/a b")
    body(project, "raise ArtifactError('data/model/a b', 'is damaged')")
    assert run(project, "preprocess") == (
        1,
        "",
        "preprocess: data/model/a b is damaged; DVC's cache holds the same file, so run "
        "`chmod u+w 'data/model/a b' && touch 'data/model/a b'` and then `dvc repro --force train`.\n",
    )


def test_an_artifact_of_a_folder_below_is_said_with_that_folder(project, below):
    code, _, errors = run(project, "preprocess", cwd=below)
    sentence = "data/raw/source.json is missing; run `dvc repro --force download` in ci/."
    assert (code, errors) == (1, f"preprocess: {sentence}\n")


def test_a_defect_keeps_its_traceback(project):
    body(project, "raise ZeroDivisionError")
    assert run(project, "preprocess") == (
        1,
        "",
        "preprocess: an unexpected error stopped the work (ZeroDivisionError); please report it with the traceback in "
        "maskline.log.\n",
    )
    log = (project / "maskline.log").read_text()
    assert log.startswith("Traceback") and log.endswith("ZeroDivisionError\n")
    for ignored in (".gitignore", ".dvcignore"):
        assert "maskline.log" in (ROOT / ignored).read_text().splitlines()


def test_the_log_of_a_defect_is_a_temporary_file_where_the_folder_takes_none(project):
    (project / "maskline.log").mkdir()
    body(project, "raise ZeroDivisionError")
    _, _, errors = run(project, "preprocess")
    log = Path(errors.split("traceback in ")[1].removesuffix(".\n"))
    assert log.read_text().endswith("ZeroDivisionError\n")
    log.unlink()


def test_the_cause_of_a_defect_is_taken_out_of_tensorflows_error(project):
    body(
        project,
        "kind = type('UnknownError', (Exception,), {'__module__': 'tensorflow.python.framework.errors_impl'}); "
        "raise kind('{{function_node a}} Error in user-defined function: Map: ZeroDivisionError: by zero\\n"
        "Traceback (most recent call last):\\n\\n  File x\\n\\t [[{{node PyFunc}}]] [Op:IteratorGetNext] name: ')",
    )
    assert "stopped the work (ZeroDivisionError: by zero); please" in run(project, "preprocess")[2]


def test_a_name_cannot_steer_the_terminal(project):
    body(project, r"raise ArtifactError('data/raw/\x1b]0;owned\x07\u2028é.png', 'is damaged')")
    _, _, errors = run(project, "preprocess")
    assert errors == (
        "preprocess: data/raw/\\x1b]0;owned\\x07\\u2028é.png is damaged; run `dvc repro --force download`.\n"
    )


LOCK = """
stages:
  preprocess: {outs: [{path: data/shards}]}
  evaluate: {outs: [{path: data/evaluation}, {path: metrics/evaluation.json}, {path: metrics/samples}]}
"""


@pytest.mark.parametrize(
    ("stage", "back"),
    [
        ("preprocess", "`dvc checkout data/shards`."),
        (
            "evaluate",
            "`git checkout metrics/evaluation.json metrics/samples` and `dvc checkout data/evaluation`.",
        ),
        ("train", None),
    ],
)
def test_how_to_get_outputs_back_that_dvc_removed(project, stage, back, monkeypatch):
    (project / "dvc.lock").write_text(LOCK)
    edit(project / "params.yaml", "seed: 1 ", "seed: one ")
    sentence = f"{stage}: params.yaml: seed must be a whole number, without quotes. Received: 'one'"
    assert run(project, stage)[2] == f"{sentence}\n"
    monkeypatch.setenv("DVC_STAGE", stage)
    removed = f"\nDVC had removed the outputs of the last run; get them back with {back}" if back else ""
    assert run(project, stage)[2] == f"{sentence}{removed}\n"
    for name in ("data/shards", "data/evaluation", "metrics/evaluation.json", "metrics/samples"):
        (project / name).mkdir(parents=True)
    assert run(project, stage)[2] == f"{sentence}\n"


def test_preprocess_runs_and_a_missing_source_is_told(project):
    code, _, errors = run(project, "preprocess")
    assert (code, errors) == (1, "preprocess: data/raw/source.json is missing; run `dvc repro --force download`.\n")
    write_raw(project / "data" / "raw", {"train": pairs(8), "test": pairs(2, 1)})
    code, _, errors = run(project, "preprocess")
    assert (code, errors) == (0, "")
    assert sorted(p.name for p in (project / "data" / "shards").iterdir()) == [
        "SHA256SUMS",
        "audit.json",
        "examples",
        "manifest.json",
        "test-00000-of-00001.tfrecord",
        "train-00000-of-00001.tfrecord",
        "validation-00000-of-00001.tfrecord",
    ]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_stopped_stage_says_so_and_leaves_nothing_behind(project, interruptible, stop):
    """SIGTERM goes to the stage, Ctrl-C to it and its workers; the earlier shards stay whole."""
    write_raw(project / "data" / "raw", {role: pairs(40, seed, role) for seed, role in enumerate(("train", "test"))})
    edit(project / "params.yaml", "examples_per_shard: 64", "examples_per_shard: 1")
    shards = project / "data" / "shards"
    shards.mkdir()
    (shards / "earlier").write_text("whole")
    process = start(project, "preprocess")
    while not list(project.glob("data/shards.partial/*")) and process.poll() is None:
        time.sleep(0.005)
    (os.killpg if stop == signal.SIGINT else os.kill)(process.pid, stop)
    out, errors = process.communicate()
    sentence = "preprocess: stopped; finished work is kept, and `dvc repro` resumes from there.\n"
    assert (process.returncode, out, errors) == (1, "", sentence)
    assert [p.name for p in shards.iterdir()] == ["earlier"]
    assert sorted(os.listdir(project / "data")) == ["raw", "shards"]
    assert none_left(process.pid)


def test_a_full_disk_is_told_by_name_and_the_earlier_shards_stay(project):
    """A real limit on the size of a file stands in for the disk's."""
    write_raw(project / "data" / "raw", {"train": pairs(8), "test": pairs(2, 1)})
    shards = project / "data" / "shards"
    shards.mkdir()
    (shards / "earlier").write_text("whole")
    edit(
        project / "stages" / "preprocess.py",
        "import entry",
        "import entry, resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))",
    )
    code, _, errors = run(project, "preprocess")
    assert code == 1
    assert errors == f"preprocess: {os.strerror(errno.EFBIG)} (data/shards); fix it and run `dvc repro` again.\n"
    assert [p.name for p in shards.iterdir()] == ["earlier"]
    assert sorted(os.listdir(project / "data")) == ["raw", "shards"]
