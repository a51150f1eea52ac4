"""maskline ensemble: several trained models in one file, used like one model."""

import argparse
from pathlib import Path

from maskline.errors import InputError

_DESCRIPTION = """\
Write an ensemble: one .keras file that holds several trained models and predicts the
mean of their probabilities. Commands take it like a single model. The members must have
the same classes and training images of the same size; their networks may differ. An
ensemble needs the time and the memory of all its members.
"""
_EXAMPLES = """\
examples:
  maskline ensemble seed1.keras seed2.keras seed3.keras -o ensemble.keras
  maskline evaluate ensemble.keras
  maskline predict ensemble.keras photos/ -o out
  maskline export ensemble.keras --format onnx -o ensemble.onnx
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "ensemble",
        help="join several trained models in one file",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", metavar="MODEL", type=Path, nargs="+", help="the .keras files, two or more")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .keras file to write")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.contracts.model_info import read_keras_info  # not at the top, so that --help needs no TensorFlow
    from maskline.messages import without_stderr

    with without_stderr():
        from maskline.export.joining import joined
        from maskline.models.files import save_model

    _check_output(options.output, options.models)
    save_model(joined(options.models), options.output)
    print(f"written   {options.output}, an ensemble of {len(options.models)} models")
    if len(set(read_keras_info(options.output).test_splits)) > 1:
        print(
            "Its members have different test splits, as folds have: each image of one may have trained another member, "
            "so score the ensemble on images that none of them has."
        )


def _check_output(output: Path, models: list[Path]) -> None:
    """Refuse a place that cannot be written, before the models are loaded.

    Raises:
        InputError: `output` is not named .keras, is in no folder, is a folder, or is one of the models.
    """
    if output.suffix != ".keras":
        raise InputError(f"the name of this file must end in .keras. Received: {output}; change --output.")
    if not output.parent.is_dir():
        raise InputError(f"{output.parent} is not a folder; make it, or name another place with --output.")
    if output.is_dir() or output.resolve() in [model.resolve() for model in models]:
        raise InputError(f"{output} is a folder or one of the models; name another file with --output.")
