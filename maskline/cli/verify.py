"""maskline verify: check that the committed result can be reproduced."""

import argparse
import sys

from maskline.cli.folder import add_folder
from maskline.cli.stopping import stop_like_interrupt

_DESCRIPTION = """\
Run the pipeline of Git's HEAD from scratch, in a clone with an empty DVC cache, and
report for each output in dvc.lock whether it is equal byte for byte, within tolerance,
or different. The exit code is 1 if any output is different.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "verify",
        help="check that the committed result can be reproduced",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_folder(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.verification.clone import committed_result, reproduced
    from maskline.verification.judgement import as_text, judge, recorded

    stop_like_interrupt()
    source = committed_result(options.folder)
    before = recorded(options.folder)
    print(f"verify: reproducing {source.commit[:7]} from scratch in a fresh clone.", file=sys.stderr, flush=True)
    with reproduced(source) as folder:
        verdicts = judge(before, recorded(folder))
    print(as_text(verdicts))
    if any(verdict.judgement == "different" for verdict in verdicts):
        sys.exit(1)
