"""Workflows whose prompt ComfyUI's own editor was asked for, and what it answered (data/truths.json).

`make test-editor` asks it again; `python -m tests.editor.write_truths` stores new answers.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.conversion.convert import Prompt
from tests.motionrag_nodes.batch_render.conversion.random_workflows import random_workflow
from tests.motionrag_nodes.batch_render.conversion.shown_classes import shown_classes
from tests.motionrag_nodes.batch_render.conversion.trap_classes import CLASSES

_DATA = Path(__file__).parent / "data"
TRUTHS = _DATA / "truths.json"
RANDOM_WORKFLOWS = 120
_TEMPLATE_PACKAGES = ("core", "media_api", "media_image", "media_other", "media_video")
_NOT_TEMPLATES = ("index", "manifest", "fuse_options")


@dataclass(frozen=True)
class Case:
    """A workflow, and the classes that it is made for."""

    name: str
    workflow: dict[str, Any]
    object_info: dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """What the editor answered: a prompt (or its digest), a refusal, or nodes of classes that the server lacks."""

    kind: str  # "prompt", "refused" or "lacks classes"
    digest: str = ""
    time: str = ""

    @property
    def now(self) -> datetime:
        return datetime.fromisoformat(self.time)


def self_made() -> Iterator[Case]:
    """One workflow for each trap, by hand."""
    classes = json.loads((_DATA / "case_classes.json").read_text())
    for path in sorted((_DATA / "cases").glob("*.json")):
        yield Case(path.stem, json.loads(path.read_text()), classes)


def random_cases() -> Iterator[Case]:
    for number in range(RANDOM_WORKFLOWS):
        yield Case(f"random {number}", random_workflow(number), CLASSES)


def templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """ComfyUI's own templates, where the installed packages have them."""
    for package in _TEMPLATE_PACKAGES:
        yield from _packaged(f"comfyui_workflow_templates_{package}", "templates")


def blueprints() -> Iterator[tuple[str, dict[str, Any]]]:
    """ComfyUI's own blueprints: a subgraph each, as an instance with what it shows of its inside."""
    yield from _packaged("comfyui_subgraph_blueprints", "blueprints")


def packaged_cases(object_info: dict[str, Any]) -> list[Case]:
    """Templates and blueprints on a server of these classes; and those that need more, on one that has all they show.

    There are two sets of classes: `object_info` itself and one other, each the same object for all of its cases.
    """
    packaged = {f"template {name}": data for name, data in templates()}
    packaged |= {f"blueprint {name}": data for name, data in blueprints()}
    shown = {name: shown_classes([data], object_info) for name, data in packaged.items()}
    every = object_info | shown_classes(packaged.values(), object_info)
    cases = [Case(name, data, object_info) for name, data in packaged.items()]
    return cases + [Case(f"{name}, all classes", data, every) for name, data in packaged.items() if shown[name]]


def _packaged(package: str, folder: str) -> Iterator[tuple[str, dict[str, Any]]]:
    spec = importlib.util.find_spec(package)
    for location in (spec.submodule_search_locations or []) if spec else []:
        for path in sorted(Path(location).glob(f"{folder}/*.json")):
            data = json.loads(path.read_text(encoding="utf-8"))
            if not path.stem.startswith(_NOT_TEMPLATES) and isinstance(data, dict) and "nodes" in data:
                yield path.stem, data


def stored_truths() -> dict[str, Truth]:
    return {name: Truth(**fields) for name, fields in json.loads(TRUTHS.read_text())["answers"].items()}


def digest(prompt: Prompt) -> str:
    """Tells prompts apart by nodes, classes and inputs; not by titles, as the page translates those of classes."""
    bare = {node_id: [node.get("class_type"), node["inputs"]] for node_id, node in prompt.items()}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:24]
