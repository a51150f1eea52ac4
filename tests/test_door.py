"""The door: what `import maskline` gives, and what it does not import."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import maskline
from maskline import metrics

ROOT = Path(__file__).parents[1]


def python(script: str) -> str:
    """Run a script in a process of its own and return what it prints."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def test_importing_the_package_imports_no_other_package():
    script = "import sys; before = set(sys.modules); import maskline; print(*sorted(set(sys.modules) - before))"
    assert {name.split(".")[0] for name in python(script).split()} <= {"maskline", *sys.stdlib_module_names}


def test_the_metrics_need_numpy_alone():
    script = (
        "import sys, maskline; maskline.metrics.mean_iou;"
        "print(*{'tensorflow', 'keras', 'pandas', 'dvc'} & set(sys.modules))"
    )
    assert python(script) == ""


def test_the_version_is_that_of_the_installed_package():
    assert maskline.__version__ == version("maskline")


def test_the_model_loader_is_the_one_of_the_library():
    from maskline.prediction.predictor import load_model

    assert maskline.load_model is load_model


@pytest.mark.parametrize("name", metrics.__all__)
def test_every_promised_metric_is_there_and_documented(name):
    assert getattr(metrics, name).__doc__
    assert name in dir(metrics)


def test_the_metrics_score_labels():
    truth, prediction = np.array([[[0, 1], [1, 255]]], np.uint8), np.array([[[0, 1], [0, 0]]], np.uint8)
    matrix = metrics.confusion_matrices(truth, prediction, classes=2).sum(axis=0)
    assert metrics.pixel_accuracy(matrix) == pytest.approx(2 / 3)
    assert metrics.mean_iou(matrix) == pytest.approx((1 / 2 + 1 / 2) / 2)


@pytest.mark.parametrize("module", [maskline, metrics])
def test_an_unknown_name_is_an_attribute_error(module):
    with pytest.raises(AttributeError, match="has no attribute 'accuracies'"):
        module.accuracies  # noqa: B018
