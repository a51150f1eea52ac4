"""The workflow file: what a linter finds, what it runs of others, and what its jobs may do."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / ".github/workflows/ci.yml"
WORKFLOW = read_yaml(FILE)
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
PIN = re.compile(r"@[0-9a-f]{40} # (v\d+)\.\d+\.\d+$", re.MULTILINE)


def tool(name: str) -> str:
    """Return the path of a program that the lock file of the tests installs."""
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    assert path, f"{name} is not installed: `make .venv/test.stamp`"
    return path


def lint(text: str) -> str:
    """Return what actionlint and ShellCheck find in a workflow."""
    command = [tool("actionlint"), "-no-color", f"-shellcheck={tool('shellcheck')}", "-pyflakes=", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, cwd=ROOT).stdout


@pytest.mark.parametrize("actions", ["as they are pinned", "by their major version, whose inputs the linter knows"])
def test_a_linter_finds_nothing(actions):
    text = FILE.read_text()
    assert lint(text if actions == "as they are pinned" else PIN.sub(r"@\1", text)) == ""


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("archive: false", "archve: false", 'input "archve" is not defined'),
        ("needs: subset", "needs: subsets", '"subsets" which does not exist'),
        ("steps.report.outputs", "steps.reports.outputs", 'property "reports" is not defined'),
        ('> "$RUNNER_TEMP/summary.md"', "> $RUNNER_TEMP/summary.md", "SC2086"),
    ],
)
def test_the_linter_finds_mistakes(right, wrong, found):
    text = PIN.sub(r"@\1", FILE.read_text())
    assert right in text
    assert found in lint(text.replace(right, wrong))


def test_shellcheck_finds_nothing_in_the_scripts():
    scripts = sorted((ROOT / ".ci").iterdir())
    found = subprocess.run([tool("shellcheck"), *scripts], capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_every_action_is_pinned_to_a_commit_and_names_its_version():
    used = re.findall(r"uses: (\S+@.*)", FILE.read_text())
    assert used and all(PIN.search(action) for action in used)
    assert all(action.startswith("actions/") for action in used)


def test_only_the_comment_may_write_and_it_runs_nothing_of_the_pull_request():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert {name for name, job in JOBS.items() if "permissions" in job} == {"comment"}
    assert JOBS["comment"]["permissions"] == {"pull-requests": "write"}
    assert all("uses" not in step for step in JOBS["comment"]["steps"])
    assert "github.event.pull_request.head.repo.full_name == github.repository" in JOBS["comment"]["if"]


def test_the_token_is_left_to_no_later_step():
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts and all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_every_job_ends_in_time_and_every_shell_fails_with_its_pipe():
    assert all(job["timeout-minutes"] <= 90 for job in JOBS.values())
    assert WORKFLOW["defaults"]["run"]["shell"] == "bash"
    assert not [step for step in STEPS if "shell" in step]


def test_text_from_outside_is_never_part_of_a_script():
    assert not [step["run"] for step in STEPS if "${{" in step.get("run", "")]


def test_every_named_requirements_file_exists():
    named = {name for step in STEPS for name in step.get("with", {}).get("cache-dependency-path", "").split()}
    assert named and all((ROOT / name).exists() for name in named)
