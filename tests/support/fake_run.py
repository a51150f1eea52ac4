"""The files of a made-up run that the stages before report write: seven classes, twenty test images."""

from pathlib import Path

import numpy as np
from PIL import Image

from maskline.contracts import (
    about,
    audit,
    evaluation,
    examples,
    folders,
    history,
    manifest,
    neighbors,
    network,
    pictures,
    suspects,
    tables,
)
from maskline.contracts import figures as figures_json
from maskline.contracts import images as images_csv
from maskline.contracts.classes import ROLES, VOID, ClassInfo, Role
from maskline.files.artifacts import sha256, write_json
from maskline.files.checksums import write_sums
from maskline.files.records import write_record, write_table

HEIGHT = WIDTH = 96
ABSENT = 5
NAMES = ["background", "disc", '<b>"x" & y', "triangle", "cross", "unicorn", "ring"]
COLORS = ["#404a57", "#d95f45", "#3f9c6b", "#e0b13c", "#5b7fd4", "#a05fc0", "#3fb3c4"]
FILENAME = 'photo <i>"7" & Ünïcode.png'
SIZES = ("under 1 %", "1 to 10 %", "over 10 %")
KINDS = pictures.KINDS
TEST_SPLIT = "1" * 64
CONVENTIONS = {
    "mean_iou.per_image": "each image's mean IoU, averaged <over> images",
    "mean_iou.absent_0": "an absent class counts as 0",
}


def make_run(folder: Path, seed: int = 7, images: int = 20, epochs: int = 12, samples: int = 6) -> None:
    """Write data/, metrics/ and baseline.json of a run into `folder`; the same seed gives the same files."""
    generator = np.random.default_rng(seed)
    truths = [_truth(generator) for _ in range(images)]
    predictions = [_prediction(truth, generator) for truth in truths]
    matrices = np.stack([_matrix(t, p) for t, p in zip(truths, predictions, strict=True)])
    filenames = [FILENAME, *(f"image_{i:03d}.png" for i in range(1, images))]
    uncertainty = generator.uniform(0.01, 0.3, images).round(6).tolist()
    found = figures(matrices)
    _write_shards(folder)
    _write_examples(folder, generator)
    write_table(folder / history.PATH, _history(epochs, generator))
    write_record(folder / network.PATH, described_network())
    record = _figures(found)
    write_record(folder / figures_json.PATH, record)
    write_json(folder / evaluation.PATH, evaluation.deciding_figures(record))
    write_record(folder / figures_json.BASELINE, _figures(baseline(found)))
    write_record(folder / about.PATH, _about(sha256(folder / manifest.PATH)))
    write_table(folder / images_csv.PATH, _image_rows(filenames, truths, matrices, uncertainty))
    _write_pictures(folder / folders.EVALUATION, filenames, truths, predictions, matrices, samples, uncertainty)
    _write_suspects(folder / folders.EVALUATION, filenames, truths, predictions)
    _write_tables(folder, record, matrices.sum(0))
    _write_suspect_tables(folder, filenames)
    seal(folder)


def seal(folder: Path) -> None:
    """Write the SHA256SUMS of the run's files, as the stages do."""
    for part in (folders.SHARDS, folders.MODEL):
        write_sums(folder / part)
    write_sums(folder / folders.EVALUATION, [folder / folders.METRICS])


def baseline(found: dict) -> dict:
    """Return an earlier run's metrics: mean IoU far lower, pixel accuracy higher, mean Dice a little lower."""
    changes = {"mean_iou": -0.05, "pixel_accuracy": 0.03, "mean_dice": -0.004, "expected_calibration_error": 0.05}
    return found | {key: round(found[key] + change, 4) for key, change in changes.items()}


def figures(matrices: np.ndarray) -> dict:
    """Return the metrics of matrices [N, C, C], rounded to four places; None: no value."""
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


def _figures(found: dict) -> figures_json.Figures:
    """Return figures as evaluate records them."""
    return figures_json.Figures(
        test_split=TEST_SPLIT,
        resolution="model",
        images=found["images"],
        headlines=[
            tables.HeadlineRow(figure=key, value=found[key], **found["interval"][key]) for key in figures_json.HEADLINES
        ],
        classes=[
            tables.ClassRow.model_validate(
                {"name": name}
                | {
                    key: found[f"{key}.{name}"]
                    for key in ("iou", "boundary_iou", "dice", "precision", "recall", "pixels")
                }
                | found["interval"][f"iou.{name}"]
            )
            for name in NAMES
        ],
        conventions=[tables.ConventionRow(convention=name, value=v) for name, v in found["conventions"].items()],
    )


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
    """Shift the ground truth a little and confuse classes in a corner; uint8 [H, W] without void."""
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
    described = _audit()
    about_shards = manifest.Manifest(
        format=1,
        source=described.source,
        height=HEIGHT,
        width=WIDTH,
        encoding="raw",
        void_label=VOID,
        classes=[ClassInfo(name=name, color=color) for name, color in zip(NAMES, COLORS, strict=True)],
        splits={role: _split(described, role) for role in ROLES},
    )
    write_record(folder / manifest.PATH, about_shards)
    write_record(folder / audit.PATH, described)


def _split(found: audit.Audit, role: Role) -> manifest.Split:
    """Return a split of one shard, which does not exist, with the images and the class shares of the audit."""
    pixels = found.images[role] * HEIGHT * WIDTH
    void = round(pixels * found.void_share[role])
    name = f"{role}-00000-of-00001.tfrecord"
    shard = manifest.Shard(file=name, examples=found.images[role], bytes=1, sha256="0" * 64)
    return manifest.Split(
        examples=found.images[role],
        pixels=[round((pixels - void) * share) for share in found.class_share[role].values()],
        images_with_class=list(found.images_with_class[role].values()),
        void_pixels=void,
        shards=[shard],
    )


def _audit() -> audit.Audit:
    counts: dict[Role, int] = {"train": 320, "validation": 40, "test": 20}
    share = [0.742, 0.121, 0.061, 0.048, 0.0204, 0.0, 0.0076]
    drifted = [0.61, 0.2, 0.09, 0.06, 0.03, 0.0, 0.01]
    shares = {"train": share, "validation": share, "test": drifted}
    return audit.Audit(
        source=manifest.Origin(name="shapes", version="1.0.0"),
        height=HEIGHT,
        width=WIDTH,
        encoding="raw",
        images=counts,
        left_out_by_lists=3,
        left_out_by_limit={"train": 80, "validation": 0, "test": 0},
        original_size=audit.OriginalSize(smallest=[90, 96], largest=[128, 160]),
        void_share={"train": 0.0312, "validation": 0.0298, "test": 0.0305},
        padding_share=dict.fromkeys(ROLES, 0.0),
        cropped_share=dict.fromkeys(ROLES, 0.0),
        class_share={role: dict(zip(NAMES, shares[role], strict=True)) for role in ROLES},
        images_with_class={
            role: {n: round(counts[role] * min(1, 4 * s)) for n, s in zip(NAMES, shares[role], strict=True)}
            for role in ROLES
        },
        class_drift={"validation": 0.0, "test": 0.132},
        converted={"greyscale": 3, "alpha": 0, "sixteen_bit": 0, "palette": 1, "exif_rotated": 0},
        duplicates=audit.Duplicates(exact=1, near=0, pairs=[("exact", "train/image_009.png", f"test/{FILENAME}")]),
        leakage={
            "validation": audit.NearTrain(share=0.025, alike=1, following=0, pairs=[_neighbor("photo 2.png", 0.2)]),
            "test": audit.NearTrain(share=0.3, alike=2, following=4, pairs=[_neighbor(FILENAME, 0.05)] * 5),
        },
        groups=audit.GroupCounts(
            splits={"train": 9, "validation": 2, "test": 3},
            cut=1,
            cut_groups=[("<b>video</b>", ["train", "test"])],
            unused=2,
        ),
    )


def _neighbor(name: str, distance: float) -> audit.Neighbor:
    return audit.Neighbor(image=name, train="image_009.png", distance=distance)


def _history(epochs: int, generator: np.random.Generator) -> list[history.Epoch]:
    rows, best = [], 0.0
    for epoch in range(1, epochs + 1):
        loss = 0.22 + 1.5 * 0.72**epoch
        iou = 0.82 - 0.75 * 0.7**epoch + generator.normal(0, 0.012)
        row = history.Epoch(
            epoch=epoch,
            learning_rate=round(0.002 * (1 - (epoch - 1) / epochs), 6),
            train_loss=round(loss, 6),
            validation_loss=round(loss * 1.15 + generator.normal(0, 0.02), 6),
            validation_pixel_accuracy=round(0.95 - 0.3 * 0.7**epoch, 6),
            validation_mean_iou=round(iou, 6),
            best=iou > best,
        )
        rows.append(row)
        best = max(best, iou)
    return rows


def described_network() -> network.Network:
    """Return a U-Net of two strides, and a branch that only the loss uses."""
    kernels = {"convolution 3x3": 2, "PReLU": 2}
    stages = [
        _stage("encoder", 1, 64, kernels, 38_720, 347_000_000),
        _stage("encoder", 2, 128, kernels, 221_440, 509_000_000),
        _stage("decoder", 1, 64, {"transposed convolution 2x2": 1, **kernels}, 143_616, 1_090_000_000),
        _stage("head", 1, len(NAMES), {"convolution 1x1": 1}, 455, 4_128_768),
        _stage("training", 2, len(NAMES), {"convolution 3x3, rate 2": 1}, 7_370, 18_000_000),
    ]
    return network.Network(height=HEIGHT, width=WIDTH, passes=1, stages=stages)


def _stage(
    part: network.Part, stride: int, channels: int, layers: dict[str, int], parameters: int, multiply_adds: int
) -> network.NetworkStage:
    return network.NetworkStage(
        part=part,
        stride=stride,
        height=HEIGHT // stride,
        width=WIDTH // stride,
        channels=channels,
        layers=layers,
        parameters=parameters,
        multiply_adds=multiply_adds,
    )


def _write_examples(folder: Path, generator: np.random.Generator) -> None:
    names: dict[Role, list[str]] = {
        "train": ["photo 1.png", FILENAME],
        "validation": ["photo 2.png"],
        "test": ["photo 3.png"],
    }
    (folder / examples.FOLDER).mkdir(parents=True)
    for role in ROLES:
        for number in range(len(names[role])):
            truth = _truth(generator)
            panels = _panels(truth, truth, generator)
            picture = np.concatenate([panels["image"], panels["truth"]], axis=1)
            Image.fromarray(picture).save(folder / examples.FOLDER / examples.picture_name(role, number))
    write_record(folder / examples.PATH, examples.Examples(**names))
    (folder / neighbors.FOLDER).mkdir()
    for name in (neighbors.picture_name("validation", 0), *(neighbors.picture_name("test", i) for i in range(4))):
        truth = _truth(generator)
        halves = [_panels(truth, truth, generator)["image"] for _ in range(2)]
        Image.fromarray(np.concatenate(halves, axis=1)).save(folder / neighbors.FOLDER / name)


def _about(manifest_sha256: str) -> about.About:
    return about.About(
        classes=NAMES,
        shards=manifest_sha256,
        test_split=TEST_SPLIT,
        resolution="model",
        inference={"flip": True, "scales": [1.0], "refine": "none", "crf": {"iterations": 10}},
        versions={"tensorflow": "2.21.0", "keras": "3.15.1"},
        conventions=CONVENTIONS,
    )


def _image_rows(
    filenames: list[str], truths: list[np.ndarray], matrices: np.ndarray, uncertainty: list[float]
) -> list[images_csv.ImageRow]:
    rows = []
    for filename, truth, matrix, unsure in zip(filenames, truths, matrices, uncertainty, strict=True):
        found = figures(matrix[None])
        kept = ["pixel_accuracy", "mean_iou", *(f"iou.{name}" for name in NAMES)]
        row = {"filename": filename, "void_pixels": int((truth == VOID).sum()), "uncertainty": unsure}
        rows.append(images_csv.ImageRow.model_validate(row | {key: found[key] for key in kept}))
    return rows


def _write_pictures(
    folder: Path,
    filenames: list[str],
    truths: list[np.ndarray],
    predictions: list[np.ndarray],
    matrices: np.ndarray,
    samples: int,
    uncertainty: list[float],
) -> None:
    """Write the groups. The image with the odd name is in the random group; an image in two groups has one folder."""
    order = sorted(range(len(truths)), key=lambda i: -figures(matrices[i : i + 1])["mean_iou"])
    unsure = sorted(order, key=lambda i: -uncertainty[i])
    groups = {"best": order, "worst": order[::-1], "uncertain": unsure, "random": list(range(len(order)))}
    chosen = {group: indices[:samples] for group, indices in groups.items()}

    def picture(i: int) -> pictures.Picture:
        found = figures(matrices[i : i + 1])
        held = sorted({NAMES[j] for j in {*np.unique(truths[i]), *np.unique(predictions[i])} - {VOID}})
        return pictures.Picture(
            filename=filenames[i],
            folder=f"pictures/{i}",
            height=HEIGHT,
            width=WIDTH,
            mean_iou=found["mean_iou"],
            pixel_accuracy=found["pixel_accuracy"],
            uncertainty=uncertainty[i],
            classes=held,
        )

    for i in sorted({i for indices in chosen.values() for i in indices}):
        _write_sample(folder / f"pictures/{i}", truths[i], predictions[i], np.random.default_rng(i))
    entries = {group: [picture(i) for i in indices] for group, indices in chosen.items()}
    write_record(folder / pictures.PATH.name, pictures.Pictures(kinds=list(KINDS), **entries))


def _write_sample(folder: Path, truth: np.ndarray, prediction: np.ndarray, generator: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for kind, pixels in _panels(truth, prediction, generator).items():
        Image.fromarray(pixels).save(folder / f"{kind}.png")


def _write_suspects(
    folder: Path, filenames: list[str], truths: list[np.ndarray], predictions: list[np.ndarray]
) -> None:
    """Write two images to check, with one place and with two."""
    places = [
        suspects.Place(x=8, y=20, width=30, height=24, label=NAMES[2], predicted="triangle"),
        suspects.Place(x=60, y=4, width=12, height=40, label="background", predicted="ring"),
    ]
    entries: list[suspects.SuspectPicture] = []
    for i in range(2):
        subfolder = f"{suspects.FOLDER}/{i + 1}"
        _write_sample(folder / subfolder, truths[i], predictions[i], np.random.default_rng(i))
        for kind in set(KINDS) - set(suspects.KINDS):
            (folder / subfolder / f"{kind}.png").unlink()
        entries.append(
            suspects.SuspectPicture(
                split="test" if i == 0 else "validation",
                filename=filenames[i],
                folder=subfolder,
                height=HEIGHT,
                width=WIDTH,
                places=places[: i + 1],
            )
        )
    write_record(folder / suspects.PATH.name, suspects.Suspects(images=60, pictures=entries))


def _write_suspect_tables(folder: Path, filenames: list[str]) -> None:
    """Write the tables with the image of the first place."""
    common = {"rank": 1, "split": "test", "filename": filenames[0], "score": 0.9}
    box = {"x": 8, "y": 20, "width": 30, "height": 24, "image_width": WIDTH, "image_height": HEIGHT}
    names = {"label": NAMES[2], "predicted": "triangle"}
    region = suspects.SuspectRegion(**common, **box, **names, pixels=500, confidence=0.9)
    write_table(folder / suspects.REGIONS, [region])
    write_table(folder / suspects.IMAGES, [suspects.SuspectImage(**common, regions=1)])


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


def _write_tables(folder: Path, record: figures_json.Figures, matrix: np.ndarray) -> None:
    truth = matrix.sum(1)
    confusion = [
        tables.ConfusionCell(
            actual=actual,
            predicted=predicted,
            pixels=int(matrix[i, j]),
            share=round(matrix[i, j] / truth[i], 6) if truth[i] else None,
        )
        for i, actual in enumerate(NAMES)
        for j, predicted in enumerate(NAMES)
    ]
    bins = [
        tables.CalibrationBin(
            bin=round((k + 0.5) / 15, 4),
            confidence=None if k < 4 else k / 15 + 0.03,
            accuracy=None if k < 4 else k / 15 - 0.01,
            pixels=0 if k < 4 else 10 * 2**k,
        )
        for k in range(15)
    ]
    trimap = [tables.TrimapRow(distance=d, accuracy=0.6 + 0.02 * d, pixels=1000 * d) for d in (1, 2, 4, 8, 16)]
    sizes = [
        tables.SizeRow(
            name=name,
            size=size,
            images=0 if i == ABSENT else 4 + i,
            iou=None if i == ABSENT else round(0.4 + 0.2 * j, 4),
        )
        for i, name in enumerate(NAMES)
        for j, size in enumerate(SIZES)
    ]
    for path, rows in {
        tables.HEADLINES: record.headlines,
        tables.CLASSES: record.classes,
        tables.CONVENTIONS: record.conventions,
        tables.CONFUSION: confusion,
        tables.CALIBRATION: bins,
        tables.TRIMAP: trimap,
        tables.SIZES: sizes,
    }.items():
        write_table(folder / path, rows)
