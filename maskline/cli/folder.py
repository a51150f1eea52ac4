"""The option --folder, which several subcommands share."""

import argparse
from pathlib import Path


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a pipeline."""
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="folder of the dvc.yaml; default: the current folder"
    )
