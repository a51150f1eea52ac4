"""maskline export: write a model for another runtime, if it scores there as it does here."""

import argparse
from pathlib import Path

from maskline.cli.folder import add_folder
from maskline.cli.limits import add_limits
from maskline.cli.stopping import stop_like_interrupt
from maskline.errors import InputError

_DESCRIPTION = """\
Write a trained model for ONNX Runtime, TensorFlow Serving, LiteRT or a browser. The
file is scored on the test images with the code of evaluate, and is written only if
mean IoU and the IoU of each class fall by no more than their limits. The file takes
uint8 RGB images and contains the classes, their colors, the training size and the
score.
"""
_EXAMPLES = """\
examples:
  maskline export data/model/model.keras --format onnx -o model.onnx
  maskline export data/model/model.keras --format onnx --int8 -o small.onnx
  maskline export data/model/model.keras --format savedmodel -o street
  maskline export data/model/model.keras --format litert -o model.tflite
  maskline export data/model/model.keras --html -o model.html

`maskline predict` runs .onnx files without TensorFlow. The HTML file labels images
in a browser, without a network. The first export of one downloads ONNX Runtime Web
from the npm registry.
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "export",
        help="write a model for another runtime, if it keeps its score there",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="the .keras file")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--format", choices=("onnx", "savedmodel", "litert"), help="format of the file")
    kind.add_argument(
        "--html", action="store_true", help="write a web page that contains the model and everything that runs it"
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="the file to write, or the folder of a SavedModel"
    )
    parser.add_argument(
        "--int8", action="store_true", help="quantize an ONNX file: smaller, and faster on processors with VNNI"
    )
    parser.add_argument(
        "--labels", action="store_true", help="add outputs for labels and confidence; the default is probabilities only"
    )
    parser.add_argument(
        "--web-runtime", type=Path, help="for --html: a copy of ONNX Runtime Web's npm tarball", metavar="TGZ"
    )
    add_folder(parser)
    add_limits(parser)
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from maskline.comparison.text import as_table  # not at the top, so that --help needs no TensorFlow
    from maskline.contracts.folders import SHARDS
    from maskline.messages import without_stderr

    with without_stderr():
        from maskline.export.check import Refused
        from maskline.export.export import Wanted, export
        from maskline.export.gate import Limits

    stop_like_interrupt()
    if options.web_runtime and not options.html:
        raise InputError(f"--web-runtime is only for --html; leave it out. Received: {options.web_runtime}")
    wanted = Wanted(options.format or "onnx", options.int8, options.labels, options.html, options.web_runtime)
    limits = Limits(options.max_drop, options.max_class_drop)
    try:
        done = export(options.model, options.output, wanted, options.folder, options.folder / SHARDS, limits)
    except Refused as refusal:
        print(as_table(refusal.comparison))
        raise
    print(as_table(done.comparison))
    print(f"\nwritten   {options.output}")
    if done.seen:
        print(f"{done.seen}: the file keeps the model's score, but records none.")
    if done.only_size:
        height, width = done.only_size
        print(f"It takes only images of the training size, {height}x{width} (height x width).")
