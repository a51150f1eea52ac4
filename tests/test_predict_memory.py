"""The memory that `maskline predict` takes for large images."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx_models import write_onnx
from PIL import Image

ROOT = Path(__file__).parents[1]
TWELVE = {f"class {i}": f"#{53 * i % 256:02x}{97 * i % 256:02x}{151 * i % 256:02x}" for i in range(12)}
SCRIPT = """
import sys
from maskline.cli.main import main
main(["predict", *sys.argv[1:]])
lines = open("/proc/self/status").read().splitlines()
print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--coco"], ["--window", "512"]])
def test_images_of_4000_x_4000_take_less_than_600_mb(options, tmp_path):
    """Two of them, as what is kept of one must not add to the next."""
    model = write_onnx(tmp_path / "model.onnx", TWELVE, (256, 256))
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    image = Image.fromarray(noise).resize((4000, 4000), Image.Resampling.BICUBIC)
    (tmp_path / "in").mkdir()
    image.save(tmp_path / "in/1.jpg")
    image.save(tmp_path / "in/2.png", compress_level=1)
    arguments = [model, tmp_path / "in", "-o", tmp_path / "out", *options]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout.splitlines()[-1]) < 600
    if not options:
        with Image.open(tmp_path / "out/overlays/1.jpg") as shown:
            assert shown.size == (2000, 2000)
