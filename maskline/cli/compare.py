"""maskline compare: test whether one revision's results are better than another's."""

import argparse
import os
from collections.abc import Callable

from maskline.cli.folder import add_folder

_DESCRIPTION = """\
Compare the test results of two Git revisions, image by image: each metric's
difference with an interval and p-value of a paired test, and whether B is better,
worse, or can't tell. The counts are read through DVC, from its cache or its
remote; nothing is checked out.
"""
_EXAMPLES = """\
examples:
  maskline compare main my-branch          branches, tags, commits or DVC experiments
  maskline compare main                    main and the workspace
  maskline compare main --folder ci --md   the pipeline in ci/, for a job's summary
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
    parser.add_argument("a", metavar="REV_A", help="the revision to compare with")
    parser.add_argument("b", metavar="REV_B", nargs="?", default="workspace", help="default: the workspace")
    add_folder(parser)
    parser.add_argument(
        "--resamples",
        type=_whole(1000),
        default=10_000,
        help="exchanges of A and B, 1000 or more; default: 10000",
    )
    parser.add_argument("--seed", type=_whole(0), default=1, help="of the exchanges; default: 1")
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
    from maskline.comparison import text as compare_text  # not at the top, so that --help needs no NumPy
    from maskline.comparison.compare import compare
    from maskline.comparison.revisions import read_result

    a, b = (read_result(revision, options.folder) for revision in (options.a, options.b))
    write = {"text": compare_text.as_text, "md": compare_text.as_markdown, "json": compare_text.as_json}[options.style]
    print(write(compare(a, b, options.resamples, options.seed)))
