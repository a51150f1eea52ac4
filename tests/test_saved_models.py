"""A model file from an earlier version still loads, and gives the logits that it gave then."""

from pathlib import Path

import numpy as np

from maskline.models.files import load_model

# Commit af4c1e0 saved both: bayesian_segnet on vgg16_bn of width 1, its normalisations moved from their initial values.
SAVED = Path(__file__).parent / "data" / "saved_by_af4c1e0.keras"


def test_a_model_saved_by_an_earlier_version_gives_the_same_logits():
    expected = np.load(SAVED.with_suffix(".npz"))
    assert np.std(expected["logits"]) > 0.1
    np.testing.assert_allclose(load_model(SAVED)(expected["images"]), expected["logits"], rtol=1e-4, atol=1e-4)
