"""`maskline plan` as it is typed: what it prints, what it writes, and that the project it writes runs."""

import json

import fake_plan
import pytest
from fake_plan import CHOSEN, root_files

from maskline.cli.main import main
from maskline.files.dotted import leaves
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params
from maskline.planning.choice import Choice, with_choices
from maskline.planning.text import _hanging, _value

EXPECTED = """\
cells

  layout       folder, because images/ and masks/ hold 30 pairs of the same name
  images       30 images: train 30; validation and test are held out of train
  mask values  8-bit gray (30); 2 values (pixels): 0 (5.4 M), 255 (498 k)

Look at this before you train
  - 2 masks have no image
  - validation will have 2 images, and test 6 images, so that the figures depend
    on chance; `maskline folds 5` tests on all images

Params that differ from the defaults
  dataset.name: folder              images/ and masks/ hold 30 pairs of the same
                                    name
  dataset.path: cells               the folder that you named
  dataset.classes: [background, cell]
                                    mask values 0 and 255; no file names the
                                    classes
  dataset.values: [0, 255]          the values that the masks have
  preprocess.height: 96             a quarter of the median height, 384, and a
                                    multiple of the stride, 32
  train.epochs: 40                  1,200 steps of 0.6 s each fill the 12
                                    minutes
  evaluate.scales: [0.75, 1.0, 1.25]
                                    objects of many sizes

Forecast for this machine: 2 cores, 16.0 GB, no GPU
  stage               time      memory        disk
  download            12 s      600 MB      180 MB
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with what a project is made of, where nothing is really looked at or tried."""
    folder = root_files(tmp_path / "maskline")
    monkeypatch.chdir(folder)
    fake_plan.put_in_place(monkeypatch)
    return folder


def plan(*arguments):
    main(["plan", *arguments])


def test_the_plan_reads_well_in_80_columns(root, capsys):
    plan("cells")
    out, err = capsys.readouterr()
    assert out.startswith(EXPECTED)
    assert max(map(len, out.splitlines())) <= 80
    assert out.endswith("\nNext\n  maskline plan cells --write projects/cells\n")
    assert err.splitlines()[-1] == "plan: trying unet at 96 x 128, 8 images a step"
    assert not (root / "projects").exists()


def test_a_project_is_written_with_the_params_that_the_plan_shows(root, capsys):
    plan("data/cells", "--write", "projects/mine")
    out, _ = capsys.readouterr()
    values = read_yaml(root / "projects/mine/params.yaml")
    assert check_params(values, root).repo == "../.."
    expected = {choice.key: choice.value for choice in CHOSEN} | {"dataset.path": str(root / "data/cells")}
    assert dict(leaves(values)).items() >= expected.items()
    assert f"dataset.path: {root / 'data/cells'}" in out
    *_, title, repro, report, params, folds = out.splitlines()
    assert title == "Written to projects/mine/. Next"
    assert repro.split("  ")[1] == "dvc repro projects/mine/dvc.yaml"
    assert report.split()[0] == "projects/mine/metrics/report.html"
    assert params.split()[0] == "projects/mine/params.yaml"
    assert folds.strip().startswith("maskline folds 5 --folder projects/mine  ")


@pytest.mark.parametrize("name", ["mine", "a-name-that-takes-half-of-a-line-of-it"])
def test_what_to_type_next_fits_80_columns(name, root, capsys):
    plan("cells", "--write", f"projects/{name}")
    _, _, commands = capsys.readouterr().out.partition("Next\n")
    assert len(commands.splitlines()) in (4, 8)
    assert max(map(len, commands.splitlines())) <= 80


@pytest.mark.parametrize("start", range(60, 78))
def test_a_count_and_its_unit_are_on_one_line(start):
    text = _hanging("", f"{'x' * start} 128 (54 k), 255 (3.2 M), cell 4.9 %, all (12 of them)")
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert not any(line.startswith(("(", "k", "M", "%")) for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([list(range(128)), list(range(128, 256))], "[[0 ... 127], [128 ... 255]]"),
        ([f"c{i}" for i in range(14)], f"[{', '.join(f'c{i}' for i in range(11))}, ... 3 more]"),
        (["a, b", "null", "cell"], '["a, b", "null", cell]'),
        ([0, 1, 255], "[0, 1, 255]"),
        ([], "[]"),
        (None, "null"),
    ],
)
def test_long_lists_are_shortened(value, text):
    assert _value(value) == text


def test_weights_of_the_users_are_named_as_the_project_finds_them(root, capsys):
    plan("cells", "--weights", "mine.h5", "--write", "projects/mine", "--json")
    shown = json.loads(capsys.readouterr().out)["params"]["model.encoder_weights"]["value"]
    assert shown == read_yaml(root / "projects/mine/params.yaml")["model"]["encoder_weights"] == str(root / "mine.h5")


def test_json_is_one_document_with_what_the_text_says(root, capsys):
    plan("cells", "--json")
    out, _ = capsys.readouterr()
    shown = json.loads(out)
    assert shown["params"]["preprocess.height"] == {
        "value": 96,
        "default": 128,
        "reason": "a quarter of the median height, 384, and a multiple of the stride, 32",
    }
    assert "model.width" not in shown["params"]
    assert shown["classes"][1] == {"name": "cell", "value": "255", "pixels": 498240, "images": 28}
    assert shown["forecast"][2] == {"stage": "train", "seconds": 1405.0, "memory": 2140000000, "disk": 31000000}
    assert shown["machine"] == {"cores": 2, "memory": 16000000000, "gpus": [], "bfloat16": False}
    assert (shown["path"], shown["project"]) == ("cells", None)


def test_choices_change_a_copy_and_have_keys_of_the_params():
    params = {"seed": 1, "train": {"epochs": 8, "loss": {"dice": 1.0}}}
    changed = with_choices(params, [Choice("train.epochs", 3, ""), Choice("train.loss.dice", 0.0, "")])
    assert changed == {"seed": 1, "train": {"epochs": 3, "loss": {"dice": 0.0}}}
    assert params["train"] == {"epochs": 8, "loss": {"dice": 1.0}}
    with pytest.raises(KeyError, match=r"train\.epoch"):
        with_choices(params, [Choice("train.epoch", 3, "")])


def test_names_from_outside_cannot_steer_the_terminal(root, capsys):
    plan("cells\x1b]0;owned\x07")
    assert "\x1b" not in capsys.readouterr().out


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_looked_at(root, capsys):
    (root / "mine").mkdir()
    (root / "mine/params.yaml").write_text("mine")
    with pytest.raises(SystemExit) as stop:
        plan("cells", "--write", "mine")
    assert str(stop.value).startswith("maskline: mine holds a project, which plan does not write over")
    assert capsys.readouterr() == ("", "")


def test_update_renews_a_project_and_says_so(root, capsys):
    plan("cells", "--write", "projects/mine")
    capsys.readouterr()
    plan("--update", "projects/mine")
    assert capsys.readouterr().out == "projects/mine is up to date\n"
    (root / "projects/mine/dvc.yaml").write_text("of old")
    plan("--update", "projects/mine")
    assert capsys.readouterr().out == "projects/mine/dvc.yaml: replaced by this version's\n"


@pytest.mark.parametrize("arguments", [[], ["cells", "--update", "projects/mine"], ["--minutes", "3"]])
def test_a_folder_or_a_project_is_named(root, arguments):
    with pytest.raises(SystemExit, match=r"name your folder.*or a project"):
        plan(*arguments)


@pytest.mark.parametrize("minutes", ["0", "-1", "soon", "nan"])
def test_minutes_have_bounds(root, minutes, capsys):
    with pytest.raises(SystemExit):
        plan("cells", f"--minutes={minutes}")
    assert "must be a number from 0.1 to 100000" in capsys.readouterr().err
