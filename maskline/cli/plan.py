"""maskline plan: look at a data set, choose params for it, say what they will cost, and write a project."""

import argparse
import sys
from pathlib import Path

from maskline.cli.numbers import number
from maskline.cli.stopping import stop_like_interrupt
from maskline.errors import InputError

_DESCRIPTION = """\
Look at a folder of images with masks or annotations, and print its layout, classes
and sizes, and what to look at before training. Propose params for this folder and this
machine, with a reason for each. Forecast the time, memory and disk space of each stage
from a few real training steps. Nothing in the folder is changed.
"""
_EXAMPLES = """\
examples:
  maskline plan photos/                               look, propose, forecast
  maskline plan photos/ --minutes 30                  training in half an hour
  maskline plan photos/ --write projects/mine         then: dvc repro projects/mine/dvc.yaml
  maskline plan --update projects/mine                after an update of maskline
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "plan",
        help="look at your images, choose params, and write a project",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "path", metavar="PATH", nargs="?", help="your folder, or the name of a built-in source, such as shapes"
    )
    parser.add_argument(
        "--minutes", metavar="M", type=number(0.1, 100000), help="how long training may take; default: 30"
    )
    parser.add_argument("--weights", metavar="FILE", type=Path, help="encoder weights to start from")
    parser.add_argument(
        "--write", metavar="FOLDER", type=Path, help="write a project with these params, such as projects/mine"
    )
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    parser.add_argument(
        "--update",
        metavar="FOLDER",
        type=Path,
        help="update a project's dvc.yaml, and add new params; your values stay",
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if (options.path is None) == (options.update is None):
        raise InputError("name your folder, as in `maskline plan photos/`, or a project, as in --update projects/mine.")
    stop_like_interrupt()
    if options.update is not None:
        _update(options.update)
    else:
        _plan(options)


def _update(folder: Path) -> None:
    from maskline.messages import printable  # not at the top, so that --help needs no pydantic
    from maskline.planning.project import project_root, update_project

    for line in update_project(folder, project_root()) or [f"{folder} is up to date"]:
        print(printable(line))


def _plan(options: argparse.Namespace) -> None:
    from maskline.planning.plan import make_plan
    from maskline.planning.project import check_new, placed, project_root, write_project
    from maskline.planning.text import as_json, as_text

    root = project_root()
    if options.write is not None:
        check_new(options.write, root)
    plan = make_plan(options.path, root, options.minutes, options.weights, _say)
    if options.write is not None:
        plan = placed(plan, options.write, root)
        write_project(options.write, root, {change.key: change.value for change in plan.changes})
    print(as_json(plan, options.write) if options.json else as_text(plan, options.path, options.write))


def _say(line: str) -> None:
    from maskline.messages import printable

    print(f"plan: {printable(line)}", file=sys.stderr, flush=True)
