"""Data sets of image and mask files in an unpacked tree, which is a local copy or is downloaded."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import tensorflow_datasets as tfds

from maskline.datasets.archives import unpack
from maskline.datasets.fetch import fetch
from maskline.datasets.formats.as_png import image_bytes, mask_bytes
from maskline.errors import InputError
from maskline.files.artifacts import sha256

FileExample = dict[str, str]  # paths of image and segmentation_mask, and file_name


class TreeBuilder(tfds.core.GeneratorBasedBuilder):
    """A builder that reads the folder `tree`, or downloads one if `tree` is None.

    Subclasses define `_info` and `examples_of`, and `fetch_tree` if they can be downloaded.
    """

    def __init__(self, *, tree: Path | None = None, **kwargs: Any) -> None:
        self._tree = tree
        super().__init__(**kwargs)

    @abstractmethod
    def examples_of(self, tree: Path) -> dict[str, list[FileExample]]:
        """Return a tree's checked examples by split, in order."""

    def fetch_tree(self, downloads: Path, folder: Path) -> Path:
        """Download an archive to `downloads`, unpack it into the new `folder`, and return the tree in it."""
        raise NotImplementedError

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        tree = self._tree or self.fetch_tree(Path(dl_manager.download_dir), Path(self.data_dir_root) / "unpacked")
        return {split: self._generate_examples(examples) for split, examples in self.examples_of(tree).items()}

    def _generate_examples(self, examples: list[FileExample]) -> Iterator[tuple[int, dict[str, Any]]]:
        for number, example in enumerate(examples):
            image, mask = image_bytes(Path(example["image"])), mask_bytes(Path(example["segmentation_mask"]))
            yield number, {**example, "image": image, "segmentation_mask": mask}


def fetch_archive(
    url: str,
    checksum: str | None,
    downloads: Path,
    folder: Path,
    layout: str,
    wanted: Callable[[str], bool],
    find_tree: Callable[[Path], Path | None],
    content: str | None = None,
) -> Path:
    """Download an archive, unpack its wanted files into the new `folder`, and return the tree in it.

    Args:
        checksum: SHA-256 of the archive, or None if its bytes are not fixed.
        downloads: folder that keeps the complete archive for the next run if this one fails.
        layout: description of the tree.
        find_tree: returns the tree in the folder, or None.
        content: `content_sum` of the tree, or None if its files are not known.

    Raises:
        InputError: the archive cannot be downloaded, is damaged, or does not contain the tree or its files.
    """
    remedy = f"Check the network, or set dataset.path to a local copy: {layout}."
    archive = fetch(url, downloads / PurePosixPath(urlsplit(url).path).name, remedy, checksum)
    try:
        unpack(archive, folder, wanted)
        tree = find_tree(folder)
        if tree is None:
            raise InputError(f"{url} does not contain {layout}; set dataset.path to a local copy.")
        if content is not None and (received := content_sum(tree)) != content:
            raise InputError(
                f"{url} does not contain the expected files; set dataset.path to a local copy. "
                f"Received: SHA-256 {received}, expected: SHA-256 {content}"
            )
    except InputError:
        archive.unlink()  # otherwise the next run uses it again
        raise
    return tree


def content_sum(tree: Path) -> str:
    """Return the SHA-256 of the lines of `sha256sum`, sorted by name, on all files of a tree."""
    names = sorted(path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file())
    lines = "".join(f"{sha256(tree / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()
