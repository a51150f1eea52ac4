"""What `maskline folds` and `maskline seeds` share: their options, and how their experiments are run or queued."""

import argparse
from typing import TYPE_CHECKING

from maskline.cli.folder import add_folder
from maskline.cli.numbers import whole

if TYPE_CHECKING:  # --help needs no NumPy
    from maskline.series.pipeline import Series


def add_series_options(parser: argparse.ArgumentParser, name: str, metavar: str, missing: str) -> None:
    """Add the number of experiments, called `name`, and the options of both subcommands.

    `missing` is how the help calls experiments that have no result.
    """
    parser.add_argument(name, metavar=metavar, type=whole(2, 20), help=f"number of {name}, 2 to 20")
    add_folder(parser)
    parser.add_argument("--queue", action="store_true", help=f"put the {missing} into DVC's queue, and do not run them")
    parser.add_argument("--json", action="store_true", help="print JSON")


def finish(series: "Series", queue: bool, table: str = "") -> dict[int, str] | None:
    """Run what has no result and return the commits of all experiments; or queue it, say so, and return None.

    `table` is what else the command does after the experiments.
    """
    from maskline.series.changed_files import refuse_changed_files
    from maskline.series.pipeline import finished
    from maskline.series.run import queue_missing, run_missing

    done = finished(series)
    refuse_changed_files(series, done)
    if queue and len(done) < len(series.members):
        names = queue_missing(series, done)
        print(f"In DVC's queue: {', '.join(names)}. `dvc queue start` runs them; this command then sums up{table}.")
        return None
    run_missing(series, done)
    return finished(series)
