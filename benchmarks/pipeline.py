"""Helpers of the benchmarks: run the pipeline's stages with changed params in another folder."""

import hashlib
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from maskline.comparison.compare import Result  # noqa: E402
from maskline.contracts.classes import Role  # noqa: E402
from maskline.contracts.source import read_source  # noqa: E402
from maskline.files.dotted import leaves, set_values  # noqa: E402
from maskline.files.yaml12 import read_yaml  # noqa: E402
from maskline.params.augment import AugmentParams  # noqa: E402
from maskline.shards.source_examples import list_examples, read_features  # noqa: E402

# Every augmentation that keeps the size, but quarter turns, for which images must be square.
AUGMENTATIONS: dict[str, Any] = {
    "flip": True,
    "flip_vertical": True,
    "scale": 0.2,
    "rotation": 10.0,
    "translation": 0.1,
    "copy_paste": 0.5,
    "brightness": 0.1,
    "contrast": 0.1,
    "saturation": 0.1,
    "hue": 10.0,
    "blur": 1.0,
}


def augment_params(changes: Mapping[str, Any]) -> AugmentParams:
    """Return the augmentation of the project's params.yaml with some keys changed."""
    changed = changed_params({f"augment.{key}": value for key, value in changes.items()})
    return AugmentParams.model_validate(changed["augment"])


def recipe_params(folder: Path) -> dict[str, Any]:
    """Return the params of a recipe or a project by dotted key, as changes of the project's params.yaml."""
    return {key: value for key, value in leaves(read_yaml(folder / "params.yaml")) if key != "repo"}


def changed_params(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the project's params.yaml with dotted keys changed."""
    values: dict[str, Any] = YAML(typ="safe").load(ROOT / "params.yaml")
    set_values(values, changes)
    return values


def run_stages(folder: Path, changes: Mapping[str, Any], stages: Sequence[str]) -> None:
    """Run stages in `folder` with changes of the project's params."""
    write_pipeline(folder, changes)
    for stage in stages:
        subprocess.run([sys.executable, ROOT / f"stages/{stage}.py"], cwd=folder, check=True)


def write_pipeline(folder: Path, changes: Mapping[str, Any]) -> None:
    """Write dvc.yaml, an empty baseline and the project's params with changes into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    YAML(typ="safe").dump(changed_params({"repo": str(ROOT), **changes}), folder / "params.yaml")
    (folder / "dvc.yaml").write_bytes((ROOT / "dvc.yaml").read_bytes())
    (folder / "baseline.json").write_text("{}")


def result_of(name: str, folder: Path) -> Result:
    """Return the counts that evaluate left in `folder`."""
    about = json.loads((folder / "data/evaluation/about.json").read_text())
    with np.load(folder / "data/evaluation/counts.npz") as arrays:
        return Result(
            name,
            arrays["filenames"],
            arrays["matrices"],
            about["classes"],
            about["test_split"],
            about["resolution"],
        )


def write_files(raw: Path, role: Role, folder: Path) -> list[tuple[Path, Path]]:
    """Write the encoded images and masks of a prepared split into two folders, and return the pairs of paths."""
    source, pairs = read_source(raw), []
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for number, (_, features) in enumerate(read_features(list_examples(raw, source, role), source)):
        pair = tuple(folder / kind / f"{role}-{number:05d}.png" for kind in ("images", "masks"))
        pair[0].write_bytes(features[source.image_feature])  # PNG or JPEG; readers recognize the format by the content
        pair[1].write_bytes(features[source.mask_feature])
        pairs.append(pair)
    return pairs


def digests(folder: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the SHA-256 of the named files and of those under the named folders."""
    files = [file for name in names for file in ((folder / name).rglob("*") if (folder / name).is_dir() else [name])]
    return {
        str((folder / file).relative_to(folder)): hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for file in sorted(map(str, files))
        if (folder / file).is_file()
    }


def mean_and_range(values: Sequence[float], form: str = ".4f") -> str:
    """Return the mean, the lowest and the highest value for a cell of a table."""
    return f"{statistics.mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"
