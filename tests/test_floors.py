"""The floors of the library: what each part of maskline may import, directly and through others."""

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest
from test_declarations import module_files

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "maskline").rglob("*.py"))
GROUND = {"errors", "files", "messages"}
FIRST = {"contracts", "metrics", "params", "engine"}
ENTRANCES = {"cli", "__main__", "__init__"}

# What a wing may import besides the ground, the first floor and itself.
WINGS = {
    "datasets": set(),
    "shards": set(),
    "models": set(),
    "training": {"models", "shards"},
    "prediction": {"models", "shards"},
    "evaluation": {"models", "shards", "prediction"},
    "export": {"models", "shards", "prediction", "evaluation", "comparison"},
    "planning": {"datasets", "shards", "models", "training", "prediction", "evaluation"},
    "comparison": set(),
    "verification": set(),
    "series": {"comparison"},
    "folds": {"comparison", "series"},
    "seeds": {"comparison", "series"},
    "report": set(),
}
# These read contracts and metrics alone; `verification` reads nothing that a stage types.
NARROW = {name: {"contracts", "metrics"} for name in ("report", "comparison", "series", "folds", "seeds")} | {
    "verification": {"contracts"}
}
LIGHT = ("contracts", "metrics", "report", "comparison", "verification", "series", "folds", "seeds", "files")
HEAVY = {"tensorflow", "keras", "tensorflow_datasets"}


def part(path: Path) -> str:
    """Return the wing, or the module, that a file of maskline belongs to."""
    return path.relative_to(ROOT / "maskline").with_suffix("").parts[0]


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Return the modules that a file names in its imports, at its top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def parts_of(path: Path) -> set[str]:
    """Return the other parts of maskline that a file imports."""
    files = {file for name in imported(path) if name.startswith("maskline.") for file in module_files(name)}
    return {part(file) for file in files if file != ROOT / "maskline/__init__.py"} - {part(path)}


def packages(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def of(*names: str) -> list[Path]:
    return [path for path in FILES if part(path) in names]


def test_every_part_has_a_floor():
    assert {part(path) for path in FILES} <= GROUND | FIRST | WINGS.keys() | ENTRANCES


@pytest.mark.parametrize("path", of(*GROUND), ids=str)
def test_the_ground_stands_alone(path):
    assert parts_of(path) <= GROUND


@pytest.mark.parametrize("path", of("contracts", "metrics", "engine"), ids=str)
def test_the_first_floor_stands_on_the_ground(path):
    assert parts_of(path) <= GROUND | {"contracts"}


@pytest.mark.parametrize("path", of(*WINGS), ids=str)
def test_wings_stand_on_the_first_floor(path):
    below = NARROW.get(part(path), FIRST)
    assert parts_of(path) <= GROUND | below | WINGS[part(path)]


def test_training_and_evaluation_stand_side_by_side():
    assert not {p for path in of("training") for p in parts_of(path)} & {"evaluation"}
    assert not {p for path in of("evaluation") for p in parts_of(path)} & {"training"}


def test_nothing_in_the_library_imports_a_stage():
    assert not [path for path in FILES if packages(path) & {"stages", "entry"}]


def test_only_comparison_and_verification_know_dvc():
    assert {part(path) for path in FILES if "dvc" in packages(path)} <= {"comparison", "verification"}


def test_metrics_need_arrays_alone():
    allowed = set(sys.stdlib_module_names) | {"maskline", "numpy", "cv2"}
    assert not {name for path in of("metrics") for name in packages(path)} - allowed


@pytest.mark.parametrize("name", LIGHT)
def test_no_tensorflow_even_inside_functions(name):
    assert not {package for path in of(name) for package in packages(path)} & HEAVY


def test_the_light_parts_run_without_tensorflow():
    """All their modules together; what they import in turn counts too."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in of(
            "contracts", "metrics", "report", "comparison", "verification", "series", "folds", "seeds", "files", "cli"
        )
    ]
    code = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
    code += f"print(sorted({HEAVY | {'pandas', 'dvc'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
