"""The catalogue names what the docs and the folder of decoders hold, and importing it imports no TensorFlow."""

import re
import subprocess
import sys
from pathlib import Path

from maskline.models.catalogue import ENCODERS, NETWORKS

ROOT = Path(__file__).parents[1]


def test_importing_it_imports_no_tensorflow():
    script = "import sys, maskline.models.catalogue; print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_docs_name_exactly_its_networks_and_encoders():
    section = (ROOT / "docs/networks.md").read_text(encoding="utf-8").partition("\n| `model.architecture` | what")[2]
    table, _, after = section.partition("\n\n")
    rows = [line.split("|")[1:4] for line in table.splitlines()[2:]]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row[0])] == list(NETWORKS)
    named = "".join(row[2] for row in rows) + after.partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", named)) == set(ENCODERS)


def test_each_networks_file_exists_and_no_other_does():
    files = {path.stem for path in (ROOT / "maskline/models/decoders").glob("*.py")} - {"__init__"}
    assert files == {network.module for network in NETWORKS.values()}
