"""Evaluation on Ray nodes that share nothing but loopback, with staging on an S3 server, compared with one process."""

import os
import subprocess
import sys

import numpy as np
import pytest
from networks import build
from project import ROOT, digests
from raw_data import pairs_of_shapes, source, write_raw
from ray_nodes import QUIET

from maskline.contracts.manifest import read_manifest
from maskline.contracts.model_info import Preprocessing
from maskline.engine import pool
from maskline.models.files import save_model
from maskline.shards.read.reader import ShardReader
from maskline.shards.write.build import SplitOptions, build_shards
from maskline.shards.write.convert import Target

SIZE = (31, 47)  # no multiple of the stride or of a vector's length, so that rounding depends on the number of threads
EVALUATE = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
from pathlib import Path
import tensorflow
from maskline.errors import InputError
from maskline.evaluation.evaluate import evaluate
from maskline.files.yaml12 import read_yaml
from maskline.params.evaluate import EvaluateParams
if __name__ == "__main__":
    model, params, changes = sys.argv[1:]
    values = read_yaml(Path(params))["evaluate"] | json.loads(changes)
    try:
        evaluate(
            Path("raw"), Path("shards"), Path(model), Path("evaluation"), Path("metrics"),
            params=EvaluateParams.model_validate(values), batch_size=4, seed=1,
        )
    except InputError as error:
        sys.exit(str(error))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A source, its shards, and a model."""
    folder = tmp_path_factory.mktemp("evaluate")
    roles = {
        role: pairs_of_shapes(count, count, role) for role, count in {"train": 4, "validation": 7, "test": 16}.items()
    }
    write_raw(folder / "raw", roles, source(splits={role: role for role in roles}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "map_tasks", lambda work, tasks, *_: [work(task) for task in tasks])
        build_shards(folder / "raw", folder / "shards", Target(*SIZE, "raw", "pad"), 5, SplitOptions(1, None, 0.1))
    manifest = read_manifest(folder / "shards")
    network = build(dropout=0.3, preprocessing=Preprocessing(height=SIZE[0], width=SIZE[1], fit="pad"))
    network.class_names[:] = network._config["class_names"][:] = [c.name for c in manifest.classes]
    bias = network.trainable_variables[-1]
    images, _ = ShardReader(folder / "shards", manifest, "test").read(range(16))
    bias.assign(bias - np.mean(network(images), axis=(0, 1, 2)))  # or it would predict one class alone
    save_model(network, folder / "model.keras")
    bias.assign(bias + np.nan)
    save_model(network, folder / "dead.keras")
    return folder


def evaluated(folder, changes="{}", model="model.keras", **environment):
    """Return what evaluation prints, and the digests of what it wrote, which is then removed."""
    done = subprocess.run(
        [sys.executable, "-c", EVALUATE, model, str(ROOT / "params.yaml"), changes],
        cwd=folder, capture_output=True, text=True, env=os.environ | QUIET | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    found = digests(folder, "evaluation", "metrics")
    for name in found:
        (folder / name).unlink()
    return done.stderr.splitlines()[-1:], found


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    ["{}", '{"resolution": "native", "flip": true, "scales": [0.5, 1.0], "dropout_samples": 2, "refine": "crf"}'],
    ids=["plain", "averaged originals"],
)
def test_two_nodes_give_the_bytes_of_one_process(folder, on_nodes, s3, changes):
    said, expected = evaluated(folder, changes)
    assert len(expected) > 40, said
    said, found = evaluated(folder, changes, **on_nodes)
    assert found == expected, said
    assert s3.names() == []
    chunks, originals = (4 + 2, 4) if "native" in changes else (3 + 1, 0)  # originals come one by one
    model, shards = 1, 4 + 2
    assert s3.count()["PUT"] == model + shards + originals + chunks


@pytest.mark.slow
def test_a_model_of_nan_is_refused_in_the_sentence_of_one_process(folder, on_nodes, s3):
    expected = evaluated(folder, model="dead.keras")
    assert "NaN" in expected[0][0] and not expected[1]
    assert evaluated(folder, model="dead.keras", **on_nodes) == expected
    assert s3.names() == []
