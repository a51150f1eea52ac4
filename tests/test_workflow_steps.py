"""The `run` steps of the workflow, each in a checkout as GitHub makes it: its shell, environment, depth and refs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from project import ENVIRONMENT, ROOT, clone, commit, git, set_params

from maskline.files.yaml12 import read_yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the project's Git history"),
]
JOBS = read_yaml(ROOT / ".github/workflows/ci.yml")["jobs"]
NOT_RUN = {
    "Check style and types, and run every test": "it runs these tests",
    "The requirements files follow from pyproject.toml": "it asks the package registry about some hundred packages",
    "Build the documentation": ".ci/run does it before these tests",
}
SMALL = {"dataset.limit": 16, "train.epochs": 1, "train.warmup_epochs": 0.5, "evaluate.samples": 3}
EXPRESSIONS = {
    "steps.report.outputs.artifact-url": "https://github.example/owner/project/actions/runs/1/artifacts/2",
    "steps.plots.outputs.artifact-url": "https://github.example/owner/project/actions/runs/1/artifacts/3",
    "github.server_url": "https://github.example",
    "github.repository": "owner/project",
    "github.token": "a token",
    "github.event.pull_request.number": "7",
}
GH = """\
#!/bin/sh
printf '%s\\n' "$@" > "$0.arguments"
cat > "$0.body"
"""


class Done(NamedTuple):
    """A step that ended: its exit code, both of its streams, and what it wrote for GitHub."""

    code: int
    text: str
    summary: str
    outputs: str


class Runner:
    """A machine with the checkout of one job, and with what earlier jobs and steps hand on."""

    def __init__(self, checkout: Path, known: dict[str, str], **environment: str) -> None:
        self.checkout = checkout
        self.temporary = checkout.parent / "runner"
        self.temporary.mkdir()
        self.known = EXPRESSIONS | known
        self.environment = environment

    def run(self, job: str, name: str) -> Done:
        """Run a step with the shell and the environment that GitHub gives it."""
        step = next(step for step in JOBS[job]["steps"] if step.get("name") == name)
        (self.temporary / "script.sh").write_text(step["run"])
        files = {name: self.temporary / name for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
        for file in files.values():
            file.write_text("")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.temporary),
            "CI": "true",
            "PYTHONPATH": os.pathsep.join((str(self.checkout), ENVIRONMENT["PYTHONPATH"])),
            "GITHUB_ACTIONS": "true",
            "RUNNER_TEMP": str(self.temporary),
            **{name: str(file) for name, file in files.items()},
            **{name: self.value(text) for name, text in step.get("env", {}).items()},
            **self.environment,
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", self.temporary / "script.sh"],
            cwd=self.checkout, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, *(file.read_text() for file in files.values()))

    def value(self, text: str) -> str:
        """Replace the expressions of a step's environment by what GitHub knows."""
        head, *others = str(text).split("${{ ")
        return head + "".join(
            self.known[expression] + rest for expression, rest in (other.split(" }}") for other in others)
        )


def pretend_environment(checkout: Path) -> None:
    """Give a checkout the environment of these tests, newer than its files, as if `make` had just made it."""
    environment, bin_ = checkout / ".venv", Path(sys.executable).parent
    (environment / "bin").mkdir(parents=True)
    for program in bin_.iterdir():
        (environment / "bin" / program.name).symlink_to(program)
    for name in ("lib", "pyvenv.cfg"):
        if (bin_.parent / name).exists():
            (environment / name).symlink_to(bin_.parent / name)
    (environment / "repro.stamp").touch()
    (environment / "test.stamp").touch()
    shutil.copy(bin_ / "maskline", environment / "bin/new")
    (environment / "bin/new").replace(environment / "bin/maskline")


def check_out(repository: Path, revision: str, depth: int, folder: Path) -> Path:
    """Fetch one revision as actions/checkout does: no branch, no tag, and no more history than asked for."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", repository.as_uri())
    git(folder, "fetch", "--quiet", "--no-tags", f"--depth={depth}", "origin", f"+{revision}:refs/remotes/pull/7/merge")
    git(folder, "checkout", "--quiet", "--force", "refs/remotes/pull/7/merge")
    pretend_environment(folder)
    return folder


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """The project on GitHub: its subset is smaller, and a pull request that averages two views is merged for a test."""
    folder = clone(ROOT, tmp_path_factory.mktemp("github") / "project")
    git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
    git(folder, "switch", "--quiet", "--force-create", "base")
    set_params(folder / "ci", SMALL)
    commit(folder, "A smaller subset")
    git(folder, "switch", "--quiet", "--create", "topic")
    set_params(folder / "ci", {"evaluate.flip": True})
    (folder / "ci/metrics/samples/1.png").write_bytes((folder / "ci/metrics/samples/2.png").read_bytes())
    commit(folder, "Average with the mirrored image")
    git(folder, "switch", "--quiet", "--detach", "base")
    git(folder, "merge", "--quiet", "--no-ff", "--message", "Merge topic into base", "topic")
    git(folder, "update-ref", "refs/pull/7/merge", "HEAD")
    return folder


@pytest.fixture(scope="module")
def revisions(repository):
    names = {"main": "base^", "base": "base", "topic": "topic", "merge": "refs/pull/7/merge"}
    return {name: git(repository, "rev-parse", revision).strip() for name, revision in names.items()}


@pytest.fixture(scope="module")
def subset(repository, revisions, tmp_path_factory):
    """The runner of the job `subset` after its pipelines, and what its steps printed."""
    depth = next(
        step["with"]["fetch-depth"] for step in JOBS["subset"]["steps"] if "fetch-depth" in step.get("with", {})
    )
    folder = check_out(repository, revisions["merge"], depth, tmp_path_factory.mktemp("subset") / "project")
    head = {"github.event.pull_request.head.sha || github.sha": revisions["topic"]}
    runner = Runner(folder, head, GITHUB_SHA=revisions["merge"])
    for name in ("Reproduce the subset of the base", "Reproduce the subset", "Draw the plots of both"):
        done = runner.run("subset", name)
        assert done.code == 0, done.text
    return runner


def test_every_step_is_run_here_or_has_a_reason_not_to_be():
    named = [step["name"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    source = Path(__file__).read_text()
    assert not [name for name in named if f'"{name}"' not in source]
    assert set(NOT_RUN) <= set(named)


def test_the_checkout_is_shallow_and_has_no_branch(subset):
    assert git(subset.checkout, "rev-parse", "--is-shallow-repository").strip() == "true"
    assert git(subset.checkout, "for-each-ref", "--format=%(refname)").split() == [
        "refs/remotes/pull/7/merge",
        "refs/tags/base",
    ]


def test_the_subset_is_reproduced_and_drawn_for_both_sides(subset, revisions):
    assert git(subset.checkout, "rev-parse", "base^").strip() == revisions["base"]
    assert git(subset.checkout, "diff", "--name-only", "base", "--", "ci/params.yaml", "ci/metrics/evaluation.json")
    assert "<html" in (subset.checkout / "dvc_plots/index.html").read_text()
    assert (subset.checkout / "ci/metrics/report.html").exists()


def test_the_summary_says_what_the_change_does_and_shows_it(subset, revisions):
    done = subset.run("subset", "Say what changed")
    assert done.code == 0, done.text
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.summary.splitlines()]
    assert ["Path", "Param", "base", "workspace"] in rows
    assert ["ci/params.yaml", "evaluate.flip", "False", "True"] in rows
    assert [row for row in rows if row[:2] == ["ci/metrics/evaluation.json", "expected_calibration_error"]]
    assert "B is" in done.summary  # the table of the test
    pictures = "https://github.example/owner/project/raw"
    assert f"({pictures}/{revisions['topic']}/ci/metrics/samples/1.png)" in done.summary
    assert f"({pictures}/{revisions['base']}/ci/metrics/samples/1.png)" in done.summary
    assert f"{revisions['base']}/ci/metrics/samples/2.png" not in done.summary
    assert "[Report](https://github.example/owner/project/actions/runs/1/artifacts/2)" in done.summary
    assert done.outputs == f"summary<<END-OF-SUMMARY\n{done.summary}\nEND-OF-SUMMARY\n"


def test_the_summary_without_the_base_gives_what_is_committed_and_the_reason(subset, revisions):
    kept = git(subset.checkout, "rev-parse", "base").strip()
    git(subset.checkout, "tag", "--delete", "base")
    try:
        done = subset.run("subset", "Say what changed")
    finally:
        git(subset.checkout, "tag", "base", kept)
    assert done.code == 0, done.text
    assert "could not be run" in done.summary and revisions["base"] in done.summary
    assert "ci/data/evaluation is not in DVC's cache" in done.summary


def test_the_next_run_trains_neither_side_again(subset, repository, revisions, tmp_path):
    done = subset.run("subset", "Keep in the cache what the next run needs")
    assert done.code == 0, done.text
    folder = check_out(repository, revisions["merge"], 2, tmp_path / "project")
    (folder / ".dvc/cache").symlink_to(subset.checkout / ".dvc/cache")
    runner = Runner(folder, {}, GITHUB_SHA=revisions["merge"])
    for name in ("Reproduce the subset of the base", "Reproduce the subset"):
        done = runner.run("subset", name)
        assert done.code == 0, done.text
        assert "ci/dvc.yaml:train" in done.text and "Running stage 'ci/dvc.yaml:train'" not in done.text


@pytest.mark.parametrize(("revision", "code"), [("main", 0), ("merge", 1)])
def test_a_stale_lock_file_fails_and_its_folder_is_named(repository, revisions, revision, code, tmp_path):
    runner = Runner(check_out(repository, revisions[revision], 1, tmp_path / "project"), {})
    done = runner.run("locks", "Every dvc.lock is of the committed code, params and data")
    assert done.code == code, done.text
    assert "ci/dvc.yaml:preprocess" in done.text
    assert ("::error::" in done.text) == bool(code)


def test_the_summary_becomes_the_comment(tmp_path):
    program = tmp_path / "bin/gh"
    program.parent.mkdir()
    program.write_text(GH)
    program.chmod(0o755)
    summary = "## The small subset\n\n| `a` | $(b) |"
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = Runner(program.parent, {"needs.subset.outputs.summary": summary}, PATH=path).run(
        "comment", "Show the summary in the pull request"
    )
    assert done.code == 0, done.text
    assert (tmp_path / "bin/gh.body").read_text() == summary + "\n"
    assert (tmp_path / "bin/gh.arguments").read_text().split()[:3] == ["pr", "comment", "7"]
