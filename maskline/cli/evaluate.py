"""maskline evaluate: score any .keras file on a pipeline's test images, with every metric of its stage evaluate."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from maskline.cli.folder import add_folder
from maskline.errors import InputError

if TYPE_CHECKING:  # --help needs no NumPy
    from maskline.contracts.figures import Figures

_DESCRIPTION = """\
Score a .keras file, such as an ensemble or a model of another branch, on the test
images of a pipeline. The code, the params of section evaluate and the metrics are
those of the pipeline's stage evaluate. The pipeline's own results stay as they are.
"""
_EXAMPLES = """\
examples:
  maskline evaluate ensemble.keras
  maskline evaluate ensemble.keras -o scores --folder projects/mine
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "evaluate",
        help="score a .keras file on the test images, with every metric",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="the .keras file")
    parser.add_argument(
        "-o", "--output", type=Path, help="a new folder for the files of stage evaluate: metrics/ and evaluation/"
    )
    add_folder(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.files.artifacts import new_directory

    if not options.output:
        with tempfile.TemporaryDirectory() as folder:
            print(_text(_evaluated(options.model, options.folder, Path(folder))))
        return
    if options.output.exists():
        raise InputError(f"{options.output} exists; name a new folder with --output.")
    with new_directory(options.output) as folder:
        print(_text(_evaluated(options.model, options.folder, folder)))
    print(f"\nwritten   {options.output}")


def _evaluated(model: Path, pipeline: Path, out: Path) -> "Figures":
    """Do what the stage does, for another model.

    Args:
        model: the .keras file.
        pipeline: the folder of dvc.yaml, params.yaml and data/.
        out: a folder, which gets evaluation/ and metrics/.

    Raises:
        ArtifactError: the model or the shards are missing, damaged, or do not belong together.
        InputError: the model may know the test images, or it cannot do what the params ask for.
    """
    from maskline.contracts.figures import PATH, Figures
    from maskline.contracts.folders import EVALUATION, METRICS, RAW, SHARDS
    from maskline.contracts.manifest import read_manifest
    from maskline.contracts.model_info import read_keras_info
    from maskline.files.records import read_record
    from maskline.files.yaml12 import read_yaml
    from maskline.messages import without_stderr
    from maskline.params.check import check_params

    with without_stderr():
        from maskline.evaluation.evaluate import evaluate
        from maskline.evaluation.fits import seen

    params = check_params(read_yaml(pipeline / "params.yaml"), pipeline / "params.yaml")
    shards = pipeline / SHARDS
    if known := seen(model, read_keras_info(model), read_manifest(shards), shards):
        raise InputError(f"{known}; name a pipeline whose test images it does not know with --folder.")
    evaluate(
        pipeline / RAW,
        shards,
        model,
        out / EVALUATION.name,
        out / METRICS.name,
        params=params.evaluate,
        batch_size=params.train.batch_size,
        seed=params.seed,
    )
    return read_record(out / EVALUATION.name / PATH.name, Figures)


def _text(figures: "Figures") -> str:
    """Return the headline figures and the IoU of each class, with their intervals, as text for a terminal."""
    from tabulate import tabulate

    from maskline.messages import printable

    rows = [(row.figure, row.value, row.low, row.high) for row in figures.headlines]
    rows += [(f"iou.{row.name}", row.iou, row.low, row.high) for row in figures.classes]
    return tabulate(
        [(printable(name), _number(value), f"{_number(low)} to {_number(high)}") for name, value, low, high in rows],
        (f"on {figures.images:,} test images", "value", "95 % interval"),
        disable_numparse=True,
        colalign=("left", "right", "right"),
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.4f}"
