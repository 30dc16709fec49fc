"""The one arrow of imports and ComfyUI's boundary, read from the code itself."""

import ast
import re
from pathlib import Path

import pytest

from motionrag_nodes import STAGES
from motionrag_nodes.backbones.backbone import backbone_names

ROOT = Path(__file__).resolve().parents[1]
BACKBONES = ROOT / "motionrag_nodes" / "backbones"
OUTERMOST = ("training", "benchmarks", "editor_pictures")
PACKAGES = ("index_builder", "motionrag_nodes", *OUTERMOST)
COMFYUI_NODES = {"SVD_img2vid_Conditioning"}  # ComfyUI's own, by their ids
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
def test_only_nodes_and_the_backbones_native_loaders_import_comfyui(path: Path) -> None:
    if path.is_relative_to(ROOT / "motionrag_nodes" / "nodes") or path in BACKBONES.glob("*/native.py"):
        return
    assert not {m for m in imports_of(path) if m.split(".")[0] in COMFYUI}


@pytest.mark.parametrize(
    "path", [p for folder in PACKAGES for p in files_of(folder)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_only_the_ray_engine_imports_ray(path: Path) -> None:
    if path != ROOT / "index_builder" / "engines" / "ray_engine.py":
        assert not {m for m in imports_of(path) if m.split(".")[0] == "ray"}


@pytest.mark.parametrize("path", files_of("motionrag_nodes/backbones"), ids=lambda p: str(p.relative_to(ROOT)))
def test_backbones_stand_before_the_stages(path: Path) -> None:
    own = ("motionrag_nodes.backbones", "motionrag_nodes.errors")
    found = {m for m in imports_of(path) if m.split(".")[0] == "motionrag_nodes" and not m.startswith(own)}
    # A base model may bring its own resampler, of the same kind as the stage's.
    assert found <= {"motionrag_nodes.state_check", "motionrag_nodes.motion_tokens.resampler"}
    if path.parent == BACKBONES:
        assert not {m for m in imports_of(path) if len(m.split(".")) > 2 and m.split(".")[2] in backbone_names()}


def words_of(path: Path) -> set[str]:
    """Words of the names in a file's code: identifiers, modules and strings that are no text (texts have spaces)."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "np.linalg.svd":  # linear algebra
            continue
        if isinstance(node, ast.Name | ast.Attribute):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef | ast.arg | ast.keyword | ast.alias):
            names.add(getattr(node, "name", None) or getattr(node, "arg", None) or "")
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not set(node.value) & set(" \n"):
            names |= {node.value} - COMFYUI_NODES
    return {word.lower() for name in names for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


@pytest.mark.parametrize(
    "path", [p for folder in PACKAGES for p in files_of(folder)], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_backbone_is_named_in_its_folder_alone(path: Path) -> None:
    # Training makes one small model and says in one place of which kind.
    if BACKBONES not in path.parents and path != ROOT / "training" / "sizes.py":
        assert not words_of(path) & set(backbone_names())


@pytest.mark.parametrize("stage", STAGES)
def test_stages_import_only_those_before_them(stage: str) -> None:
    later = {f"motionrag_nodes.{name}" for name in STAGES[STAGES.index(stage) + 1 :]}
    outer = {f"motionrag_nodes.{name}" for name in ("checkpoints", "nodes", "cli", "batch_render", "doctor")}
    files = files_of(f"motionrag_nodes/{stage}")
    assert files, f"stage {stage} has no folder"
    for path in files:
        assert not {m for m in imports_of(path) if ".".join(m.split(".")[:2]) in later | outer}, path


def test_readme_states_the_stages_in_order() -> None:
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").replace("motionrag_nodes/", " ").split())
    assert " -> ".join(STAGES) in words
