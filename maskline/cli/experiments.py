"""maskline experiments: DVC's experiments in a table that fits a terminal."""

import argparse
import shutil

from maskline.cli.folder import add_folder

_DESCRIPTION = """\
List the workspace, the current commit and the experiments that started from it, with
mean IoU, its change from the commit, and the params that differ. The best comes
first; failed, running and queued experiments come last.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "experiments",
        help="list DVC's experiments: mean IoU and the params that differ",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_folder(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.comparison.experiments import as_text, read_experiments  # not at the top, to keep --help fast

    print(as_text(read_experiments(options.folder), shutil.get_terminal_size((120, 24)).columns))
