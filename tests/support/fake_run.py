"""A made-up finished run, as the stages before report leave it: seven classes, twenty test images."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

from maskline.files.checksums import write_sums

HEIGHT = WIDTH = 96
ABSENT = 5
NAMES = ["background", "disc", '<b>"x" & y', "triangle", "cross", "unicorn", "ring"]
COLORS = ["#404a57", "#d95f45", "#3f9c6b", "#e0b13c", "#5b7fd4", "#a05fc0", "#3fb3c4"]
FILENAME = 'photo <i>"7" & Ünïcode.png'
SCORES = ["validation_pixel_accuracy", "validation_mean_iou"]
SIZES = ("under 1 %", "1 to 10 %", "over 10 %")
KINDS = ("image", "truth", "prediction", "errors", "uncertainty", "mutual_information")
CONVENTIONS = {
    "mean_iou.per_image": "each image's mean IoU, averaged <over> images",
    "mean_iou.absent_0": "an absent class counts as 0",
}
HEADER = ["epoch", "learning_rate", "train_loss", "validation_loss", *SCORES, "best"]


def make_run(folder: Path, seed: int = 7, images: int = 20, epochs: int = 12, samples: int = 6) -> None:
    """Write data/, metrics/ and baseline.json of a run below `folder`; the same for the same seed."""
    generator = np.random.default_rng(seed)
    truths = [_truth(generator) for _ in range(images)]
    predictions = [_prediction(truth, generator) for truth in truths]
    matrices = np.stack([_matrix(t, p) for t, p in zip(truths, predictions, strict=True)])
    filenames = [FILENAME, *(f"image_{i:03d}.png" for i in range(1, images))]
    uncertainty = generator.uniform(0.01, 0.3, images).round(6).tolist()
    figures = evaluation(matrices)
    _write_shards(folder)
    _write_examples(folder / "data/shards/examples", generator)
    _write_history(folder, epochs, generator)
    _write_json(folder / "metrics/evaluation.json", figures)
    _write_json(folder / "baseline.json", baseline(figures))
    evaluation_folder = folder / "data/evaluation"
    _write_about(folder)
    void = [int((t == 255).sum()) for t in truths]
    _write_csv(evaluation_folder / "images.csv", ["filename", "void_pixels"], list(zip(filenames, void, strict=True)))
    _write_pictures(evaluation_folder, filenames, truths, predictions, matrices, samples, uncertainty)
    _write_tables(folder / "metrics", matrices.sum(0))
    seal(folder)


def seal(folder: Path) -> None:
    """Record the run's files as those of its stages, as what runs a stage does."""
    for name in ("shards", "model"):
        write_sums(folder / "data" / name)
    write_sums(folder / "data/evaluation", [folder / "metrics"])


def baseline(figures: dict) -> dict:
    """Return an earlier run's metrics: mean IoU far lower, pixel accuracy higher, mean Dice a little lower."""
    changes = {"mean_iou": -0.05, "pixel_accuracy": 0.03, "mean_dice": -0.004, "expected_calibration_error": 0.05}
    return figures | {key: round(figures[key] + change, 4) for key, change in changes.items()}


def evaluation(matrices: np.ndarray) -> dict:
    """Return the metrics of matrices [N, C, C], rounded to four places; None: nothing to judge by."""
    matrix = matrices.sum(0)
    truth, predicted, right = matrix.sum(1), matrix.sum(0), np.diag(matrix)
    union = truth + predicted - right
    iou, dice = _ratio(right, union), _ratio(2 * right, truth + predicted)
    recall, precision = _ratio(right, truth), _ratio(right, predicted)
    headline = {
        "pixel_accuracy": right.sum() / matrix.sum(),
        "mean_accuracy": np.nanmean(recall),
        "mean_iou": np.nanmean(iou),
        "mean_dice": np.nanmean(dice),
        "frequency_weighted_iou": np.nansum(iou * truth) / truth.sum(),
        "boundary_iou": 0.6 * np.nanmean(iou),
        "expected_calibration_error": 0.0312,
    }
    per_class = {"iou": iou, "dice": dice, "precision": precision, "recall": recall, "boundary_iou": 0.6 * iou}
    flat = dict(headline)
    for figure, values in per_class.items():
        flat |= {f"{figure}.{name}": value for name, value in zip(NAMES, values, strict=True)}
    flat = {key: None if np.isnan(value) else round(float(value), 4) for key, value in flat.items()}
    bounded = [*headline, *(f"iou.{name}" for name in NAMES)]
    return {
        "images": len(matrices),
        **flat,
        **{f"pixels.{n}": int(t) for n, t in zip(NAMES, truth, strict=True)},
        "interval": {key: _interval(flat[key]) for key in bounded},
        "conventions": {"mean_iou.per_image": 0.8123, "mean_iou.absent_0": 0.4567},
    }


def _interval(value: float | None) -> dict[str, float | None]:
    ends = (None, None) if value is None else (max(0.0, round(value - 0.021, 4)), min(1.0, round(value + 0.018, 4)))
    return dict(zip(("low", "high"), ends, strict=True))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _truth(generator: np.random.Generator) -> np.ndarray:
    """Draw discs of several classes on background, with a void rim; uint8 [H, W]."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label in generator.choice([1, 1, 1, 2, 2, 3, 3, 4, 6], size=4, replace=False):
        cy, cx, r = generator.integers(10, HEIGHT - 10), generator.integers(10, WIDTH - 10), generator.integers(9, 26)
        distance = np.hypot(y - cy, x - cx)
        mask[distance < r + 1] = 255
        mask[distance < r] = label
    return mask


def _prediction(truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Shift the truth a little and take one class for another in a corner; uint8 [H, W] without void."""
    shift = tuple(generator.integers(-4, 5, size=2))
    prediction = np.roll(np.where(truth == 255, 0, truth), shift, (0, 1))
    corner = prediction[: HEIGHT // 2, : WIDTH // 2]
    if generator.random() < 0.4:
        corner[corner == 1] = 3
        corner[corner == 4] = 0
    return prediction


def _matrix(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    valid, n = truth != 255, len(NAMES)
    return np.bincount(n * truth[valid].astype(int) + prediction[valid], minlength=n * n).reshape(n, n)


def _write_shards(folder: Path) -> None:
    source = {"name": "shapes", "version": "1.0.0"}
    size = {"height": HEIGHT, "width": WIDTH, "encoding": "raw"}
    classes = [{"name": n, "color": c} for n, c in zip(NAMES, COLORS, strict=True)]
    manifest = {"format": 1, "source": source, **size, "void_label": 255, "classes": classes, "splits": {}}
    _write_json(folder / "data/shards/manifest.json", manifest)
    _write_json(folder / "data/shards/audit.json", {"source": source, **size, **_audit()})


def _audit() -> dict:
    counts = {"train": 320, "validation": 40, "test": 20}
    share = [0.742, 0.121, 0.061, 0.048, 0.0204, 0.0, 0.0076]
    drifted = [0.61, 0.2, 0.09, 0.06, 0.03, 0.0, 0.01]
    shares = {"train": share, "validation": share, "test": drifted}
    return {
        "images": counts,
        "left_out_by_lists": 3,
        "left_out_by_limit": {"train": 80, "validation": 0, "test": 0},
        "original_size": {"smallest": [90, 96], "largest": [128, 160]},
        "void_share": {"train": 0.0312, "validation": 0.0298, "test": 0.0305},
        "class_share": {split: dict(zip(NAMES, values, strict=True)) for split, values in shares.items()},
        "images_with_class": {
            split: {n: round(count * min(1, 4 * s)) for n, s in zip(NAMES, shares[split], strict=True)}
            for split, count in counts.items()
        },
        "class_drift": {"validation": 0.0, "test": 0.132},
        "converted": {"greyscale": 3, "alpha": 0, "sixteen_bit": 0, "palette": 1, "exif_rotated": 0},
        "duplicates": {"exact": 1, "near": 0, "pairs": [["exact", "train/image_009.png", f"test/{FILENAME}"]]},
    }


def _write_history(folder: Path, epochs: int, generator: np.random.Generator) -> None:
    rows, best = [], 0.0
    for epoch in range(1, epochs + 1):
        loss = 0.22 + 1.5 * 0.72**epoch
        iou = 0.82 - 0.75 * 0.7**epoch + generator.normal(0, 0.012)
        accuracy = 0.95 - 0.3 * 0.7**epoch
        row = [epoch, 0.002 * (1 - (epoch - 1) / epochs), loss, loss * 1.15 + generator.normal(0, 0.02), accuracy, iou]
        rows.append([epoch, *(round(float(v), 6) for v in row[1:]), int(iou > best)])
        best = max(best, iou)
    _write_csv(folder / "data/model/history.csv", HEADER, rows)


def _write_examples(folder: Path, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    index = {"train": ["photo 1.png", FILENAME], "validation": ["photo 2.png"], "test": ["photo 3.png"]}
    for split, names in index.items():
        for number in range(len(names)):
            truth = _truth(generator)
            panels = _panels(truth, truth, generator)
            picture = np.concatenate([panels["image"], panels["truth"]], axis=1)
            Image.fromarray(picture).save(folder / f"{split}-{number}.png")
    _write_json(folder / "index.json", index)


def _write_about(folder: Path) -> None:
    manifest = (folder / "data/shards/manifest.json").read_bytes()
    about = {
        "classes": NAMES,
        "shards": hashlib.sha256(manifest).hexdigest(),
        "resolution": "model",
        "inference": {"flip": True, "scales": [1.0], "refine": "none", "crf": {"iterations": 10}},
        "versions": {"tensorflow": "2.21.0", "keras": "3.15.1"},
        "conventions": CONVENTIONS,
    }
    _write_json(folder / "data/evaluation/about.json", about)


def _write_pictures(
    folder: Path,
    filenames: list[str],
    truths: list[np.ndarray],
    predictions: list[np.ndarray],
    matrices: np.ndarray,
    samples: int,
    uncertainty: list[float],
) -> None:
    """Write the groups: the image of the odd name is among the random; an image in two groups has one folder."""
    order = sorted(range(len(truths)), key=lambda i: -evaluation(matrices[i : i + 1])["mean_iou"])
    unsure = sorted(order, key=lambda i: -uncertainty[i])
    groups = {"best": order, "worst": order[::-1], "uncertain": unsure, "random": list(range(len(order)))}
    chosen = {group: indices[:samples] for group, indices in groups.items()}

    def entry(i: int) -> dict:
        figures = evaluation(matrices[i : i + 1])
        held = sorted({NAMES[j] for j in {*np.unique(truths[i]), *np.unique(predictions[i])} - {255}})
        return {
            "filename": filenames[i],
            "folder": f"pictures/{i}",
            "height": HEIGHT,
            "width": WIDTH,
            "mean_iou": figures["mean_iou"],
            "pixel_accuracy": figures["pixel_accuracy"],
            "uncertainty": uncertainty[i],
            "classes": held,
        }

    for i in sorted({i for indices in chosen.values() for i in indices}):
        _write_sample(folder / f"pictures/{i}", truths[i], predictions[i], np.random.default_rng(i))
    entries = {group: [entry(i) for i in indices] for group, indices in chosen.items()}
    _write_json(folder / "pictures.json", {"kinds": KINDS} | entries)


def _write_sample(folder: Path, truth: np.ndarray, prediction: np.ndarray, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for kind, pixels in _panels(truth, prediction, generator).items():
        Image.fromarray(pixels).save(folder / f"{kind}.png")


def _panels(truth: np.ndarray, prediction: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the pictures by kind, each uint8 [H, W, 3]."""
    palette = np.full((256, 3), 255, np.uint8)
    palette[: len(COLORS)] = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLORS]
    texture = generator.integers(-40, 40, (HEIGHT, WIDTH, 1))
    image = np.clip(palette[np.where(truth == 255, 0, truth)] * 0.7 + 50 + texture, 0, 255).astype(np.uint8)
    errors = np.repeat(image.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    uncertainty, information = errors // 2, errors // 3
    errors[truth != prediction] = (220, 30, 30)
    errors[truth == 255] = 255
    panels = (image, palette[truth], palette[prediction], errors, uncertainty, information)
    return dict(zip(KINDS, panels, strict=True))


def _write_tables(metrics: Path, matrix: np.ndarray) -> None:
    truth = matrix.sum(1)
    pairs = [(i, j) for i in range(len(NAMES)) for j in range(len(NAMES))]
    confusion = [
        [NAMES[i], NAMES[j], int(matrix[i, j]), round(matrix[i, j] / truth[i], 6) if truth[i] else ""] for i, j in pairs
    ]
    bins = [[k, "", "", 0] if k < 4 else [k, k / 15 + 0.03, k / 15 - 0.01, 10 * 2**k] for k in range(15)]
    trimap = [[d, 0.6 + 0.02 * d, 1000 * d] for d in (1, 2, 4, 8, 16)]
    sizes = [
        [name, size, 0 if i == ABSENT else 4 + i, "" if i == ABSENT else round(0.4 + 0.2 * j, 4)]
        for i, name in enumerate(NAMES)
        for j, size in enumerate(SIZES)
    ]
    _write_csv(metrics / "confusion.csv", ["actual", "predicted", "pixels", "share"], confusion)
    _write_csv(metrics / "calibration.csv", ["bin", "confidence", "accuracy", "pixels"], bins)
    _write_csv(metrics / "trimap.csv", ["distance", "accuracy", "pixels"], trimap)
    _write_csv(metrics / "sizes.csv", ["class", "size", "images", "iou"], sizes)
    iou = evaluation(matrix[None])
    rows = [[n, iou[f"iou.{n}"], *iou["interval"][f"iou.{n}"].values()] for n in NAMES]
    _write_csv(
        metrics / "iou.csv", ["class", "iou", "low", "high"], [["" if v is None else v for v in r] for r in rows]
    )


def _write_csv(path: Path, header: list[str], rows: list[list]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def _write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
