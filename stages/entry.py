"""What every stage does around its work: declared params and whole files in, one-sentence errors out."""

import argparse
import errno
import hashlib
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up notes would hide the stage's own words

from maskline.errors import InputError  # noqa: E402
from maskline.files.checksums import check_sums, write_sums  # noqa: E402
from maskline.files.yaml12 import read_yaml  # noqa: E402
from maskline.params import Declared, read_params  # noqa: E402


@dataclass(frozen=True)
class Stage:
    """A running stage: the params it declares, and the digest of the code it declares."""

    name: str
    params: Declared
    code: str


def main(name: str, description: str, run: Callable[[Stage], None]) -> None:
    """Run one stage in the current folder, which holds dvc.yaml and params.yaml."""
    argparse.ArgumentParser(
        prog=f"stages/{name}.py",
        description=description,
        epilog="Reads params.yaml and dvc.yaml in the current folder; `dvc repro` runs all stages in order.",
    ).parse_args()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        stages = _stages(name)
        entry = stages[name]
        params = read_params(Path("params.yaml"))
        stage = Stage(name, Declared(params, entry.get("params", []), name), _code_digest(entry, params.repo))
        check_inputs(stages, name)
        run(stage)
        if _code_digest(entry, params.repo) != stage.code:
            raise InputError(f"the code of stage {name} was edited while it ran; run `dvc repro` again.")
        record_outputs(entry)
    except InputError as error:
        sys.exit(f"{name}: {error}")
    except OSError as error:
        sys.exit(f"{name}: {_os_sentence(error)}")
    except KeyboardInterrupt as stop:
        sys.exit(f"{name}: stopped; {str(stop) or 'finished work is kept'}, and `dvc repro` goes on from there.")


def import_tensorflow() -> None:
    """Import TensorFlow without the notes its libraries write to stderr before they can be told not to."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _terminate(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def check_inputs(stages: dict[str, dict], name: str) -> None:
    """Check every file that a stage reads of earlier ones; a `dep` that is gone is for its reader to tell.

    Raises:
        InputError: a file is not what its stage wrote.
    """
    for dep in stages[name].get("deps", []):
        for writer, entry in stages.items():
            folders, others = _outputs(entry)
            home = next((folder for folder in folders if Path(dep).is_relative_to(folder)), None)
            if home is None and dep in others and folders:
                home = folders[0]
            if home and Path(dep).exists():
                check_sums(Path(home), Path(dep), writer)


def record_outputs(entry: dict) -> None:
    """Write SHA256SUMS into each folder of a stage's outs; the first lists its small files elsewhere too."""
    folders, others = _outputs(entry)
    for folder in filter(os.path.isdir, folders):
        write_sums(Path(folder), map(Path, others if folder == folders[0] else ()))


def _outputs(entry: dict) -> tuple[list[str], list[str]]:
    """Return the folders that DVC caches, and what Git tracks, which dvc.yaml gives options."""
    outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, [])]
    tracked = [path for out in outs if isinstance(out, dict) for path in out]
    return [out for out in outs if isinstance(out, str)], tracked


def _stages(name: str) -> dict[str, dict]:
    stages = (read_yaml(Path("dvc.yaml")) or {}).get("stages", {})
    if name not in stages:
        raise InputError(
            f"dvc.yaml has no stage {name}. Received: {', '.join(stages)}; restore it with `git checkout`."
        )
    return stages


def _code_digest(entry: dict, repo: str) -> str:
    """Hash the declared Python files and templates, by path below the project's root and content."""
    digest = hashlib.sha256()
    for dep in entry.get("deps", []):
        if not dep.startswith("${repo}/"):
            continue
        path = Path(dep.replace("${repo}", repo, 1))
        files = sorted(p for p in path.rglob("*") if p.suffix != ".pyc" and p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(os.path.relpath(file, repo).encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()


def _os_sentence(error: OSError) -> str:
    file = error.filename or "an output"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full while writing {file}; free some space and run `dvc repro` again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission for {file}; change its owner or mode and run `dvc repro` again."
    return f"{error.strerror or error} ({file}); mend it and run `dvc repro` again."
