"""maskline folds: cross-validation, one DVC experiment for each fold."""

import argparse
import os
import sys
from pathlib import Path

from maskline.cli.folder import add_folder
from maskline.cli.numbers import whole

_DESCRIPTION = """\
Divide the images into K folds by group and class, and train K models from the last
commit, each tested on one fold and trained on the others. Each fold is a DVC
experiment with params dataset.folds and dataset.fold; all else is the same. The
summary has mean, standard deviation and interval of mean IoU, pixel accuracy and
each class's IoU. Finished folds are kept: the command goes on where it was stopped.
"""
_EXAMPLES = """\
examples:
  maskline folds 5                            run what is missing, one fold after another, and sum up
  maskline folds 5 --queue                    only queue; then `dvc queue start --jobs 2`
  maskline folds 5 --folder projects/mine     the pipeline in projects/mine/
  maskline folds 5 --suspects to_check.csv    and the labels to check of all images, in one table
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "folds",
        help="cross-validate: train and test on K folds, and sum up",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folds", metavar="K", type=whole(2, 20), help="number of folds, 2 to 20")
    add_folder(parser)
    parser.add_argument("--queue", action="store_true", help="put the missing folds into DVC's queue, and run none")
    parser.add_argument("--suspects", type=Path, metavar="CSV", help="write the labels to check of all folds to a file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from maskline.folds import text  # not at the top, so that --help needs no NumPy
    from maskline.folds.results import folds_of, read_folds
    from maskline.folds.suspects import write_suspects
    from maskline.series.changed_files import refuse_changed_files
    from maskline.series.pipeline import finished, read_pipeline
    from maskline.series.run import queue_missing, run_missing
    from maskline.series.summary import summarize

    pipeline = read_pipeline(options.folder)
    series = folds_of(pipeline, options.folds)
    done = finished(series)
    refuse_changed_files(series, done)
    if options.queue and len(done) < options.folds:
        names = queue_missing(series, done)
        table = "" if options.suspects is None else f" and writes {options.suspects}"
        print(f"In DVC's queue: {', '.join(names)}. `dvc queue start` runs them; this command then sums up{table}.")
        return
    run_missing(series, done)
    folds = read_folds(series, finished(series))
    rows = summarize([fold.result for fold in folds])
    if options.suspects is not None:
        count = write_suspects(pipeline, folds, options.suspects)
        print(f"folds: {options.suspects} holds {count:,} labels to check.", file=sys.stderr, flush=True)
    print((text.as_json if options.json else text.as_text)(pipeline, folds, rows))
