"""The raw data set, from a local copy or a builder, written in canonical form with a description of its masks."""

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from maskline.contracts.classes import Role
from maskline.contracts.groups import write_groups
from maskline.contracts.source import Source, write_source
from maskline.datasets.catalogue import PREPARED, Entry, entry_of
from maskline.datasets.formats.classes import ClassTable, picked, refuse_own_classes, table_of
from maskline.datasets.groups import read_grouping
from maskline.datasets.prepared import find_prepared, read_prepared
from maskline.datasets.sources import other
from maskline.datasets.sources.annotated import AnnotatedBuilder
from maskline.datasets.sources.cityscapes import Cityscapes
from maskline.datasets.sources.folder import Folder
from maskline.datasets.tfds_downloads import download_and_prepare
from maskline.errors import InputError
from maskline.files.artifacts import new_directory
from maskline.params.source import SourceParams

_MANUAL = Path("downloads/manual")  # in a TFDS data directory

ROLES: tuple[Role, ...] = ("train", "validation", "test")


def prepare(dataset: SourceParams, seed: int, raw: Path) -> None:
    """Replace the folder `raw` by the data set that the params of section `dataset` name.

    Complete downloads are kept next to it, in `downloads`, until the data set is ready.

    Raises:
        InputError: the params do not fit the data set, no copy is usable, or the download fails.
    """
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    raw = Path(raw)
    scratch, downloads = raw.with_name(f"{raw.name}.scratch.partial"), raw.with_name("downloads")
    entry = entry_of(dataset.name)
    table = _table(dataset, entry)
    place = None if dataset.path is None else Path(dataset.path)
    grouping = None if dataset.group is None else read_grouping(dataset.group, place)
    from maskline.datasets import canonical  # imports TensorFlow, so a mistake in params is reported sooner

    shutil.rmtree(scratch, ignore_errors=True)
    try:
        prepared = _builder(dataset, entry, scratch, downloads)
        source = _source(dataset, table, prepared)
        with new_directory(raw) as folder:
            if grouping is None:
                canonical.copy(prepared, folder, source, seed, dataset.test_fraction)
            else:
                groups = canonical.copy(prepared, folder, source, seed, dataset.test_fraction, grouping.of)
                write_groups(folder, groups, grouping.unused())
            write_source(folder, source)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        for unfinished in [*downloads.rglob("*.tmp.*")]:
            shutil.rmtree(unfinished, ignore_errors=True)
    shutil.rmtree(downloads, ignore_errors=True)


def _table(dataset: SourceParams, entry: Entry) -> ClassTable | None:
    """Return the classes, or None if the builder knows them once it has run."""
    if entry.annotated:
        refuse_own_classes(dataset, chosen=("classes", "colors"))
        return None
    if entry.table is None:
        return table_of(dataset)
    refuse_own_classes(dataset, chosen=("classes",))
    return picked(entry.table, dataset.classes, dataset.name)


def _builder(dataset: SourceParams, entry: Entry, scratch: Path, downloads: Path) -> tfds.core.DatasetBuilder:
    """Return the builder of a prepared copy if there is one, else a builder after it has prepared the data set."""
    places = tfds_dirs() if dataset.path is None else [_existing(dataset.path)]
    for place in places if entry.published else []:
        if (found := find_prepared(place, dataset.name, entry.version)) is not None:
            return read_prepared(found)
    tree = _tree(dataset, entry, places)
    if dataset.path is not None and tree is None:
        raise InputError(_unusable(dataset, entry))
    options = {"dataset": dataset} if entry.annotated else {}
    with _temporary_files_in(scratch):
        builder = entry.builder(tree=tree, data_dir=scratch, **options)
    remedy = f"Check the network, or set dataset.path to a local copy: {entry.layout}."
    download_and_prepare(builder, downloads, tfds_dirs()[0] / _MANUAL, remedy)
    return builder


def _tree(dataset: SourceParams, entry: Entry, places: Sequence[Path]) -> Path | None:
    """Return the unpacked tree in the user's path, or in a folder of files that TFDS lets users download by hand."""
    if dataset.path is not None:
        return entry.find_tree(places[0])
    found = (entry.find_tree(place / _MANUAL) for place in places if entry.published)
    return next(filter(None, found), None)


@contextlib.contextmanager
def _temporary_files_in(folder: Path) -> Iterator[None]:
    """Within the block, let temporary files be made in a folder: a TFDS builder makes one and never removes it."""
    folder.mkdir(parents=True, exist_ok=True)
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


def tfds_dirs() -> list[Path]:
    """Return the folders where TFDS keeps prepared data sets."""
    given = os.environ.get("TFDS_DATA_DIR")
    # A user without a home folder has none by this name, and os.path leaves the path as it is.
    return [Path(os.path.expanduser(place)) for place in (given, "~/tensorflow_datasets") if place]


def _existing(path: str) -> Path:
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"dataset.path must be an existing folder. Received: {path!r}")
    return folder


def _unusable(dataset: SourceParams, entry: Entry) -> str:
    if not entry.layout:
        return f"{dataset.name} is drawn by the project; set dataset.path to none. Received: {dataset.path!r}"
    forms = [f"a prepared TFDS data set {dataset.name} {entry.version or ''}".strip()] if entry.published else []
    forms += [entry.layout] if entry.layout != PREPARED else []
    return f"dataset.path does not hold {dataset.name}; it must hold {', or '.join(forms)}. Received: {dataset.path!r}"


def _source(dataset: SourceParams, table: ClassTable | None, prepared: tfds.core.DatasetBuilder) -> Source:
    info = prepared.info
    if isinstance(prepared, AnnotatedBuilder):
        table = prepared.table()
    assert table is not None
    other.check_features(info, dataset.image_feature, dataset.mask_feature)
    if "train" not in info.splits:
        raise InputError(f"{info.full_name} has no split train; it cannot be used. Received: {', '.join(info.splits)}")
    return Source(
        name=info.name,
        version=str(info.version),
        image_feature=dataset.image_feature,
        mask_feature=dataset.mask_feature,
        filename_feature=other.filename_feature(info),
        splits={role: role for role in ROLES if role in info.splits or role == "test"},
        test_is_held_out="test" not in info.splits,
        left_out=prepared.left_out() if isinstance(prepared, (Folder, AnnotatedBuilder, Cityscapes)) else 0,
        annotations=prepared.counts() if isinstance(prepared, AnnotatedBuilder) else None,
        **table._asdict(),
    )
