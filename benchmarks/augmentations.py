"""What each augmentation alone brings to the recipe `pets` without augmentation, by the validation split.

Images have 128x128 pixels, three tenths of the train images are held out for validation, and the network has half of
the recipe's width. The last two rows fill what lies outside of a zoomed or rotated image with black or with the image's
mean color, and its labels with void, where the project reflects the image; the row before them is to compare with.
Everything else is as in `ingredients.py`:

    python benchmarks/augmentations.py --work pets
    ... --seeds 1 --all train.epochs=5 --only augment.flip=true "black and void outside"
"""

from ingredients import Row, change, measure, parser
from pipeline import ROOT, recipe_params

OUTSIDE = str(ROOT / "benchmarks/outside.py")
OFF = {"augment.flip": False} | {
    f"augment.{key}": 0.0 for key in ("scale", "rotation", "brightness", "contrast", "saturation")
}
CHEAPER = {
    "dataset.validation_fraction": 0.3,
    "preprocess.height": 128,
    "preprocess.width": 128,
    "model.width": 32,
}
ALONE = (
    "augment.flip=true",
    "augment.flip_vertical=true",
    "augment.quarter_turns=true",
    "augment.scale=0.25",
    "augment.rotation=15.0",
    "augment.translation=0.1",
    "augment.crop=[96,96]",
    "augment.crop=[96,96],augment.crop_rare=0.5",
    "augment.copy_paste=0.5",
    "augment.brightness=0.1",
    "augment.contrast=0.2",
    "augment.saturation=0.2",
    "augment.hue=20.0",
    "augment.blur=1.0",
)
FAR = "augment.scale=0.5,augment.rotation=30.0"  # shows much of what lies outside
ROWS = {text: Row(change(text)) for text in (*ALONE, FAR)} | {
    f"{color} and void outside": Row(change(FAR), (OUTSIDE, color)) for color in ("black", "mean")
}


def main() -> None:
    """Measure all rows, or some of them."""
    arguments = parser(__doc__)
    arguments.add_argument("--only", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW", help="default: all")
    options = arguments.parse_args()
    measure(recipe_params(ROOT / "recipes/pets") | OFF | CHEAPER, {name: ROWS[name] for name in options.only}, options)


if __name__ == "__main__":
    main()
