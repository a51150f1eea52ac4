"""The command `maskline`: its subcommands, and how an error reaches the user."""

import argparse
import sys
from collections.abc import Sequence

from maskline.cli import compare, experiments, verify
from maskline.errors import InputError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand; what the user can mend ends in one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="maskline", description="What is no stage: `dvc repro` runs the pipeline.")
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
