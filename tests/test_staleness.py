"""A new knob or network makes the stages stale that depend on it, and no other, as DVC sees it."""

import re
import sys

import pytest
from project import create, hold_up_to_date, photos, run, stale


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory):
    """A copy of the project that DVC holds for up to date, whatever its outputs are."""
    folder = tmp_path_factory.mktemp("reproduced") / "project"
    create(folder, photos(folder.with_name("photos"), 1))
    hold_up_to_date(folder)
    assert stale(folder) == set()
    return folder


@pytest.mark.parametrize(
    ("section", "file", "model", "stages"),
    [
        ("dataset", "source", "SourceParams", {"download", "report"}),
        ("dataset", "selection", "SelectionParams", {"preprocess", "report"}),
        ("preprocess", "preprocess", "PreprocessParams", {"preprocess", "report"}),
        ("model", "encoder", "EncoderParams", {"download", "train", "report"}),
        ("model", "model", "ModelParams", {"train", "report"}),
        ("augment", "augment", "AugmentParams", {"train", "report"}),
        ("train", "train", "TrainParams", {"train", "report"}),
        ("loss", "train", "LossParams", {"train", "report"}),
        ("loss_options", "train", "LossOptions", {"train", "report"}),
        ("evaluate", "evaluate", "EvaluateParams", {"evaluate", "report"}),
        ("crf", "evaluate", "CrfParams", {"evaluate", "report"}),
    ],
)
def test_a_new_knob_makes_the_stages_of_its_section_stale_and_no_other(reproduced, section, file, model, stages):
    edits = {
        reproduced / "params.yaml": (rf"(?m)^( *){section}:.*\n", r"\g<0>\1  knob: 1\n"),
        reproduced / f"maskline/params/{file}.py": (rf"(?s)class {model}\(.*?(?=\n    \w+: )", r"\g<0>\n    knob: int"),
    }
    whole = {path: path.read_text() for path in edits}
    try:
        for path, (pattern, new) in edits.items():
            text, found = re.subn(pattern, new, whole[path], count=1)
            assert found == 1
            path.write_text(text)
        run(reproduced, sys.executable, "-c", CHECK)
        assert stale(reproduced) == stages
    finally:
        for path, text in whole.items():
            path.write_text(text)


CHECK = """
from pathlib import Path
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
check_params(read_yaml(Path("params.yaml")), Path("params.yaml"))
"""


def test_a_new_network_leaves_download_and_preprocess_up_to_date(reproduced):
    catalogue = reproduced / "maskline/models/catalogue.py"
    text = catalogue.read_text()
    try:
        catalogue.write_text(text + "# a new network\n")
        assert stale(reproduced) == {"train", "evaluate"}
    finally:
        catalogue.write_text(text)
