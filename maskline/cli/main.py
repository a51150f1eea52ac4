"""The command `maskline`: its subcommands, and how an error reaches the user."""

import argparse
import sys
from collections.abc import Sequence

from maskline.cli import compare, experiments, verify
from maskline.errors import InputError

_DESCRIPTION = (
    "Train, evaluate and compare models that label every pixel of an image. `dvc repro` runs the pipeline, from images "
    "and masks to a report; the commands here work with its results."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand. An error that the user can fix ends in one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="maskline", description=_DESCRIPTION)
    commands = parser.add_subparsers(metavar="command", required=True)
    compare.add(commands)
    experiments.add(commands)
    verify.add(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        sys.exit(f"maskline: {error}")
    except KeyboardInterrupt:
        sys.exit("maskline: stopped.")
