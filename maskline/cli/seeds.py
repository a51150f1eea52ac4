"""maskline seeds: the same params with several seeds, one DVC experiment for each."""

import argparse
import os
from pathlib import Path

from maskline.cli.series import add_series_options, finish

_DESCRIPTION = """\
Train N models from the last commit that differ only in the seed: the seed of params.yaml,
the next one, and so on. Each is a DVC experiment. The summary has the mean, standard
deviation, lowest and highest value of mean IoU, pixel accuracy and each class's IoU.
Finished runs are kept: if the command is stopped, it continues where it stopped when you
run it again. A larger N adds seeds.
"""
_EXAMPLES = """\
examples:
  maskline seeds 4                            run the missing seeds, one after another, and summarize
  maskline seeds 4 --queue                    only fill the queue; then `dvc queue start --jobs 2`
  maskline seeds 4 --folder projects/mine     the pipeline in projects/mine/
  maskline seeds 4 --csv metrics/seeds.csv    and write a table for Git
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "seeds",
        help="train with several seeds, and show how much the results vary",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_series_options(parser, "seeds", "N", "missing runs")
    parser.add_argument("--csv", type=Path, metavar="CSV", help="write the summary and each seed's figures to a file")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from maskline.seeds import text  # not at the top, so that --help needs no NumPy
    from maskline.seeds.runs import read_seeds, seeds_of
    from maskline.series.pipeline import read_pipeline
    from maskline.series.summary import summarize

    pipeline = read_pipeline(options.folder)
    series = seeds_of(pipeline, options.seeds)
    commits = finish(series, options.queue)
    if commits is None:
        return
    runs = read_seeds(series, commits)
    rows = summarize([run.result for run in runs])
    if options.csv is not None:
        text.write_csv(options.csv, runs, rows)
    print((text.as_json if options.json else text.as_text)(pipeline, runs, rows))
