"""maskline verify: whether the committed result comes out again."""

import argparse
import signal
import sys
from pathlib import Path

_DESCRIPTION = """\
Run the pipeline of Git's HEAD from nothing, in a clone with an empty DVC cache, and
say for each output in dvc.lock whether it is equal to the byte, within tolerance, or
different. Exit code 1 if any is different.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "verify",
        help="say whether the committed result comes out again",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", type=Path, default=Path(), help="where the dvc.yaml is; default: here")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
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
