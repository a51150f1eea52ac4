"""maskline check: score a model file on the test images, and compare it with the .keras file it came from."""

import argparse
from pathlib import Path

from maskline.cli.folder import add_folder
from maskline.cli.limits import add_limits

_DESCRIPTION = """\
Score an exported file on the test images with the code of evaluate, and compare it
with the .keras file that it was made from. The command fails if mean IoU or the IoU
of a class falls by more than its limit.
"""
_EXAMPLES = """\
examples:
  maskline check model.onnx
  maskline check from-a-colleague.onnx --model data/model/model.keras --max-drop 0
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "check",
        help="score an exported file, and compare it with its .keras file",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", type=Path, help=".onnx, .tflite or .keras file, or the folder of a SavedModel")
    parser.add_argument(
        "--model", type=Path, help="the .keras file that it was made from; default: data/model/model.keras in --folder"
    )
    add_folder(parser)
    add_limits(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.comparison.text import as_table  # not at the top, so that --help needs no NumPy
    from maskline.contracts.folders import MODEL_FILE, SHARDS
    from maskline.contracts.manifest import read_manifest
    from maskline.contracts.model_info import read_keras_info
    from maskline.messages import without_stderr

    with without_stderr():
        from maskline.evaluation.fits import seen
        from maskline.export.check import Refused, check_file
        from maskline.export.gate import Limits

    model, shards = options.model or options.folder / MODEL_FILE, options.folder / SHARDS
    limits = Limits(options.max_drop, options.max_class_drop)
    try:
        print(as_table(check_file(options.file, model, shards, limits)))
    except Refused as refusal:
        print(as_table(refusal.comparison))
        raise
    for file in dict.fromkeys((model, options.file)):
        if file.suffix == ".keras" and (known := seen(file, read_keras_info(file), read_manifest(shards), shards)):
            print(f"\n{known}: these figures say only how far the two files agree.")
