"""Data sets of image and mask files in an unpacked tree, which is a local copy or is downloaded."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import tensorflow_datasets as tfds

from maskline.datasets.archives import unpack
from maskline.datasets.fetch import fetch
from maskline.errors import InputError

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

    def _generate_examples(self, examples: list[FileExample]) -> Iterator[tuple[int, FileExample]]:
        yield from enumerate(examples)


def fetch_archive(
    url: str,
    checksum: str | None,
    downloads: Path,
    folder: Path,
    layout: str,
    wanted: Callable[[str], bool],
    find_tree: Callable[[Path], Path | None],
) -> Path:
    """Download an archive, unpack its wanted files into the new `folder`, and return the tree in it.

    Args:
        checksum: SHA-256 of the archive, or None if its bytes are not fixed.
        downloads: folder that keeps the complete archive for the next run if this one fails.
        layout: description of the tree.
        find_tree: returns the tree in the folder, or None.

    Raises:
        InputError: the archive cannot be downloaded, is damaged, or does not contain the tree.
    """
    remedy = f"Check the network, or set dataset.path to a local copy: {layout}."
    archive = fetch(url, downloads / PurePosixPath(urlsplit(url).path).name, remedy, checksum)
    try:
        unpack(archive, folder, wanted)
        tree = find_tree(folder)
        if tree is None:
            raise InputError(f"{url} does not contain {layout}; set dataset.path to a local copy.")
    except InputError:
        archive.unlink()  # otherwise the next run uses it again
        raise
    return tree
