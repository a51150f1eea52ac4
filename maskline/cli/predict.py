"""maskline predict: label images with a trained model."""

import argparse
import sys
from pathlib import Path

from maskline.cli.numbers import number, whole
from maskline.prediction.bounds import DROPOUT_SAMPLES, SCALE, WINDOW

_DESCRIPTION = """\
Label every pixel of images with a trained model. For each image, labels/ gets a PNG
whose pixel values are the labels and whose palette has the colors of the classes, and
overlays/ gets a picture of the image with its labels. areas.csv lists the pixels, the
share and the mean confidence of each class in each image.

Images are resized as in training, and the labels have the size of the image. A run that
was stopped continues when you start it again. run.json records the model, the options
and the images. The exit code is 1 if an image could not be predicted.
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
    parser.add_argument(
        "model", metavar="MODEL", type=Path, help="a .keras, .onnx or .tflite file, or the folder of a SavedModel"
    )
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="an image, a folder, or a pattern in quotes")
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, required=True, help="the folder to write")
    parser.add_argument("--flip", action="store_true", help="average with the prediction of the mirrored image")
    parser.add_argument(
        "--window",
        metavar="N",
        type=whole(*WINDOW),
        help=f"predict at the image's own size, in windows of N x N pixels, {WINDOW[0]} to {WINDOW[1]}",
    )
    parser.add_argument(
        "--scales",
        metavar="S",
        nargs="+",
        type=number(*SCALE),
        default=[1.0],
        help=f"average the predictions of the image at each of these scales, {SCALE[0]:g} to {SCALE[1]:g}",
    )
    parser.add_argument(
        "--dropout-samples",
        metavar="N",
        type=whole(*DROPOUT_SAMPLES),
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
        "--force", action="store_true", help="replace an earlier run in OUT, and overwrite files that no run wrote"
    )
    parser.set_defaults(run=_run, coco=None)


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
        sys.exit(f"maskline: {_images(len(outcome.problems))} could not be predicted; see above.")


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"
