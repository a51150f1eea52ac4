"""The options --max-drop and --max-class-drop, which export and check share."""

import argparse

from maskline.cli.numbers import number


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how far a score may fall."""
    parser.add_argument(
        "--max-drop",
        type=number(0, 1),
        default=0.001,
        help="how far mean IoU may fall; default: %(default)s",
        metavar="D",
    )
    parser.add_argument(
        "--max-class-drop",
        type=number(0, 1),
        default=0.01,
        help="how far the IoU of a class may fall; default: %(default)s",
        metavar="D",
    )
