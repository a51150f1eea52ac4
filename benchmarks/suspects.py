"""How well labels to check are found: precision at k by kind of mistake, next to cleanlab on the same probabilities.

In a copy of each data set 5 % of the masks get a mistake: shifted, two classes swapped, an object missing, or a coarse
polygon. Three folds each train a short model; each image is predicted by the model that did not train on it. `collect`
writes the probabilities to a folder, and `score` reads them, so that another score needs no training:

    python benchmarks/suspects.py collect FOLDER shapes
    TFDS_DATA_DIR=... python benchmarks/suspects.py collect FOLDER oxford_iiit_pet --weights MOBILENET_V2.h5
    python benchmarks/suspects.py collect FOLDER camvid --path CAMVID --weights MOBILENET_V2.h5
    python benchmarks/suspects.py score FOLDER --cleanlab PYTHON

PYTHON is the interpreter of a virtual environment of its own with cleanlab, which is not a dependency of the project.
"""

import argparse
import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from corrupted_masks import KINDS, corrupted  # noqa: E402
from PIL import Image  # noqa: E402
from pipeline import changed_params, run_stages  # noqa: E402
from tabulate import tabulate  # noqa: E402

from maskline.contracts.classes import ROLES, VOID  # noqa: E402
from maskline.contracts.manifest import read_manifest  # noqa: E402
from maskline.contracts.source import read_source  # noqa: E402
from maskline.evaluation.suspects.collection import candidates, new_collection  # noqa: E402
from maskline.evaluation.suspects.ranking import ranked  # noqa: E402
from maskline.prediction.inference import most_probable  # noqa: E402
from maskline.shards.decode import decode_mask  # noqa: E402
from maskline.shards.source_examples import list_examples, read_features  # noqa: E402

FOLDS = 3
SHARE = 0.05  # of the masks, which get a mistake
BLOCK = 30  # frames of CamVid in a row that stay in one fold


class DataSet(NamedTuple):
    """A data set's largest number of images, the classes and the filling of missing objects, and changes of params."""

    images: int
    objects: tuple[int, ...]
    fill: int | None
    changes: dict[str, Any]


_MOBILENET = {
    "model.architecture": "unet",
    "model.encoder": "mobilenet_v2",
    "augment.scale": 0.2,
    "train.learning_rate": 0.002,
    "train.batch_size": 8,
}
SETS = {
    "shapes": DataSet(480, (1, 2, 3, 4, 5, 6), None, {"train.epochs": 8}),
    "oxford_iiit_pet": DataSet(
        600, (0, 2), 1, {**_MOBILENET, "preprocess.height": 96, "preprocess.width": 96, "train.epochs": 4}
    ),
    "camvid": DataSet(
        701,
        (2, 5, 6, 7, 8, 9, 10),
        None,
        {**_MOBILENET, "preprocess.height": 96, "preprocess.width": 128, "train.epochs": 5},
    ),
}


def collect(out: Path, name: str, path: Path | None, weights: Path | None) -> None:
    """Corrupt a copy of a data set, train a model per fold, and write the held-out probabilities."""
    chosen, out = SETS[name], out / name
    out.mkdir(parents=True, exist_ok=True)
    found = {"dataset.name": name, **({"dataset.path": str(path.resolve())} if path else {})}
    with tempfile.TemporaryDirectory() as temporary:
        run_stages(Path(temporary) / "source", found, ["download"])
        folder = Path(temporary) / "folder"
        kinds, classes = _write_copy(Path(temporary) / "source/data/raw", folder, chosen)
        changes = {
            "dataset.name": "folder",
            "dataset.path": str(folder),
            "dataset.classes": classes,
            "dataset.void": [VOID],
            **chosen.changes,
            **({"model.encoder_weights": str(weights.resolve())} if weights else {}),
        }
        parts = [_fold(Path(temporary) / f"fold{number}", folder, changes, number) for number in range(FOLDS)]
    names = [name for part in parts for name in part[0]]
    for number, key in enumerate(("probabilities", "labels", "clean"), 1):
        np.save(out / f"{key}.npy", np.concatenate([part[number] for part in parts]))
    (out / "about.json").write_text(json.dumps({"names": names, "kinds": [kinds[n] for n in names]}))


def _write_copy(raw: Path, folder: Path, chosen: DataSet) -> tuple[dict[str, str], list[str]]:
    """Write images/, masks/ and clean/, and return the kind of each image's mistake ('' has none) and the classes."""
    source = read_source(raw)
    for kind in ("images", "masks", "clean"):
        (folder / kind).mkdir(parents=True)
    kinds: dict[str, str] = {}
    every, made = round(1 / SHARE), 0
    listed = [e for role in ROLES if role in source.splits for e in list_examples(raw, source, role)]
    for number, (_, features) in enumerate(read_features(listed[: chosen.images], source)):
        labels = decode_mask(features[source.mask_feature], str(number), source)
        name, mistaken = f"{number:05d}.png", None
        if number % every == every // 2:
            kind = KINDS[made % len(KINDS)]
            mistaken = corrupted(labels, kind, np.random.default_rng(number), chosen.objects, chosen.fill)
            made += mistaken is not None
        kinds[name] = "" if mistaken is None else kind
        (folder / "images" / name).write_bytes(features[source.image_feature])
        Image.fromarray(labels).save(folder / "clean" / name)
        Image.fromarray(labels if mistaken is None else mistaken).save(folder / "masks" / name)
    return kinds, [c.name for c in source.classes]


def _fold(run: Path, folder: Path, changes: dict[str, Any], fold: int) -> tuple[list[str], *tuple[np.ndarray, ...]]:
    """Train without one fold; return its names, probabilities, labels and labels without mistakes."""
    for name, held_out in _splits(sorted(p.name for p in (folder / "images").iterdir()), fold).items():
        (folder / f"{name}.txt").write_text("\n".join(held_out))
    _train(run, changed_params(changes))
    found = _predicted(run)
    shutil.rmtree(run)
    clean = [_fitted(folder / "clean" / name, found[2].shape[1:]) for name in found[0]]
    return *found, np.stack(clean)


def _train(run: Path, params: dict[str, Any]) -> None:
    """Do what download, preprocess and train do, in this process."""
    from maskline.datasets.prepare import prepare
    from maskline.datasets.weights import prepare_weights
    from maskline.params.augment import AugmentParams
    from maskline.params.encoder import EncoderParams
    from maskline.params.model import ModelParams
    from maskline.params.source import SourceParams
    from maskline.params.train import TrainParams
    from maskline.shards.write.build import SplitOptions, build_shards
    from maskline.shards.write.convert import Target
    from maskline.training.train import train

    def section(name: str, kind: type[Any]) -> Any:
        return kind.model_validate({key: params[name][key] for key in kind.model_fields})

    data, made = run / "data", params["preprocess"]
    data.mkdir(parents=True)
    prepare_weights(section("model", EncoderParams), data / "weights")
    prepare(section("dataset", SourceParams), params["seed"], data / "raw")
    target = Target(made["height"], made["width"], made["encoding"], made["fit"])
    options = SplitOptions(params["seed"], None, params["dataset"]["validation_fraction"], "allow")
    build_shards(data / "raw", data / "shards", target, made["examples_per_shard"], options, workers=1)
    train(
        data / "shards",
        data / "weights",
        data / "model",
        run / ".checkpoints",
        seed=params["seed"],
        model=section("model", ModelParams),
        augment=section("augment", AugmentParams),
        params=section("train", TrainParams),
        code="",
    )


def _splits(names: list[str], fold: int) -> dict[str, list[str]]:
    """Return the names of a fold's splits; neighbors stay together."""
    of_fold = {name: number // BLOCK % FOLDS for number, name in enumerate(names)}
    rest = [name for name in names if of_fold[name] != fold]
    validation = sorted(rest, key=lambda name: hashlib.sha256(name.encode()).digest())[: len(rest) // 12]
    return {
        "test": [name for name in names if of_fold[name] == fold],
        "val": validation,
        "train": [name for name in rest if name not in set(validation)],
    }


def _predicted(run: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    from maskline.models.files import load_model
    from maskline.prediction.inference import Inference, predictor
    from maskline.prediction.runtimes.keras import KerasRuntime
    from maskline.shards.read.batches import ordered_batches
    from maskline.shards.read.reader import ShardReader

    shards, model = run / "data/shards", run / "data/model/model.keras"
    reader = ShardReader(shards, read_manifest(shards), "test")
    predict = predictor(KerasRuntime(load_model(model), model), Inference())
    pairs = [
        (predict(images).probabilities, labels) for images, labels in ordered_batches(reader, 16).as_numpy_iterator()
    ]
    probabilities, labels = (np.concatenate(arrays) for arrays in zip(*pairs, strict=True))
    return reader.names, probabilities.astype(np.float16), labels


def _fitted(path: Path, size: tuple[int, int]) -> np.ndarray:
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST))


def score(out: Path, cleanlab: Path) -> None:
    """Print precision at k of both by data set and kind of mistake, with their time and peak memory."""
    for folder in sorted(path.parent for path in out.glob("*/about.json")):
        kinds = np.array(json.loads((folder / "about.json").read_text())["kinds"])
        ours = _measured([sys.executable, __file__, "rank", folder])
        theirs = _measured([cleanlab, Path(__file__).with_name("suspects_cleanlab.py"), folder])
        columns = {
            "maskline": np.load(folder / "maskline.npy"),
            "cleanlab filter": np.load(folder / "cleanlab_filter.npy"),
            "cleanlab rank": np.load(folder / "cleanlab_rank.npy"),
        }
        print(f"\n{folder.name}: {len(kinds)} images, {np.count_nonzero(kinds)} with a mistake")
        rows = [
            (kind, k, *(precision_at_k(scores[of], kinds[of] != "") for scores in columns.values()))
            for kind in (*KINDS, "all")
            if (k := np.count_nonzero(kinds == kind) if kind != "all" else np.count_nonzero(kinds))
            for of in [(kinds == "") | (kinds == kind) | (kind == "all")]
        ]
        print(tabulate(rows, ("mistake", "k", *columns), "github", floatfmt=".2f"))
        hits = json.loads((folder / "regions.json").read_text())
        print(f"maskline's first {len(hits)} regions: {np.mean(hits):.2f} touch a changed pixel")
        for name, (seconds, memory) in {"maskline": ours, "cleanlab": theirs}.items():
            print(f"{name}: {seconds:.1f} s, {memory:.0f} MiB at most")


def precision_at_k(scores: np.ndarray, is_wrong: np.ndarray) -> float:
    """Return the share of wrong images among the k with the highest scores, where k images are wrong."""
    first = np.argsort(-scores, kind="stable")[: np.count_nonzero(is_wrong)]
    return float(is_wrong[first].mean())


def rank(folder: Path) -> None:
    """Rank a data set's images as evaluate does, and print the seconds and the peak memory in MiB."""
    about = json.loads((folder / "about.json").read_text())
    probabilities, labels, clean = (
        np.load(folder / f"{key}.npy", mmap_mode="r") for key in ("probabilities", "labels", "clean")
    )
    begun = time.perf_counter()
    classes = probabilities.shape[-1]
    with new_collection(folder, classes) as collection:
        for number, of_image in enumerate(labels):
            of_classes = np.array(probabilities[number], np.float32)
            given = np.where(of_image == VOID, 0, of_image)[..., None].astype(np.intp)
            true_class = np.take_along_axis(of_classes, given, axis=-1)[..., 0]
            prediction, confidence = most_probable(of_classes)
            own = np.array(of_image)
            collection.keep(candidates("test", number, own, prediction, confidence, true_class, classes))
        regions, images = ranked(collection.regions(), {"test": about["names"]}, most=len(labels))
    seconds = time.perf_counter() - begun
    scores = np.zeros(len(labels))
    for image in images:
        scores[image.position] = image.score
    np.save(folder / "maskline.npy", scores)
    hits = []
    for r in regions[: np.count_nonzero(about["kinds"])]:
        box = np.s_[r.y : r.y + r.height, r.x : r.x + r.width]
        changed = clean[r.position][box] != labels[r.position][box]
        hits.append(bool((changed & (labels[r.position][box] == r.label)).any()))
    (folder / "regions.json").write_text(json.dumps(hits))
    print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10]))


def _measured(command: list[Any]) -> tuple[float, float]:
    done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def main() -> None:
    """Run the command that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    collecting = commands.add_parser("collect")
    collecting.add_argument("folder", type=Path)
    collecting.add_argument("name", choices=SETS)
    collecting.add_argument("--path", type=Path)
    collecting.add_argument("--weights", type=Path)
    scoring = commands.add_parser("score")
    scoring.add_argument("folder", type=Path)
    scoring.add_argument("--cleanlab", type=Path, required=True)
    commands.add_parser("rank").add_argument("folder", type=Path)  # what `score` measures in a process of its own
    arguments = parser.parse_args()
    if arguments.command == "collect":
        collect(arguments.folder, arguments.name, arguments.path, arguments.weights)
    elif arguments.command == "score":
        score(arguments.folder, arguments.cleanlab)
    else:
        rank(arguments.folder)


if __name__ == "__main__":
    main()
