"""COCO's instances: one JSON file per split with polygons or run lengths, whose crowds are void."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, TypeAdapter

from maskline.datasets.formats.annotations import AnnotatedImage, Annotations, Region
from maskline.datasets.formats.reading import by_split, find_image, once, read_json
from maskline.datasets.formats.shapes import Shape, polygon, run_lengths
from maskline.errors import InputError

LAYOUT = "instances in COCO's JSON (annotations/instances_train.json, or train/_annotations.coco.json) and their images"


class _Image(BaseModel):
    id: int | str
    file_name: str
    height: int
    width: int


class _Category(BaseModel):
    id: int
    name: str


class _Runs(BaseModel):
    size: tuple[int, int]
    counts: str | list[int]


class _Annotation(BaseModel):
    id: int | str | None = None
    image_id: int | str
    category_id: int
    segmentation: list[list[float]] | _Runs | None = None
    iscrowd: bool = False


class _File(BaseModel):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[_Annotation]


_FILE = TypeAdapter(_File)


def find_tree(path: Path) -> Path | None:
    """Return the user's path if it has JSON files where COCO's are."""
    return path if _json_files(path) else None


def read(tree: Path) -> Annotations:
    """Return the images that the files list; the classes are in the order of their category's id.

    Raises:
        InputError: a file is not COCO's, names an unknown image or category, or contradicts another.
    """
    files = by_split({path.relative_to(tree).as_posix(): path for path in _json_files(tree)}, "COCO files")
    names: dict[int, str] = {}
    splits: dict[str, list[AnnotatedImage]] = {}
    skipped: Counter[str] = Counter()
    seen: dict[Path, str] = {}
    for split, path in files.items():
        content = read_json(path, _FILE, "COCO's instances")
        _add_categories(names, content.categories, path)
        splits[split] = _images(tree, path, content, names, skipped, seen)
    return Annotations(next(iter(files.values())), [names[key] for key in sorted(names)], splits, tree, skipped)


def _json_files(tree: Path) -> list[Path]:
    places = ("*.json", "annotations/*.json", "*/_annotations.coco.json")
    found = sorted(path for place in places for path in tree.glob(place) if not path.name.startswith("."))
    return [path for path in found if path.name.startswith("instances")] or found


def _add_categories(names: dict[int, str], categories: Sequence[_Category], path: Path) -> None:
    for category in categories:
        if names.setdefault(category.id, category.name) != category.name:
            raise InputError(
                f"{path} names the category {category.id} {category.name!r}, but it is {names[category.id]!r} as well; "
                "give each category one id."
            )


def _images(
    tree: Path, path: Path, content: _File, names: dict[int, str], skipped: Counter[str], seen: dict[Path, str]
) -> list[AnnotatedImage]:
    part = path.stem.removeprefix("instances_")
    folders = [path.parent, tree / "images", tree, tree / "images" / part, tree / part]
    regions: dict[int | str, list[Region]] = {}
    for image in content.images:
        if image.id in regions:
            raise InputError(f"{path} has two images of the id {image.id}; give each its own.")
        regions[image.id] = []
    for number, annotation in enumerate(content.annotations):
        where = f"annotation {number if annotation.id is None else annotation.id}"
        if annotation.image_id not in regions:
            raise InputError(f"{path}: {where} is of the image {annotation.image_id}, which is not listed; delete it.")
        if annotation.category_id not in names:
            raise InputError(
                f"{path}: {where} has the category {annotation.category_id}, which is not listed; correct it."
            )
        if shapes := _shapes(annotation, f"{path}: {where}"):
            name = None if annotation.iscrowd else names[annotation.category_id]
            regions[annotation.image_id].append(Region(name, shapes, where))
        else:
            skipped["without_area"] += 1
    images = []
    for image in content.images:
        where = f"{path}: image {image.id}"
        file = once(find_image(folders, image.file_name, where), seen, where)
        name = file.relative_to(tree).as_posix()
        regions[image.id].sort(key=lambda region: region.name is not None)  # crowds are below all others
        images.append(AnnotatedImage(file, name, regions[image.id], (image.height, image.width), where))
    return images


def _shapes(annotation: _Annotation, where: str) -> list[Shape]:
    """Return the shapes of an annotation; polygons of fewer than three points have no area."""
    drawn = annotation.segmentation
    if isinstance(drawn, _Runs):
        return [run_lengths(drawn.counts, drawn.size)]
    try:
        return [polygon(points) for points in drawn or [] if len(points) > 5 or len(points) % 2]
    except ValueError as error:
        raise InputError(f"{where} {error}; correct it, or delete it.") from None
