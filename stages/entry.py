"""What every stage does around its work: check params and inputs, record outputs, and turn errors into sentences."""

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages would bury the stage's own
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory on demand, so that others can use it too

from declared import Stage, code_digest, maker_of, outputs, read_stages, recorded_outputs  # noqa: E402

from maskline.errors import InputError  # noqa: E402
from maskline.files.checksums import check_sums, write_sums  # noqa: E402
from maskline.files.digests import check_choice  # noqa: E402
from maskline.files.yaml12 import read_yaml  # noqa: E402
from maskline.messages import printable, sentence, without_stderr  # noqa: E402
from maskline.params.check import check_params  # noqa: E402

PARAMS = Path("params.yaml")


def main(name: str, description: str, work: Callable[[Stage], bool | None]) -> None:
    """Run one stage in the current folder, which holds dvc.yaml and params.yaml.

    Args:
        name: the stage's name.
        description: of the stage, for its help.
        work: writes the stage's outputs, or returns False because it has written none.
    """
    argparse.ArgumentParser(
        prog=f"stages/{name}.py",
        description=description,
        epilog="Reads params.yaml and dvc.yaml in the current folder; `dvc repro` runs all stages in order.",
    ).parse_args()
    signal.signal(signal.SIGTERM, _terminate)
    stages: dict[str, dict] = {}
    try:
        stages = read_stages(name)
        _run(name, stages, work)
    except KeyboardInterrupt as stop:
        sys.exit(f"{name}: stopped; {str(stop) or 'finished work is kept'}, and `dvc repro` resumes from there.")
    except Exception as error:
        found = sentence(error, lambda artifact: _remedy(artifact.path, stages), "run `dvc repro` again")
        sys.exit(printable(f"{name}: {found}") + _way_back(name, stages))


def _run(name: str, stages: dict[str, dict], work: Callable[[Stage], bool | None]) -> None:
    check_pipeline()
    check_choice()
    entry, params = stages[name], read_yaml(PARAMS)
    repo = check_params(params, PARAMS).repo
    stage = Stage(name, tuple(entry.get("params", [])), params, code_digest(entry, repo))
    check_inputs(stages, name)
    has_written = work(stage) is not False
    if code_digest(entry, repo) != stage.code:
        raise InputError(f"the code of stage {name} was edited while it ran; run `dvc repro` again.")
    if has_written:
        record_outputs(entry)


def check_pipeline() -> None:
    """Check that a folder below the root, such as a project's, runs the root's pipeline, whose deps name its code.

    Raises:
        InputError: its dvc.yaml is another one, such as that of an older version.
    """
    folder = Path.cwd()
    if folder.is_relative_to(ROOT) and Path("dvc.yaml").read_bytes() != (ROOT / "dvc.yaml").read_bytes():
        raise InputError(
            "dvc.yaml is not that of this version of maskline; run `maskline plan --update "
            f"{folder.relative_to(ROOT)}` in {ROOT}, which leaves your params as they are."
        )


def import_tensorflow() -> None:
    """Import TensorFlow without the messages that its libraries write to stderr before Python can silence them."""
    with without_stderr():
        import tensorflow  # noqa: F401


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def check_inputs(stages: dict[str, dict], name: str) -> None:
    """Check every file that a stage reads from earlier stages. The code that reads a file reports it if it is missing.

    Raises:
        ArtifactError: a file is not what its stage wrote.
    """
    for dep in stages[name].get("deps", []):
        for entry in stages.values():
            folders, others = outputs(entry)
            home = next((folder for folder in folders if Path(dep).is_relative_to(folder)), None)
            if home is None and dep in others and folders:
                home = folders[0]
            if home and Path(dep).exists():
                check_sums(Path(home), Path(dep))


def record_outputs(entry: dict) -> None:
    """Write SHA256SUMS into each folder that a stage writes; the first also lists the stage's files elsewhere."""
    folders, others = outputs(entry)
    for folder in filter(os.path.isdir, folders):
        write_sums(Path(folder), map(Path, others if folder == folders[0] else ()))


def _remedy(path: Path, stages: dict[str, dict]) -> str:
    """Return the end of an ArtifactError's sentence: the command that makes the artifact again, and where to run it."""
    maker = maker_of(path, stages)
    if maker is None:
        return ""
    again = f"`dvc repro --force {maker}`{_where()}"
    if not _is_linked(path):
        return f"; run {again}"
    file = shlex.quote(str(path))
    return f"; DVC's cache holds the same file, so run `chmod u+w {file} && touch {file}` and then {again}"


def _is_linked(path: Path) -> bool:
    """Return whether an artifact is a link into DVC's cache. DVC trusts its own files until their times change."""
    return path.is_file() and (path.is_symlink() or path.stat().st_nlink > 1)


def _where() -> str:
    """Name the folder for commands if it is below the project's root."""
    folder = Path.cwd()
    below = folder != ROOT and folder.is_relative_to(ROOT)
    return f" in {folder.relative_to(ROOT)}/" if below else ""


def _way_back(name: str, stages: dict[str, dict]) -> str:
    """Return a line on how to get earlier outputs back if DVC, which removes them before a stage, has done so."""
    if "DVC_STAGE" not in os.environ or ".dvc" in Path.cwd().parts:  # queued experiments run in .dvc/tmp
        return ""
    recorded = recorded_outputs(name)
    folders, tracked = ([path for path in paths if path in recorded] for paths in outputs(stages.get(name, {})))
    if all(Path(path).exists() for path in (*folders, *tracked)):
        return ""
    commands = {"git checkout": tracked, "dvc checkout": folders}
    back = " and ".join(f"`{command} {' '.join(paths)}`" for command, paths in commands.items() if paths)
    return "\n" + printable(f"DVC had removed the outputs of the last run; get them back with {back}{_where()}.")
