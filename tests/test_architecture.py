"""Imports point one way, without cycles, and the library is cheap to import."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.conftest import ROOT

# Package to those of the project that it may import.
ALLOWED = {
    "similarity": {"similarity"},
    "trajsim": {"similarity"},
    "service": {"similarity", "service"},
    "eval": {"similarity", "eval"},
    "training": {"similarity", "training"},
    "docsite": {"similarity", "service", "eval", "docsite"},
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ALLOWED
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imports(path: Path) -> set[str]:
    """Return the project's modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            base = node.module or ""
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return found & MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_one_way(module: str) -> None:
    allowed = ALLOWED[module.partition(".")[0]]
    strangers = {name for name in imports(MODULES[module]) if name.partition(".")[0] not in allowed}
    assert not strangers


def test_no_cycles() -> None:
    # A package's own __init__ gathers names for users; nothing inside imports from it.
    graph = {name: imports(path) - ALLOWED.keys() for name, path in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())


def folders_of(package: str) -> dict[str, set[str]]:
    """Return the imports between the children of a package: sub-folders whole, modules single."""

    def child(module: str) -> str:
        return ".".join(module.split(".")[: package.count(".") + 2])

    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        if module.startswith(f"{package}.") and not module.endswith("__main__"):
            inside = {name for name in imports(path) if name.startswith(f"{package}.")}
            graph.setdefault(child(module), set()).update(map(child, inside))
    return {name: imported - {name} for name, imported in graph.items()}


@pytest.mark.parametrize("package", ["similarity", "service", "service.http", "eval", "training"])
def test_no_cycles_between_folders(package: str) -> None:
    assert list(TopologicalSorter(folders_of(package)).static_order())


def test_no_module_is_two_things() -> None:
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()
    }
    assert {name: count for name, count in lines.items() if count > 300} == {}


@pytest.mark.parametrize("package", ["similarity", "trajsim"])
def test_import_is_light(package: str) -> None:
    heavy = "{'torch', 'transformers', 'fastapi', 'vllm', 'httpx', 'pyarrow', 'rich', 'click'}"
    used = f"import {package}, sys; {package}.load_model"
    program = f"{used}; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_help_needs_nothing_that_computes() -> None:
    heavy = (
        "{'torch', 'scipy.special', 'scipy.stats', 'scipy.optimize', 'rich', 'pydantic', "
        "'fastapi', 'httpx', 'similarity.cli.options'}"
    )
    program = (
        "import sys; from click.testing import CliRunner; from similarity.cli.main import main; "
        "assert CliRunner().invoke(main, ['--help']).exit_code == 0; "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"
