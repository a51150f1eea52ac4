"""docs/predict.ipynb: every cell runs, in order, on a model and an image where the pipeline puts them."""

import json
from pathlib import Path

import numpy as np
from onnx_models import nearest, write_onnx
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "docs/predict.ipynb"
MODEL = "data/model/model.keras"


def test_every_cell_runs(tmp_path, monkeypatch, capsys):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell.get("outputs") for cell in notebook["cells"])
    monkeypatch.chdir(tmp_path)
    for folder in ("data/model", "data/evaluation/pictures/000004"):
        Path(folder).mkdir(parents=True)
    write_onnx(Path("data/model/model.onnx"))
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    Image.fromarray(image).save("data/evaluation/pictures/000004/image.png")
    assert MODEL in cells[0]
    assert not any('"/' in cell for cell in cells), "an absolute path"
    names: dict = {}
    for cell in cells:
        exec(cell.replace(MODEL, "data/model/model.onnx"), names)  # an .onnx, as TensorFlow starts slowly
    np.testing.assert_array_equal(names["result"].labels, nearest(image))
    assert names["overlay"].size == names["unsure"].size == (48, 32)
    assert "of the image, mean confidence" in capsys.readouterr().out
