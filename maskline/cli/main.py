"""The command `maskline`: its subcommands, and how an error reaches the user."""

import argparse
import os
import sys
from collections.abc import Sequence

from maskline.cli import check, compare, experiments, export, plan, predict, verify
from maskline.errors import ArtifactError, InputError
from maskline.messages import os_sentence, printable, system_error, unexpected_sentence

_DESCRIPTION = (
    "Train, evaluate and compare models that label every pixel of an image. `dvc repro` runs the pipeline, from images "
    "and masks to a report; the commands here work with its results."
)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages would bury the command's own


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand; every error ends in one sentence and exit code 1."""
    options = parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit("maskline: stopped.")
    except BrokenPipeError:  # the reader, such as `head`, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        sys.exit(f"maskline: {printable(_sentence(error))}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    whole = argparse.ArgumentParser(prog="maskline", description=_DESCRIPTION)
    commands = whole.add_subparsers(metavar="command", required=True)
    for command in (check, compare, experiments, export, plan, predict, verify):
        command.add(commands)
    return whole


def _sentence(error: Exception) -> str:
    if isinstance(error, ArtifactError):
        return f"{error}; check its name, or make it again."
    if isinstance(error, InputError):
        return str(error)
    if system := system_error(error):
        return os_sentence(system, "try again")
    return unexpected_sentence(error)
