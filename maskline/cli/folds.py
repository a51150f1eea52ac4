"""maskline folds: cross-validation, one DVC experiment for each fold."""

import argparse
import os
import sys
from pathlib import Path

from maskline.cli.series import add_series_options, finish

_DESCRIPTION = """\
Divide the images into K folds by group and class, and train K models from the last
commit. Each is tested on one fold and trained on the others. Each fold is a DVC
experiment; they differ only in the params dataset.folds and dataset.fold. The summary
has the mean, standard deviation and interval of mean IoU, pixel accuracy and each
class's IoU. Finished folds are kept: if the command is stopped, it continues where it
stopped when you run it again.
"""
_EXAMPLES = """\
examples:
  maskline folds 5                            run the missing folds, one after another, and summarize
  maskline folds 5 --queue                    only fill the queue; then `dvc queue start --jobs 2`
  maskline folds 5 --folder projects/mine     the pipeline in projects/mine/
  maskline folds 5 --suspects to_check.csv    and write the labels to check of all images
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "folds",
        help="cross-validate: train and test on K folds, and summarize",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_series_options(parser, "folds", "K", "missing folds")
    parser.add_argument("--suspects", type=Path, metavar="CSV", help="write the labels to check of all folds to a file")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from maskline.folds import text  # not at the top, so that --help needs no NumPy
    from maskline.folds.results import folds_of, read_folds
    from maskline.folds.suspects import write_suspects
    from maskline.series.pipeline import read_pipeline
    from maskline.series.summary import summarize

    pipeline = read_pipeline(options.folder)
    series = folds_of(pipeline, options.folds)
    commits = finish(series, options.queue, "" if options.suspects is None else f" and writes {options.suspects}")
    if commits is None:
        return
    folds = read_folds(series, commits)
    rows = summarize([fold.result for fold in folds])
    if options.suspects is not None:
        count = write_suspects(pipeline, folds, options.suspects)
        print(f"folds: {options.suspects} holds {count:,} labels to check.", file=sys.stderr, flush=True)
    print((text.as_json if options.json else text.as_text)(pipeline, folds, rows))
