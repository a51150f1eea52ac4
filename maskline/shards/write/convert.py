"""Raw TFDS records to TFRecord shards of resized images and masks, one whole shard a task."""

import contextlib
import hashlib
import io
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from maskline.contracts.classes import VOID, Role
from maskline.contracts.manifest import Shard
from maskline.contracts.source import Source
from maskline.engine.cores import cores
from maskline.errors import InputError
from maskline.shards.decode import decode_image, decode_mask
from maskline.shards.raw import Raw, example_name, read_features
from maskline.shards.tfrecord import encode_example, frame
from maskline.shards.write.splits import Example

_JPEG_QUALITY = 95
_PNG_LEVEL = 3
_SURVEY_CHUNK = 64  # examples per task
_HASH_SIDE = 16  # of the difference hash; bits are its square


@dataclass(frozen=True)
class Target:
    """What the shards are to be: size in pixels, and encoding raw, png or jpeg."""

    height: int
    width: int
    encoding: str


@dataclass
class Counts:
    """What a shard's examples looked like before and after; the audit is their sum."""

    pixels: np.ndarray  # int64 [C]
    images_with_class: np.ndarray  # int64 [C]
    void_pixels: int = 0
    sizes: set[tuple[int, int]] = field(default_factory=set)
    conversions: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    digests: bytearray = field(default_factory=bytearray)  # 16 bytes an example, of the decoded pixels
    hashes: bytearray = field(default_factory=bytearray)  # 32 bytes an example, the bits of a difference hash


@dataclass(frozen=True)
class ShardTask:
    """One shard to write, the split it is part of, and the examples it holds."""

    file: str
    role: Role
    examples: Sequence[Raw]


def survey(raws: Sequence[Raw], source: Source, workers: int | None = None) -> list[Example]:
    """Read every mask and return which classes it shows, in the order of `raws`."""
    chunks = [raws[i : i + _SURVEY_CHUNK] for i in range(0, len(raws), _SURVEY_CHUNK)]
    found = _parallel(partial(_survey, source=source), chunks, len, "reading masks", workers)
    return [example for chunk in found for example in chunk]


def write_shards(
    folder: Path, tasks: Sequence[ShardTask], source: Source, target: Target, workers: int | None = None
) -> list[tuple[Shard, Counts]]:
    """Write each task's shard into `folder`; the bytes do not depend on the number of workers.

    Raises:
        InputError: an example cannot be used; the sentence names it.
    """
    convert = partial(_write_shard, folder=folder, source=source, target=target)
    return _parallel(convert, tasks, lambda task: len(task.examples), "writing shards", workers)


def _survey(raws: Sequence[Raw], source: Source) -> list[Example]:
    examples, problems = [], []
    for raw, features in read_features(raws, source):
        name = example_name(raw, features, source)
        with _collect(problems):
            mask = decode_mask(features[source.mask_feature], f"{raw.split}/{name}", source)
            examples.append(Example(name, np.bincount(mask.ravel(), minlength=256)[: len(source.classes)] > 0))
    _raise_if_any(problems)
    return examples


def _write_shard(task: ShardTask, folder: Path, source: Source, target: Target) -> tuple[Shard, Counts]:
    classes = len(source.classes)
    counts = Counts(np.zeros(classes, np.int64), np.zeros(classes, np.int64))
    digest, size, problems = hashlib.sha256(), 0, []
    with open(Path(folder) / task.file, "wb") as file:
        for raw, features in read_features(task.examples, source):
            with _collect(problems):
                data = frame(_convert(raw, features, source, target, counts))
                counts.names.append(f"{task.role}/{example_name(raw, features, source)}")
                file.write(data)
                digest.update(data)
                size += len(data)
    _raise_if_any(problems)
    return Shard(file=task.file, examples=len(task.examples), bytes=size, sha256=digest.hexdigest()), counts


def _convert(raw: Raw, features: dict[str, bytes], source: Source, target: Target, counts: Counts) -> bytes:
    """Return one serialised example, and add what it looked like to `counts`."""
    name = example_name(raw, features, source)
    shown = f"{raw.split}/{name}"
    image, conversions = decode_image(features[source.image_feature], shown)
    mask = decode_mask(features[source.mask_feature], shown, source)
    if mask.shape != (image.height, image.width):
        raise InputError(
            f"image and mask {shown} differ in size: {image.height}x{image.width} and {mask.shape[0]}x{mask.shape[1]} "
            "(height x width, EXIF rotation applied); export the mask again at the image's size."
        )
    counts.sizes.add(mask.shape)
    size = (target.width, target.height)
    # Pillow resamples with fixed-point arithmetic, so that every CPU gives the same pixels.
    small = image.resize(size, Image.Resampling.BILINEAR)
    labels = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    _count(counts, image, labels, conversions)
    return encode_example(
        {
            "image/encoded": _encode(small, target.encoding),
            "image/format": target.encoding.encode(),
            "image/height": target.height,
            "image/width": target.width,
            "image/filename": name.encode(),
            "image/segmentation/class/encoded": _encode(
                Image.fromarray(labels), "png" if target.encoding == "jpeg" else target.encoding
            ),
            "image/segmentation/class/format": b"raw" if target.encoding == "raw" else b"png",
        }
    )


def _count(counts: Counts, image: Image.Image, labels: np.ndarray, conversions: tuple[str, ...]) -> None:
    histogram = np.bincount(labels.ravel(), minlength=256)
    of_classes = histogram[: len(counts.pixels)]
    counts.pixels += of_classes
    counts.images_with_class += of_classes > 0
    counts.void_pixels += int(histogram[VOID])
    for conversion in conversions:
        counts.conversions[conversion] = counts.conversions.get(conversion, 0) + 1
    counts.digests += hashlib.blake2b(image.tobytes(), digest_size=16).digest()
    counts.hashes += _difference_hash(image)


def _difference_hash(image: Image.Image) -> bytes:
    """Return whether each cell of a small grey copy is brighter than its left neighbour, 256 bits."""
    grey = np.asarray(image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.BOX))
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes()


def _encode(image: Image.Image, encoding: str) -> bytes:
    if encoding == "raw":
        return image.tobytes()
    out = io.BytesIO()
    if encoding == "jpeg":
        image.save(out, "jpeg", quality=_JPEG_QUALITY)
    else:
        image.save(out, "png", compress_level=_PNG_LEVEL)
    return out.getvalue()


@contextlib.contextmanager
def _collect(problems: list[str]) -> Iterator[None]:
    """Note an example's problem and go on, so that one run counts all of a task's."""
    try:
        yield
    except InputError as error:
        problems.append(str(error))


def _raise_if_any(problems: list[str]) -> None:
    if problems:
        more = f" ({len(problems) - 1} more such problems beside it)" if len(problems) > 1 else ""
        raise InputError(problems[0] + more)


def _parallel(
    work: Callable[[Any], Any],
    tasks: Sequence[Any],
    size: Callable[[Any], int],
    description: str,
    workers: int | None,
) -> list[Any]:
    """Map `work` over `tasks` in worker processes, in order, with a progress bar on a terminal."""
    workers = min(workers or cores(), len(tasks))
    results = []
    with (
        tqdm(total=sum(map(size, tasks)), desc=description, unit=" images", disable=None, file=sys.stderr) as bar,
        ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_die_with_parent) as pool,
    ):
        try:
            for task, result in zip(tasks, _start(pool, work, tasks), strict=True):
                results.append(result)
                bar.update(size(task))
        except BrokenProcessPool:
            raise InputError(
                f"a worker was killed while {description}, most likely for want of memory; "
                "free some, or let fewer CPUs work with `taskset --cpu-list 0 dvc repro`."
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def _start(pool: ProcessPoolExecutor, work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Any]:
    """Hand out the tasks to workers that inherit a blocked SIGINT: Ctrl-C is the parent's to answer."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.map(work, tasks)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _die_with_parent() -> None:
    """End this worker when its parent is gone, even by SIGKILL."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
