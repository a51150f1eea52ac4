"""Writers of annotation formats: labels uint8 [H, W] to the files that label tools export.

In the formats of polygons, each 4-connected part is its outline with holes filled, along the pixels' edges, and larger
parts come first, so that what is in a hole is drawn over it.
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import numpy as np
from PIL import Image
from scipy import ndimage

from maskline.contracts.rle import as_text, class_runs

VOID = 255


class Labeled(NamedTuple):
    """An image's name, its pixels or its file, and its labels, with 255 for void."""

    name: str
    image: np.ndarray | bytes
    labels: np.ndarray


class Part(NamedTuple):
    """A class, and the outline of a part of it: x, y, x, y ... in pixels."""

    label: int
    outline: list[int]


def parts(labels: np.ndarray, without: Sequence[int] = ()) -> list[Part]:
    """Return the parts of each label, those that surround others first."""
    found = []
    for label in np.unique(labels).tolist():
        if label in without:
            continue
        numbers, count = ndimage.label(labels == label)
        for number, place in enumerate(ndimage.find_objects(numbers), 1):
            filled = ndimage.binary_fill_holes(numbers[place] == number)
            corner = np.array([place[1].start, place[0].start])
            found.append((int(filled.sum()), Part(label, (outline(filled) + corner).ravel().tolist())))
        assert count == len(ndimage.find_objects(numbers))
    return [part for _, part in sorted(found, key=lambda each: -each[0])]


# The pixel outside an edge, as a step in y and x, and the edge's ends, in x and y.
_EDGES = (
    (-1, 0, (0, 0), (1, 0)),
    (0, 1, (1, 0), (1, 1)),
    (1, 0, (1, 1), (0, 1)),
    (0, -1, (0, 1), (0, 0)),
)


def outline(filled: np.ndarray) -> np.ndarray:
    """Return the corners, int [N, 2] x and y, of the closed line along the edges of connected pixels without holes."""
    padded = np.pad(filled, 1)
    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for dy, dx, start, end in _EDGES:
        border = padded & ~np.roll(padded, (-dy, -dx), (0, 1))
        for y, x in (np.argwhere(border) - 1).tolist():
            following.setdefault((x + start[0], y + start[1]), []).append((x + end[0], y + end[1]))
    walk, stack = [], [min(following)]
    while stack:  # Hierholzer's walk over every edge
        if ends := following.get(stack[-1]):
            stack.append(ends.pop())
        else:
            walk.append(stack.pop())
    return np.array(walk[:-1])


def write_images(folder: Path, images: Sequence[Labeled]) -> None:
    for image in images:
        path = folder / image.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(image.image, bytes):
            path.write_bytes(image.image)
        else:
            Image.fromarray(image.image).save(path)


def write_coco(
    tree: Path, images: Mapping[str, Sequence[Labeled]], names: Sequence[str], form: str = "text", background: int = 0
) -> None:
    """Write images/ and annotations/instances_<split>.json; `form` is text, numbers or polygons; void is a crowd."""
    for split, labeled in images.items():
        write_images(tree / "images", labeled)
        listed, annotations = [], []
        for key, image in enumerate(labeled, 1):
            height, width = image.labels.shape
            listed.append({"id": key, "file_name": image.name, "height": height, "width": width})
            size = [height, width]
            if form == "polygons":
                drawn = [(p.label, [p.outline]) for p in parts(image.labels, [background, VOID])]
                crowd = class_runs((image.labels == VOID).astype(np.uint8), 2)[1]
                drawn += [(VOID, {"size": size, "counts": crowd.tolist()})]
            else:
                present = [label for label in np.unique(image.labels).tolist() if label != background]
                runs = {label: class_runs((image.labels == label).astype(np.uint8), 2)[1] for label in present}
                drawn = [
                    (label, {"size": size, "counts": as_text(r) if form == "text" else r.tolist()})
                    for label, r in runs.items()
                ]
            for label, segmentation in drawn:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": key,
                        "category_id": 1 if label == VOID else 10 * label,
                        "segmentation": segmentation,
                        "iscrowd": int(label == VOID),
                    }
                )
        categories = [{"id": 10 * label, "name": name} for label, name in enumerate(names) if label != background]
        categories.append({"id": 1, "name": "void"})
        content = {"info": {}, "images": listed, "annotations": annotations, "categories": categories}
        save(tree / "annotations" / f"instances_{split}.json", content)


def write_yolo(tree: Path, images: Mapping[str, Sequence[Labeled]], names: Sequence[str]) -> None:
    """Write data.yaml, images/<split>/ and labels/<split>/."""
    lines = ["path: ../elsewhere", *(f"{split}: images/{split}" for split in images)]
    lines += ["names:", *(f"  {i}: {json.dumps(name)}" for i, name in enumerate(names))]
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "data.yaml").write_text("\n".join(lines) + "\n")
    for split, labeled in images.items():
        write_images(tree / "images" / split, labeled)
        for image in labeled:
            height, width = image.labels.shape
            rows = []
            for part in parts(image.labels):
                shares = (np.array(part.outline).reshape(-1, 2) / [width, height]).ravel()
                rows.append(" ".join([str(part.label), *(f"{share:.9f}" for share in shares)]))
            path = (tree / "labels" / split / image.name).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(rows) + "\n")


def write_labelme(tree: Path, images: Sequence[Labeled], names: Sequence[str], masks: bool = False) -> None:
    """Write each image and its JSON file next to each other; `masks` draws masks instead of polygons."""
    write_images(tree, images)
    for image in images:
        height, width = image.labels.shape
        shapes = []
        for label in np.unique(image.labels).tolist() if masks else []:
            rows, columns = np.nonzero(image.labels == label)
            (top, left), (bottom, right) = (rows.min(), columns.min()), (rows.max(), columns.max())
            part = (image.labels == label)[top : bottom + 1, left : right + 1]
            corners = [[float(left), float(top)], [float(right), float(bottom)]]
            data = base64.b64encode(png(part.astype(np.uint8) * 255)).decode()
            shapes.append((label, {"shape_type": "mask", "points": corners, "mask": data}))
        for part in [] if masks else parts(image.labels):
            shapes.append((part.label, {"shape_type": "polygon", "points": pairs(part.outline)}))
        content = {
            "version": "5.5.0",
            "flags": {},
            "shapes": [
                {"label": "__ignore__" if label == VOID else names[label], "group_id": None, **shape}
                for label, shape in shapes
            ],
            "imagePath": Path(image.name).name,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        save((tree / image.name).with_suffix(".json"), content)


def write_cvat(tree: Path, images: Mapping[str, Sequence[Labeled]], names: Sequence[str], masks: bool = False) -> None:
    """Write annotations.xml and images/; `masks` draws masks instead of polygons."""
    rows = ["<annotations>", "<version>1.1</version>", "<meta><task><labels>"]
    rows += [f"<label><name>{name}</name></label>" for name in names]
    rows.append("</labels></task></meta>")
    for split, labeled in images.items():
        write_images(tree / "images", labeled)
        for image in labeled:
            height, width = image.labels.shape
            rows.append(
                f'<image id="0" name={quoteattr(image.name)} subset="{split}" width="{width}" height="{height}">'
            )
            drawn = []
            for label in np.unique(image.labels).tolist() if masks else []:
                counts = ", ".join(map(str, row_runs(image.labels == label)))
                drawn.append((label, f'<mask rle="{counts}" left="0" top="0" width="{width}" height="{height}"'))
            for part in [] if masks else parts(image.labels):
                points = ";".join(f"{x},{y}" for x, y in pairs(part.outline))
                drawn.append((part.label, f'<polygon points="{points}"'))
            order = list(enumerate(drawn))[::-1]  # z_order decides, not the place in the file
            rows += [f'{start} label="{names[label]}" z_order="{z}" occluded="0"/>' for z, (label, start) in order]
            rows.append("</image>")
    (tree / "annotations.xml").write_text("\n".join([*rows, "</annotations>"]), encoding="utf-8")


def write_cvat_masks(tree: Path, images: Mapping[str, Sequence[Labeled]], names: Sequence[str]) -> None:
    """Write labelmap.txt, JPEGImages/, SegmentationClass/ and ImageSets/; the class background is black."""
    shades = [(40 * i % 256, (255 - 40 * i) % 256, 7 * i) for i in range(len(names))]
    colors = [(0, 0, 0) if name == "background" else shade for name, shade in zip(names, shades, strict=True)]
    rows = ["# label:color_rgb:parts:actions"]
    rows += [f"{name}:{','.join(map(str, color))}::" for name, color in zip(names, colors, strict=True)]
    tree.mkdir(parents=True, exist_ok=True)
    (tree / "labelmap.txt").write_text("\n".join(rows) + "\n")
    (tree / "ImageSets/Segmentation").mkdir(parents=True)
    for split, labeled in images.items():
        write_images(tree / "JPEGImages", labeled)
        stems = [str(Path(image.name).with_suffix("")) for image in labeled]
        (tree / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(stems) + "\n")
        write_images(
            tree / "SegmentationClass",
            [
                Labeled(f"{stem}.png", np.array(colors, np.uint8)[image.labels], image.labels)
                for stem, image in zip(stems, labeled, strict=True)
            ],
        )


def write_label_studio(tree: Path, images: Sequence[Labeled], names: Sequence[str], brush: bool = False) -> None:
    """Write export.json and images/; `brush` draws with the brush instead of polygons."""
    write_images(tree / "images", images)
    tasks = []
    for key, image in enumerate(images, 1):
        height, width = image.labels.shape
        values = []
        for label in np.unique(image.labels).tolist() if brush else []:
            data = brush_bytes((image.labels == label).astype(np.uint8) * 255)
            values.append(("brushlabels", label, {"format": "rle", "rle": data}))
        for part in [] if brush else parts(image.labels):
            shares = np.array(pairs(part.outline)) * [100 / width, 100 / height]
            values.append(("polygonlabels", part.label, {"points": shares.tolist(), "closed": True}))
        results = [
            {
                "id": f"r{number}",
                "type": kind,
                "value": {**value, kind: [names[label]]},
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "from_name": "label",
                "to_name": "image",
            }
            for number, (kind, label, value) in enumerate(values)
        ]
        tasks.append(
            {
                "id": key,
                "data": {"image": f"/data/upload/1/0123abcd-{Path(image.name).name}"},
                "annotations": [{"id": key, "result": results, "was_cancelled": False, "ground_truth": False}],
                "predictions": [],
                "file_upload": f"0123abcd-{Path(image.name).name}",
            }
        )
    save(tree / "export.json", tasks)


def brush_bytes(alpha: np.ndarray, rounds: bool = True) -> list[int]:
    """Return Label Studio's bytes of an alpha channel, uint8 [H, W], as RGBA values of 8 bits in runs.

    Without `rounds`, runs of one value that are short are written value by value.
    """
    empty = np.zeros_like(alpha)
    values = np.stack([empty, empty + 77, empty, alpha], axis=-1).astype(np.uint8).ravel()
    sizes = (3, 4, 8, 16)
    bits = [f"{len(values):032b}", f"{8 - 1:05b}", *(f"{size - 1:04b}" for size in sizes)]
    at = 0
    while at < len(values):
        end = at
        while end < len(values) and values[end] == values[at] and end - at < 1 << 16:
            end += 1
        is_run = rounds or end - at > 3
        if not is_run:
            end = min(at + 5, len(values))
        which = next(i for i, size in enumerate(sizes) if end - at <= 1 << size)
        bits += [str(int(is_run)), f"{which:02b}", f"{end - at - 1:0{sizes[which]}b}"]
        bits += [f"{value:08b}" for value in (values[at : at + 1] if is_run else values[at:end]).tolist()]
        at = end
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return [int(text[i : i + 8], 2) for i in range(0, len(text), 8)]


def row_runs(mask: np.ndarray) -> list[int]:
    """Return run lengths row by row, from the outside."""
    return class_runs(mask.T.astype(np.uint8), 2)[1].tolist()


def pairs(flat: Sequence[int]) -> list[list[float]]:
    return np.array(flat, float).reshape(-1, 2).tolist()


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def save(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
