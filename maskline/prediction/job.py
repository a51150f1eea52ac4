"""The work of `maskline predict`: from images to a folder of labels, overlays, areas and COCO annotations."""

import csv
import io
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from maskline.contracts.classes import ClassInfo
from maskline.errors import ImageError
from maskline.files.artifacts import sha256, write_bytes
from maskline.messages import os_sentence
from maskline.prediction.areas import Sums, areas
from maskline.prediction.coco import CocoImage, Form, write_coco
from maskline.prediction.image_rows import ImageRows
from maskline.prediction.inputs import ImageFile, find_images
from maskline.prediction.label_file import mapped_labels
from maskline.prediction.labels import check_shape, labeled_rows
from maskline.prediction.open_image import OpenImage, open_image
from maskline.prediction.options import Options, check_options, refine
from maskline.prediction.pictures import write_labels, write_overlay
from maskline.prediction.run_record import ImageRecord, Run, model_digest, open_run, outputs
from maskline.prediction.runtime import Runtime
from maskline.prediction.runtimes.opening import open_runtime

_MOST_SIDE_BY_SIDE = 12_500_000  # pixels; a few larger images at a time take too much memory


class Outcome(NamedTuple):
    """What a run did.

    Attributes:
        predicted: number of images that were predicted.
        kept: number of images that an earlier run had predicted.
        problems: a sentence for each bad image.
    """

    predicted: int
    kept: int
    problems: tuple[str, ...]


class _Labeled(NamedTuple):
    """An image with its labels uint8 [H, W], and what its record holds."""

    file: ImageFile
    rows: ImageRows
    labels: np.ndarray
    record: ImageRecord


def predict_images(
    model: Path, places: Sequence[str], out: Path, options: Options, *, coco: Form | None = None, force: bool = False
) -> Outcome:
    """Predict images, and write labels/, overlays/, areas.csv and run.json into a folder.

    A run that was stopped goes on: images that its record lists as done are not predicted again, unless their file or
    their outputs changed.

    Args:
        model: a file or folder that `open_runtime` takes.
        places: files, folders and patterns of images.
        out: the output folder.
        options: of the prediction.
        coco: the form of masks in coco.json; None: it is not written, unless the run that goes on has one.
        force: whether to remove the earlier run in the folder, and to overwrite other files there.

    Raises:
        InputError: there is no image, the model cannot do what the options ask for, or the output folder holds
            something else.
        ArtifactError: the model is missing, damaged, or not one of this project.
    """
    images = find_images(places, out)
    runtime = open_runtime(model)
    check_options(runtime, options, model)
    classes = runtime.info.classes
    run = open_run(out, model_digest(model), options, images, coco=coco, force=force)
    try:
        outcome = _predict_all(runtime, images, out, options, run)
    finally:
        run.write()
    _write_tables(out, run, classes)
    return outcome


class _Recorder:
    """Writes an image while the next is predicted, and records what became of each.

    Args:
        pool: of one thread, which writes.
        run: to record images in.
        out: the output folder.
        colors: of the classes.

    Attributes:
        predicted: number of images that are written.
        problems: a sentence for each bad image.
    """

    def __init__(self, pool: ThreadPoolExecutor, run: Run, out: Path, colors: Sequence[str]) -> None:
        self._pool, self._run, self._out, self._colors = pool, run, out, colors
        self._writing: tuple[ImageFile, Future[ImageRecord]] | None = None
        self.predicted, self.problems = 0, list[str]()

    def write(self, labeled: _Labeled) -> None:
        """Begin to write an image once the one before is written."""
        self.finish()
        self._writing = labeled.file, self._pool.submit(_write, labeled, self._out, self._colors)

    def finish(self) -> None:
        """Wait until the image is written, and record it."""
        if not self._writing:
            return
        (image, future), self._writing = self._writing, None
        try:
            record = future.result()
        except ImageError as error:
            self.refuse(image, error)
            return
        self._run.set(image, record)
        self.predicted += 1

    def refuse(self, image: ImageFile, error: ImageError) -> None:
        """Record a bad image, and remove what this run wrote for it when it was a good one."""
        self.problems.append(str(error))
        if self._run.images[image.name].state == "done":
            for path in outputs(self._out, image):
                path.unlink(missing_ok=True)
        self._run.set(image, ImageRecord(state="bad"))


def _predict_all(runtime: Runtime, images: Sequence[ImageFile], out: Path, options: Options, run: Run) -> Outcome:
    """Predict one image while the next is decoded and the one before is written; a large image is predicted alone."""
    kept = 0
    with (
        tqdm(total=len(images), desc="predicting", unit=" images", disable=None) as bar,
        ThreadPoolExecutor(1) as writer,
        ThreadPoolExecutor(1) as decoder,
    ):
        recorder = _Recorder(writer, run, out, [c.color for c in runtime.info.classes])
        for image, opened in _opened(decoder, images, out, run):
            if opened is None:
                kept += 1
            elif isinstance(opened, ImageError):
                recorder.refuse(image, opened)
            else:
                is_large = _is_large(opened)
                try:
                    recorder.write(_labeled(runtime, image, opened, out, options))
                except ImageError as error:
                    recorder.refuse(image, error)
                if is_large:
                    recorder.finish()
            del opened  # so that the image is freed as soon as it is written
            bar.update()
        recorder.finish()
    return Outcome(recorder.predicted, kept, tuple(recorder.problems))


_Opened = OpenImage | ImageError | None


def _opened(
    decoder: ThreadPoolExecutor, images: Sequence[ImageFile], out: Path, run: Run
) -> Iterator[tuple[ImageFile, _Opened]]:
    """Yield each image with what `_open` returns, which runs one image ahead unless the image is large."""
    ahead: Future[_Opened] | None = None
    for image, following in zip_longest(images, images[1:]):
        future = ahead or decoder.submit(_open, image, run.images[image.name], out)
        opened = future.result()
        ahead = None
        if following and not _is_large(opened):
            ahead = decoder.submit(_open, following, run.images[following.name], out)
        yield image, opened
        del future, opened


def _is_large(opened: _Opened) -> bool:
    return isinstance(opened, OpenImage) and opened.rows.height * opened.rows.width > _MOST_SIDE_BY_SIDE


def _open(image: ImageFile, known: ImageRecord, out: Path) -> _Opened:
    """Return the rows and the SHA-256 of an image, the error of one that is bad, or None for one that is done."""
    try:
        is_written = known.state == "done" and all(path.is_file() for path in outputs(out, image))
        if is_written and sha256(image.path) == known.sha256:
            return None
        return open_image(image.path, os.fspath(image.path))
    except ImageError as error:
        return error
    except OSError as error:
        return ImageError(os_sentence(error, "try again"))


def _labeled(runtime: Runtime, file: ImageFile, image: OpenImage, out: Path, options: Options) -> _Labeled:
    rows, name = image.rows, os.fspath(file.path)
    check_shape(runtime, rows, options.inference, name)
    sums = Sums(len(runtime.info.classes))

    def bands() -> Iterator[np.ndarray]:
        for band in labeled_rows(runtime, rows, options.inference, refine(options), name):
            sums.add(band.labels, band.confidence)
            yield band.labels

    labels = mapped_labels(bands(), rows.height, rows.width, out)
    record = ImageRecord(
        state="done",
        sha256=image.sha256,
        height=rows.height,
        width=rows.width,
        pixels=tuple(sums.pixels.tolist()),
        confidence=tuple(sums.confidence.tolist()),
    )
    return _Labeled(file, rows, labels, record)


def _write(labeled: _Labeled, out: Path, colors: Sequence[str]) -> ImageRecord:
    labels_path, overlay_path = outputs(out, labeled.file)
    write_overlay(overlay_path, labeled.rows, labeled.labels, colors)
    write_labels(labels_path, labeled.labels, colors)
    return labeled.record


def _write_tables(out: Path, run: Run, classes: Sequence[ClassInfo]) -> None:
    """Write areas.csv, and coco.json if the run has one, of all images whose labels are in the folder."""
    paths = {name: outputs(out, ImageFile(Path(name), name))[0] for name in run.images}
    done = [name for name, record in run.images.items() if record.state == "done" and paths[name].is_file()]
    write_bytes(out / "areas.csv", _areas_table(run, done, [c.name for c in classes]))
    if run.coco:
        write_coco(out / "coco.json", [CocoImage(name, paths[name]) for name in done], classes, run.coco)


def _areas_table(run: Run, images: Sequence[str], classes: Sequence[str]) -> bytes:
    # Python's writer leaves a carriage return without quotes, and readers take it for the end of a line.
    returns = any("\r" in name for name in (*images, *classes))
    table = io.StringIO(newline="")
    write = csv.writer(
        table, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    ).writerow
    write(["image", "class", "pixels", "share", "mean_confidence"])
    for name in images:
        record = run.images[name]
        for area in areas(classes, record.pixels, record.confidence):
            confidence = "" if area.mean_confidence is None else round(area.mean_confidence, 6)
            write([name, area.name, area.pixels, round(area.share, 6), confidence])
    return table.getvalue().encode()
