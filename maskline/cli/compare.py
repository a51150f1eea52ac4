"""maskline compare: test whether one revision's results are better than another's."""

import argparse
import os
from collections.abc import Callable

from maskline.cli.folder import add_folder
from maskline.errors import InputError

_DESCRIPTION = """\
Compare the test results of two Git revisions, image by image. For each metric, a
paired test gives the difference with its interval and p-value, and says whether B is
better or worse, or that it can't tell. The counts are read through DVC, from its
cache or its remote; your files stay as they are.

With --against, each side is a group of runs with several seeds, and the verdict is
about their params: the test allows for the variation among seeds and images. The runs
of a side must differ only in the seed. Each side needs four seeds or more;
`maskline seeds 4` runs them.
"""
_EXAMPLES = """\
examples:
  maskline compare main my-branch          branches, tags, commits or DVC experiments
  maskline compare main                    main and the workspace
  maskline compare main --folder ci --md   the pipeline in ci/, for a job's summary
  maskline compare '9be6ecf-seed-*' --against 'ce57696-seed-*'
                                           several seeds of two commits
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "compare",
        help="test whether one revision's results are better than another's",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "a",
        metavar="REV_A",
        nargs="+",
        help="two revisions, or one to compare with the workspace; with --against, the runs of A",
    )
    parser.add_argument(
        "--against", metavar="REV_B", nargs="+", help="the runs of B; names may be patterns, such as 'wide-*'"
    )
    add_folder(parser)
    parser.add_argument(
        "--resamples",
        type=_whole(1000),
        default=10_000,
        help="number of random exchanges of A and B, 1000 or more; default: 10000",
    )
    parser.add_argument("--seed", type=_whole(0), default=1, help="seed of the exchanges; default: 1")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--md", action="store_const", dest="style", const="md", help="print a Markdown table")
    style.add_argument("--json", action="store_const", dest="style", const="json", help="print JSON")
    parser.set_defaults(run=_run, style="text")


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}. Received: {text}")
        return int(text)

    return parse


def _run(options: argparse.Namespace) -> None:
    # Two threads take three times the CPU, and far more on a busy machine.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    print(_of_revisions(options) if options.against is None else _of_seeds(options))


def _of_revisions(options: argparse.Namespace) -> str:
    from maskline.comparison import text  # not at the top, so that --help needs no NumPy
    from maskline.comparison.compare import compare
    from maskline.comparison.revisions import WORKSPACE, read_result

    if len(options.a) > 2:
        raise InputError(
            "compare takes two revisions, or the runs of one side, --against, and those of the other. Received: "
            f"{' '.join(options.a)}"
        )
    a, b = (read_result(revision, options.folder) for revision in [*options.a, WORKSPACE][:2])
    write = {"text": text.as_text, "md": text.as_markdown, "json": text.as_json}[options.style]
    return write(compare(a, b, options.resamples, options.seed))


def _of_seeds(options: argparse.Namespace) -> str:
    from maskline.comparison import seeds_text as text
    from maskline.comparison.seeds import compare_seeds
    from maskline.comparison.sides import read_side, refuse_shared

    a, b = (read_side(revisions, options.folder) for revisions in (options.a, options.against))
    refuse_shared(a, b)
    before, after = ({seed: run.result for seed, run in side.items()} for side in (a, b))
    write = {"text": text.as_text, "md": text.as_markdown, "json": text.as_json}[options.style]
    return write(compare_seeds(before, after, options.resamples, options.seed))
