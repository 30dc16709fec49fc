"""Templates that need a newer ComfyUI or large models: nodes, links and values against what ComfyUI 0.33.0 offers.

`comfyui_0_33_0.json` holds that, with where it is from; what our own nodes offer is in `released_nodes.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from editor_pictures.templates import needs_of, runnable_templates
from motionrag_nodes.batch_render.server.install import checkout_folder

FOLDER = checkout_folder() / "workflows"
NEEDING = sorted(set(FOLDER.glob("*.json")) - set(runnable_templates(FOLDER)))
STORED: dict[str, Any] = json.loads(Path(__file__).with_name("comfyui_0_33_0.json").read_text(encoding="utf-8"))
RELEASED: dict[str, Any] = json.loads(Path(__file__).with_name("released_nodes.json").read_text(encoding="utf-8"))
WIDGETS = {"STRING", "INT", "FLOAT", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
NOTES = {"MarkdownNote"}
# In ComfyUI 0.33 SaveVideo's choice of a codec depends on that of a format; the values saved are those of both.
DEPENDENT = {"SaveVideo": {"codec": "COMBO"}}
Spec = list[Any]


def specs_of(kind: str) -> tuple[dict[str, Spec], set[str]]:
    """Input -> [type, what is known of it], in order, and which are required. Of our own nodes the type alone."""
    if kind in RELEASED:
        return {name: [type_] for name, type_ in RELEASED[kind]["inputs"].items()}, set()
    sections = STORED["classes"][kind]["input"]
    return {**sections["required"], **sections.get("optional", {})}, set(sections["required"])


def outputs_of(kind: str) -> list[str]:
    if kind in RELEASED:
        return [type_ for _, type_ in RELEASED[kind]["outputs"]]
    found: list[str] = STORED["classes"][kind]["output"]
    return found


def type_of(kind: str, name: str) -> str | None:
    """Of an input, also one of a row that grows as it is filled; None where there is no such input."""
    specs, _ = specs_of(kind)
    row, _, number = name.partition(".")
    if number:
        known = specs[row][1]
        place = int(number.removeprefix(known["prefix"]))
        return str(known["of"]) if place < known["max"] else None
    return str(specs[name][0]) if name in specs else DEPENDENT.get(kind, {}).get(name)


def faults_of(workflow: dict[str, Any]) -> list[str]:
    nodes = {node["id"]: node for node in workflow["nodes"]}
    links = {link[0]: link for link in workflow["links"]}
    found = []
    for node in nodes.values():
        kind = node["type"]
        if kind in NOTES:
            continue
        if kind not in RELEASED and kind not in STORED["classes"]:
            found.append(f"no class {kind}")
            continue
        for place, entry in enumerate(node["inputs"]):
            wanted = type_of(kind, entry["name"])
            if wanted not in (entry["type"], "COMFY_DYNAMICCOMBO_V3"):
                found.append(f"{kind}.{entry['name']} is {wanted}, not {entry['type']}")
            if entry["link"] is not None:
                _, source, slot, target, target_place, _ = links[entry["link"]]
                given = outputs_of(nodes[source]["type"])[slot]
                if (target, target_place, given) != (node["id"], place, wanted):
                    found.append(f"{kind}.{entry['name']} takes {wanted}, and gets {given}")
                if entry["link"] not in nodes[source]["outputs"][slot]["links"]:
                    found.append(f"{nodes[source]['type']} does not know its link {entry['link']}")
        found += missing_of(node) + values_of(node)
    return found


def missing_of(node: dict[str, Any]) -> list[str]:
    """Sockets that must be connected, and are not."""
    linked = {entry["name"] for entry in node["inputs"] if entry["link"] is not None}
    specs, required = specs_of(node["type"])
    return [
        f"{node['type']}.{name} is not connected"
        for name in required
        if specs[name][0] not in WIDGETS and name not in linked
    ]


def values_of(node: dict[str, Any]) -> list[str]:
    """Values that the class does not take."""
    specs, required = specs_of(node["type"])
    if node["type"] in RELEASED:
        return []
    values, found = list(node["widgets_values"]), []
    for name, (kind, *more) in specs.items():
        known = more[0] if more else {}
        if kind not in WIDGETS or (not values and name not in required):
            continue
        value = values.pop(0)
        if known.get("control_after_generate"):
            assert values.pop(0) == "fixed"
        if known.get("image_upload"):
            assert values.pop(0) == "image"
        low, high, options = known.get("min"), known.get("max"), known.get("options")
        grid = known.get("step", 0) if kind == "INT" else 0
        if options is not None and value not in options:
            found.append(f"{node['type']}.{name}: {value!r} is none of {options}")
        if kind in ("INT", "FLOAT") and not low <= value <= high:
            found.append(f"{node['type']}.{name}: {value} is not within {low} to {high}")
        if grid and name in ("width", "height", "length") and (value - low) % grid:
            found.append(f"{node['type']}.{name}: {value} is off the grid")
    if values and values != ["auto"]:  # SaveVideo's codec
        found.append(f"{node['type']} has values too many: {values}")
    return found


@pytest.mark.parametrize("path", NEEDING, ids=lambda path: path.stem)
def test_a_template_fits_comfyui(path: Path) -> None:
    assert STORED["comfyui"] == "0.33.0" and STORED["source"]
    assert len(needs_of(path) or "") > 20
    assert faults_of(json.loads(path.read_text(encoding="utf-8"))) == []


def test_there_is_one_for_each_kind_of_model() -> None:
    kinds = {node["type"] for path in NEEDING for node in json.loads(path.read_text(encoding="utf-8"))["nodes"]}
    assert {"MiniMaxH3ReferenceToVideo", "WanVaceToVideo", "WanFunControlToVideo", "MotionRAGApplyMotion"} <= kinds
    assert set(STORED["classes"]) == {kind for kind in kinds if kind not in RELEASED and kind not in NOTES}


def test_what_does_not_fit_is_found() -> None:
    workflow = json.loads((FOLDER / "control_clip_wan_vace.json").read_text(encoding="utf-8"))
    by_class = {node["type"]: node for node in workflow["nodes"]}
    by_class["WanVaceToVideo"]["widgets_values"][2] = 80
    by_class["WanVaceToVideo"]["inputs"][0]["link"] = None
    by_class["KSampler"]["widgets_values"][4] = "euler_perhaps"
    found = faults_of(workflow)
    assert any("80 is off the grid" in fault for fault in found)
    assert any("WanVaceToVideo.positive is not connected" in fault for fault in found)
    assert any("'euler_perhaps' is none of" in fault for fault in found)
