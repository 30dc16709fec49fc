"""The one arrow of imports and ComfyUI's boundary, read from the code itself."""

import ast
from pathlib import Path

import pytest

from motionrag_nodes import STAGES

ROOT = Path(__file__).resolve().parents[1]
OUTERMOST = ("training", "benchmarks", "editor_pictures")
PACKAGES = ("index_builder", "motionrag_nodes", *OUTERMOST)
COMFYUI = {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "folder_paths", "nodes", "server", "execution"}


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: a package that is loaded twice has two of each class"
            found.add(node.module or "")
    return found


def files_of(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_there_is_something_to_check() -> None:
    assert len(files_of("index_builder")) > 10
    assert len(files_of("motionrag_nodes")) > 20


@pytest.mark.parametrize("path", files_of("index_builder"), ids=lambda p: str(p.relative_to(ROOT)))
def test_index_builder_imports_nothing_of_the_stages(path: Path) -> None:
    assert not {m for m in imports_of(path) if m.split(".")[0] in ("motionrag_nodes", *OUTERMOST)}


@pytest.mark.parametrize("path", files_of("motionrag_nodes"), ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_imports_what_is_outermost(path: Path) -> None:
    assert not {m for m in imports_of(path) if m.split(".")[0] in OUTERMOST}


@pytest.mark.parametrize(
    "path", [p for folder in PACKAGES for p in files_of(folder)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_nodes_import_comfyui(path: Path) -> None:
    if path.is_relative_to(ROOT / "motionrag_nodes" / "nodes"):
        return
    assert not {m for m in imports_of(path) if m.split(".")[0] in COMFYUI}


@pytest.mark.parametrize(
    "path", [p for folder in PACKAGES for p in files_of(folder)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_the_ray_engine_imports_ray(path: Path) -> None:
    if path != ROOT / "index_builder" / "engines" / "ray_engine.py":
        assert not {m for m in imports_of(path) if m.split(".")[0] == "ray"}


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_only_those_before_them(stage: str) -> None:
    later = {f"motionrag_nodes.{name}" for name in STAGES[STAGES.index(stage) + 1 :]}
    outer = {f"motionrag_nodes.{name}" for name in ("nodes", "cli", "batch_render")}
    files = files_of(f"motionrag_nodes/{stage}")
    assert files, f"stage {stage} has no folder"
    for path in files:
        assert not {m for m in imports_of(path) if ".".join(m.split(".")[:2]) in later | outer}, path


def test_readme_states_the_stages_in_order() -> None:
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").replace("motionrag_nodes/", " ").split())
    assert " -> ".join(STAGES) in words
