"""The command `maskline`: what is no stage of the pipeline."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from maskline.errors import InputError

_COMPARE = """\
Compare the test results of two Git revisions, image by image: each metric's
difference with a paired bootstrap interval and p-value, and whether B is better,
worse, or can't tell. The counts are read through DVC, from its cache or its
remote; nothing is checked out.
"""
_VERIFY = """\
Run the pipeline of Git's HEAD from nothing, in a clone with an empty DVC cache, and
say for each output in dvc.lock whether it is equal to the byte, within tolerance, or
different. Exit code 1 if any is different.
"""
_EXAMPLE = """\
examples:
  maskline compare main my-branch          branches, tags, commits or DVC experiments
  maskline compare main                    main and the workspace
  maskline compare main --folder ci --md   the pipeline in ci/, for a job's summary
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a subcommand; what the user can mend ends in one sentence and exit code 1."""
    parser = argparse.ArgumentParser(prog="maskline", description="What is no stage: `dvc repro` runs the pipeline.")
    commands = parser.add_subparsers(metavar="command", required=True)
    _add_compare(commands)
    _add_verify(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        sys.exit(f"maskline: {error}")
    except KeyboardInterrupt:
        sys.exit("maskline: stopped.")


def _add_compare(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "compare",
        help="say whether one revision's test results are better than another's",
        description=_COMPARE,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("a", metavar="REV_A", help="the revision to compare with")
    parser.add_argument("b", metavar="REV_B", nargs="?", default="workspace", help="default: the workspace")
    parser.add_argument("--folder", type=Path, default=Path(), help="where the dvc.yaml is; default: here")
    parser.add_argument(
        "--resamples", type=_whole(1000), default=10_000, help="draws of the bootstrap, 1000 or more; default: 10000"
    )
    parser.add_argument("--seed", type=_whole(0), default=1, help="of the bootstrap; default: 1")
    style = parser.add_mutually_exclusive_group()
    style.add_argument("--md", action="store_const", dest="style", const="md", help="print a Markdown table")
    style.add_argument("--json", action="store_const", dest="style", const="json", help="print JSON")
    parser.set_defaults(run=_compare, style="text")


def _add_verify(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "verify",
        help="say whether the committed result comes out again",
        description=_VERIFY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the dvc.yaml is; default: here")
    parser.set_defaults(run=_verify)


def _whole(least: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}. Received: {text}")
        return int(text)

    return parse


def _compare(options: argparse.Namespace) -> None:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # two cost three times the CPU, and far more on a busy machine
    from maskline.comparison import text as compare_text  # not at the top, so that --help needs no NumPy
    from maskline.comparison.compare import compare
    from maskline.comparison.revisions import read_counts

    a, b = (read_counts(revision, options.folder) for revision in (options.a, options.b))
    write = {"text": compare_text.as_text, "md": compare_text.as_markdown, "json": compare_text.as_json}[options.style]
    print(write(compare(a, b, options.resamples, options.seed)))


def _verify(options: argparse.Namespace) -> None:
    from maskline.verification.clone import committed, reproduced
    from maskline.verification.judgement import as_text, judge, recorded

    for stop in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.default_int_handler)
    source = committed(options.folder)
    before = recorded(options.folder)
    print(f"verify: {source.commit[:7]} is reproduced in a fresh clone, from nothing.", file=sys.stderr, flush=True)
    with reproduced(source) as folder:
        verdicts = judge(before, recorded(folder))
    print(as_text(verdicts))
    if any(verdict.judgement == "different" for verdict in verdicts):
        sys.exit(1)
