"""The options --max-drop and --max-class-drop, which export and check share."""

import argparse


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how far a score may fall."""
    parser.add_argument(
        "--max-drop", type=_share, default=0.001, help="how far mean IoU may fall; default: %(default)s", metavar="D"
    )
    parser.add_argument(
        "--max-class-drop",
        type=_share,
        default=0.01,
        help="how far the IoU of a class may fall; default: %(default)s",
        metavar="D",
    )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1. Received: {text}")
    return value
