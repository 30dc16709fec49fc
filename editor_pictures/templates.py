"""The templates in two groups: those that run with what the package brings, and those that need more than that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# In a workflow's "extra": {"motionrag": {"needs": "what has to be there"}}.
_OURS, _NEEDS = "motionrag", "needs"
_WITHOUT_LOOKS = "MotionRAGMotionWithoutLooks"


def runnable_templates(folder: Path) -> list[Path]:
    """The workflows that run untouched in any ComfyUI with this package, by name."""
    return [path for path in _all(folder) if needs_of(path) is None]


def needs_of(path: Path) -> str | None:
    """What a workflow needs beside this package; None where that is nothing."""
    extra: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("extra") or {}
    needs = extra.get(_OURS, {}).get(_NEEDS)
    return None if needs is None else str(needs)


def takes_looks_away(path: Path) -> bool:
    """Whether a workflow has a node that keeps a clip's motion and drops its looks."""
    nodes: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["nodes"]
    return any(node["type"] == _WITHOUT_LOOKS for node in nodes)


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))
