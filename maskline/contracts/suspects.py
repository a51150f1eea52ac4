"""The labels to check, where the model is sure and the label differs: two tables for people, and the pictures."""

from typing import Annotated

from pydantic import Field

from maskline.contracts.audit import HeldOut
from maskline.contracts.folders import EVALUATION, METRICS
from maskline.contracts.numbers import Count, Length, Share
from maskline.contracts.pictures import Kind
from maskline.files.records import Record

REGIONS = METRICS / "suspects.csv"
IMAGES = METRICS / "suspect_images.csv"
PATH = EVALUATION / "suspects.json"
FOLDER = "suspects"  # of the pictures, next to suspects.json
MOST = 200  # rows of each table
MOST_PLACES = 5  # marked in one picture
KINDS: tuple[Kind, ...] = ("image", "truth", "prediction")

Score = Annotated[float, Field(gt=0)]


class SuspectRegion(Record):
    """A region to check, which has one label and one predicted class.

    Attributes:
        rank: from 1, the most suspicious region first.
        score: the higher, the more suspicious; see `maskline.evaluation.suspects.collection`.
        x, y, width, height: the box around it, in pixels of the original image; x and y from its top left corner.
        image_width, image_height: of the original image, pixels.
        pixels: of the region, at the size for scoring.
        confidence: mean over those pixels that are not at the region's edge.
    """

    rank: Length
    split: HeldOut
    filename: str
    score: Score
    x: Count
    y: Count
    width: Length
    height: Length
    image_width: Length
    image_height: Length
    label: str
    predicted: str
    pixels: Length
    confidence: Share


class SuspectImage(Record):
    """An image to check: the sum of its regions' scores, and how many regions it has."""

    rank: Length
    split: HeldOut
    filename: str
    score: Score
    regions: Length


class Place(Record):
    """A region of a picture, in the picture's pixels."""

    x: Count
    y: Count
    width: Length
    height: Length
    label: str
    predicted: str


class SuspectPicture(Record):
    """An image to check, the folder of its pictures relative to suspects.json, their size in pixels, and its places."""

    split: HeldOut
    filename: str
    folder: str
    height: Length
    width: Length
    places: Annotated[list[Place], Field(min_length=1, max_length=MOST_PLACES)]


class Suspects(Record):
    """The first images to check, in order of rank, and how many images were looked at."""

    images: Count
    pictures: list[SuspectPicture]
