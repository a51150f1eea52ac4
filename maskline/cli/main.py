"""The command `maskline`: its subcommands, and how an error reaches the user."""

import argparse
import os
import sys
from collections.abc import Sequence

import maskline
from maskline.cli import check, compare, ensemble, evaluate, experiments, export, folds, plan, predict, seeds, verify
from maskline.messages import printable, sentence

_DESCRIPTION = (
    "Train, evaluate and compare models that label every pixel of an image. `dvc repro` runs the pipeline, from images "
    "and masks to a report; the commands here work with its results."
)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages would bury the command's own
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU's memory on demand, so that others can use it too


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
        remedy = f"; check its name{' and --folder' if 'folder' in options else ''}, or make it again"
        found = sentence(error, lambda artifact: remedy, "try again")
        sys.exit(f"maskline: {printable(found)}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all subcommands."""
    whole = argparse.ArgumentParser(prog="maskline", description=_DESCRIPTION)
    whole.set_defaults(run=lambda _: whole.print_help())
    whole.add_argument(
        "--version", dest="run", action="store_const", const=_print_version, help="print the version and exit"
    )
    commands = whole.add_subparsers(metavar="command")
    for command in (check, compare, ensemble, evaluate, experiments, export, folds, plan, predict, seeds, verify):
        command.add(commands)
    return whole


def _print_version(_: argparse.Namespace) -> None:
    print(f"maskline {maskline.__version__}")
