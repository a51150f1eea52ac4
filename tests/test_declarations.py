"""dvc.yaml tells the truth: every project file a stage imports is in its deps, and other folders repeat it."""

import ast
import functools
import subprocess
from pathlib import Path

import pytest

from maskline.contracts.own_files import OWN_FILES
from maskline.files.yaml12 import read_yaml

ROOT = Path(__file__).parents[1]
STAGES = read_yaml(ROOT / "dvc.yaml")["stages"]

# The check of all of params.yaml only refuses. If it were a dep, a new knob of one stage would make every stage stale.
EXEMPT = {(ROOT / "stages/entry.py", ROOT / "maskline/params/check.py")}

# They import what they offer when a caller first asks them for it; stages import from the modules themselves.
DOORS = {ROOT / "maskline/__init__.py", ROOT / "maskline/metrics/__init__.py"}


def module_files(module: str) -> set[Path]:
    """Return the files that importing a project module runs: it, and its packages' __init__.py."""
    parts = module.split(".")
    packages = [ROOT.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    file = ROOT.joinpath(*parts).with_suffix(".py")
    return {path for path in (*packages, file) if path.exists()}


def imported_by_name(node: ast.AST) -> set[Path]:
    """Return all files of the package that a call such as `import_module(f"maskline.package.{name}")` picks from."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "import_module":
        (name,) = node.args
        assert isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant), "unknown import"
        return set(ROOT.joinpath(*name.values[0].value.rstrip(".").split(".")).glob("*.py"))
    return set()


@functools.cache
def imports(path: Path) -> set[Path]:
    """Return the project files that a file imports, at its top or inside functions, and that its deps must hold."""
    found = set()
    for node in ast.walk(ast.parse("" if path in DOORS else path.read_text())):
        found |= imported_by_name(node)
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if (module := ROOT / "stages" / f"{name}.py").exists():
                found.add(module)
            elif name.split(".")[0] == "maskline":
                found |= module_files(name)
    return {imported for imported in found if (path, imported) not in EXEMPT}


def reached(start: Path) -> set[Path]:
    seen, waiting = set(), {start}
    while waiting:
        path = waiting.pop()
        seen.add(path)
        waiting |= imports(path) - seen
    return seen


def declared(stage: str) -> set[Path]:
    files = set()
    for dep in STAGES[stage]["deps"]:
        if dep.startswith("${repo}/"):
            path = ROOT / dep.removeprefix("${repo}/")
            assert path.exists(), f"{stage} depends on {dep}, which does not exist"
            files |= set(path.rglob("*.py")) if path.is_dir() else {path}
    return files


@pytest.mark.parametrize("stage", STAGES)
def test_every_import_is_declared(stage):
    missing = reached(ROOT / "stages" / f"{stage}.py") - declared(stage)
    assert not {str(path.relative_to(ROOT)) for path in missing}


@pytest.mark.parametrize("stage", STAGES)
def test_no_single_file_is_declared_without_need(stage):
    named = {ROOT / dep.removeprefix("${repo}/") for dep in STAGES[stage]["deps"] if dep.endswith(".py")}
    assert not named - reached(ROOT / "stages" / f"{stage}.py")


def test_the_users_own_files_are_deps_of_download():
    assert {f"${{text}}${{{key}}}" for key in OWN_FILES} <= set(STAGES["download"]["deps"])


def test_the_walk_sees_an_import_inside_a_function():
    assert ROOT / "maskline/training/train.py" in reached(ROOT / "stages/train.py")


def test_the_walk_sees_modules_that_are_imported_by_name():
    assert ROOT / "maskline/models/decoders/unet.py" in reached(ROOT / "stages/train.py")


def test_no_stage_imports_through_a_door():
    """What it took would be missing among its deps."""
    for path in set().union(*(reached(ROOT / "stages" / f"{stage}.py") for stage in STAGES)):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module in ("maskline", "maskline.metrics"):
                modules = {f"{node.module}.{alias.name}" for alias in node.names}
                assert path in DOORS or all(module_files(name) - DOORS for name in modules), f"{path}: {modules}"
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & {"maskline", "maskline.metrics"}, path


def test_ci_and_recipes_run_the_same_pipeline():
    listed = subprocess.run(["git", "ls-files", "recipes"], cwd=ROOT, check=True, capture_output=True, text=True)
    recipes = {Path(line).parts[1] for line in listed.stdout.splitlines() if line.endswith("/dvc.yaml")}
    for folder in (ROOT / "ci", *(ROOT / "recipes" / recipe for recipe in sorted(recipes))):
        for name in ("dvc.yaml", "none", "imagenet"):
            assert (folder / name).read_bytes() == (ROOT / name).read_bytes()
        for name in ("dvc.lock", "metrics/evaluation.json"):
            assert (folder / name).exists(), "for a pipeline without its result, `dvc metrics show` prints a warning"


def test_the_exempted_check_is_no_dep_of_any_stage():
    assert not {path for _, path in EXEMPT} & set().union(*map(declared, STAGES))
