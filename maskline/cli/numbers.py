"""Numbers that subcommands take, with their bounds."""

import argparse
from collections.abc import Callable


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a parser of numbers from `least` to `most`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be a number from {least:g} to {most:g}. Received: {text}")
        return value

    return parse
