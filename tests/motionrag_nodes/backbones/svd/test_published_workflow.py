"""The saved workflow for the published weights says what the authors' own settings are."""

from __future__ import annotations

import json
from typing import Any

from motionrag_nodes.backbones.svd.published import PUBLISHED
from motionrag_nodes.batch_render.server.install import checkout_folder


def test_it_generates_as_published() -> None:
    saved = json.loads((checkout_folder() / "workflows" / "native_svd_published.json").read_text(encoding="utf-8"))
    nodes: dict[str, dict[str, Any]] = {node["type"]: node for node in saved["nodes"]}
    values = {kind: node.get("widgets_values") for kind, node in nodes.items()}
    ours = PUBLISHED.settings
    assert values["SVD_img2vid_Conditioning"] == [
        ours.width, ours.height, ours.frames, ours.motion_bucket_id, ours.condition_fps, ours.noise_aug_strength,
    ]  # fmt: skip
    assert ours.condition_fps - 1 == 6  # what ComfyUI, as SVD's own pipeline, makes of it
    assert values["VideoLinearCFGGuidance"] == [ours.min_guidance]
    assert values["KSampler"][2:4] == [ours.steps, ours.max_guidance]
    assert values["CreateVideo"] == [ours.fps]
    assert values["MotionRAGApplyMotion"][:4] == [1.0, 0.0, 1.0, "zero clip"]
    links = {link[0]: link for link in saved["links"]}
    feeding = links[
        next(entry["link"] for entry in nodes["MotionRAGApplyMotion"]["inputs"] if entry["name"] == "model")
    ]
    assert feeding[1] == nodes["ImageOnlyCheckpointLoader"]["id"]
    for node in saved["nodes"]:
        for slot, entry in enumerate(node.get("inputs", [])):
            assert entry["link"] is None or links[entry["link"]][3:5] == [node["id"], slot]
        for slot, entry in enumerate(node.get("outputs", [])):
            assert all(links[number][1:3] == [node["id"], slot] for number in entry.get("links") or ())
