"""What plan finds in a data set."""

from pathlib import Path
from typing import NamedTuple

from maskline.planning.choice import Choice


class FoundClass(NamedTuple):
    """A class, and how often the sampled masks show it.

    Attributes:
        name: from the data set's own files, or made from the value.
        value: in the masks, such as '7' or '#804000'; '' where masks are drawn from annotations.
        pixels: of the class in the sampled masks.
        images: sampled images that show the class.
    """

    name: str
    value: str
    pixels: int
    images: int


class Finding(NamedTuple):
    """A line to print: a topic of one or two words, such as 'mask values', and a sentence."""

    topic: str
    text: str


class Fingerprint(NamedTuple):
    """What plan finds in a data set. Pixels and sizes are of a sample, spread evenly over the data set.

    Attributes:
        path: the user's folder; None for a source that needs none.
        source: the params of section dataset that read the data, each with its reason.
        findings: what to tell the user, in the order of the topics.
        warnings: what the user should look at before training: unpaired files, values without a class, likely leaks.
        images: number of images by split of the source; the splits that are not there are held out.
        classes: in label order.
        void_pixels: in the sampled masks.
        sampled: number of images in the sample.
        smallest: height and width, pixels.
        median: height and width, pixels.
        largest: height and width, pixels.
        channels: number of sampled images by their kind, such as '8-bit RGB'.
        stored_bytes: of all images, masks and annotations on disk.
        groups: number of groups that the proposed dataset.group makes; None if none is proposed.
        raw_bytes: of all images and masks as download stores them, estimated from the sample.
        read_seconds: to read an image and its mask, or to draw them, on average.
        decode_seconds: to decode an image and its mask, on average.
    """

    path: Path | None
    source: list[Choice]
    findings: list[Finding]
    warnings: list[str]
    images: dict[str, int]
    classes: list[FoundClass]
    void_pixels: int
    sampled: int
    smallest: tuple[int, int]
    median: tuple[int, int]
    largest: tuple[int, int]
    channels: dict[str, int]
    stored_bytes: int
    groups: int | None
    raw_bytes: int
    read_seconds: float
    decode_seconds: float
