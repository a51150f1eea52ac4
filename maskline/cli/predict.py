"""maskline predict: label images with a trained model."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

_DESCRIPTION = """\
Label every pixel of images with a trained model. For each image, labels/ gets a PNG
whose values are the labels and whose palette shows the classes' colors, and overlays/
a picture to look at. areas.csv lists the pixels, the share and the mean confidence of
each class in each image.

Images are fitted as the training images were, and the result is returned at their own
size. A run that was stopped goes on when it is started again. run.json records the
model, the options and the images. The exit code is 1 if an image could not be read.
"""
_EXAMPLES = """\
examples:
  maskline predict data/model/model.keras photo.jpg -o out         one image
  maskline predict model.onnx photos/ 'more/**/*.tif' -o out       folders and patterns
  maskline predict model.onnx map.tif --window 512 --flip -o out   a large image, by windows
  maskline predict model.onnx photos/ --coco -o out                with coco.json
"""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the subcommand."""
    parser = commands.add_parser(
        "predict",
        help="label images with a trained model",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", type=Path, help="a .keras file, or an exported .onnx file")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="an image, a folder, or a pattern in quotes")
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="the folder to write")
    parser.add_argument("--flip", action="store_true", help="average with the prediction of the mirrored image")
    parser.add_argument(
        "--window",
        metavar="N",
        type=_whole(32, 4096),
        help="predict at the image's own size, in windows of N x N pixels, 32 to 4096",
    )
    parser.add_argument(
        "--scales",
        metavar="S",
        nargs="+",
        type=_scale,
        default=[1.0],
        help="average over the image scaled by each factor, 0.25 to 4",
    )
    parser.add_argument(
        "--dropout-samples",
        metavar="N",
        type=_whole(0, 100),
        default=0,
        help="average over N samples of dropout; .keras only",
    )
    parser.add_argument(
        "--refine",
        choices=["crf", "grabcut"],
        default="none",
        help="move borders to edges in the image",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--coco", action="store_const", dest="coco", const="rle", help="write coco.json, with exact masks (RLE)"
    )
    form.add_argument(
        "--polygons", action="store_const", dest="coco", const="polygons", help="write coco.json, with polygons"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace an earlier run in OUT, and overwrite files that are not of a run"
    )
    parser.set_defaults(run=_run, coco=None)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}. Received: {text}")
        return int(text)

    return parse


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0.25 <= scale <= 4:
        raise argparse.ArgumentTypeError(f"must be a number from 0.25 to 4. Received: {text}")
    return scale


def _run(options: argparse.Namespace) -> None:
    from maskline.messages import printable
    from maskline.prediction.job import predict_images  # not at the top, so that --help needs no NumPy
    from maskline.prediction.options import Options

    chosen = Options(
        flip=options.flip,
        window=options.window,
        scales=tuple(options.scales),
        dropout_samples=options.dropout_samples,
        refine=options.refine,
    )
    outcome = predict_images(options.model, options.images, options.out, chosen, coco=options.coco, force=options.force)
    kept = f", {outcome.kept} were there already" if outcome.kept else ""
    print(printable(f"{_images(outcome.predicted)} predicted{kept}: {options.out}"), flush=True)
    if outcome.problems:
        for problem in outcome.problems:
            print(printable(problem), file=sys.stderr)
        sys.exit(f"maskline: {_images(len(outcome.problems))} could not be read; see above.")


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"
