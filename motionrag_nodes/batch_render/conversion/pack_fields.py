"""Fields that the pages of widespread packs give their nodes, beside those that the server declares.

Read from what those pages send: rgthree-comfy, ComfyUI-KJNodes, ComfyUI-Custom-Scripts, ComfyUI-Easy-Use,
ComfyUI-Inspire-Pack, ComfyUI_essentials, ComfyUI-VideoHelperSuite, all of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED

_UPDATE = (("Update inputs", None),)
_SET_ALL = (("Set all", None),)
_ADD_TO_PROMPT = (("Add to prompt", None),)

# Class -> the fields that are added at its end, and what they hold at first. Buttons hold nothing, and are sent.
ADDED: dict[str, tuple[tuple[str, Any], ...]] = {
    "Power Primitive (rgthree)": (("type", UNDEFINED), ("value", UNDEFINED)),
    "Power Puter (rgthree)": (("outputs", UNDEFINED), ("code", UNDEFINED)),
    "Display Any (rgthree)": (("output", ""),),
    "Display Int (rgthree)": (("output", ""),),
    "LoraLoader|pysssss": (("example", ""),),
    "CheckpointLoader|pysssss": (("example", ""),),
    "easy sliderControl": (("values", UNDEFINED),),
    "easy poseEditor": (("editor", ""),),
    "easy stableDiffusion3API": (("account", ""),),
    "FluxAttentionSeeker+": (("RESET ALL", None), ("ZERO ALL", None), ("REPEAT FIRST", None)),
    "SD3AttentionSeekerLG+": (("RESET L", None), ("RESET G", None), ("REPEAT FIRST", None)),
    "SD3AttentionSeekerT5+": (("RESET ALL", None), ("REPEAT FIRST", None)),
    "ConditioningMultiCombine": _UPDATE,
    "CrossFadeImagesMulti": _UPDATE,
    "ImageAddMulti": _UPDATE,
    "ImageBatchMulti": _UPDATE,
    "JoinStringMulti": _UPDATE,
    "MaskBatchMulti": _UPDATE,
    "TransitionImagesMulti": _UPDATE,
    "FluxBlockLoraSelect": _SET_ALL,
    "HunyuanVideoBlockLoraSelect": _SET_ALL,
    "LTX2BlockLoraSelect": _SET_ALL,
    "SeedExplorer //Inspire": _ADD_TO_PROMPT,
    "RegionalSeedExplorerMask //Inspire": _ADD_TO_PROMPT,
    "RegionalSeedExplorerColorMask //Inspire": _ADD_TO_PROMPT,
}
# Lists that only put words into a text while it is edited.
_INSERTING = ("insert_lora", "insert_embedding", "insert_saved")
NOT_SENT: dict[str, tuple[str, ...]] = dict.fromkeys(
    (
        "Power Prompt (rgthree)",
        "Power Prompt - Simple (rgthree)",
        "SDXL Power Prompt - Positive (rgthree)",
        "SDXL Power Prompt - Simple / Negative (rgthree)",
    ),
    _INSERTING,
)
# Class -> what its page makes when the prompt is queued, which stands in no file.
MADE_BY_PAGE = {
    "VHS_SelectLatest": "the newest file of the server's folder, which its pack's page looks up",
    "easy tableEditor": "a table that its pack's page writes out",
}
# What lists of values meant before VideoHelperSuite saved them by name.
_FORMER_LISTS: dict[str, tuple[str | None, ...]] = {
    "VHS_LoadImages": ("directory", None, "image_load_cap", "skip_first_images", "select_every_nth"),
    "VHS_LoadImagesPath": ("directory", "image_load_cap", "skip_first_images", "select_every_nth"),
    "VHS_VideoCombine": ("frame_rate", "loop_count", "filename_prefix", "format", "pingpong", "save_image"),
    "VHS_LoadVideo": ("video", "force_rate", "force_size", "frame_load_cap", "skip_first_frames", "select_every_nth"),
}
_FORMER_LISTS["VHS_LoadVideoPath"] = _FORMER_LISTS["VHS_LoadVideo"]
_SIZED = {"Disabled": (), "Custom Height": ("custom_height",), "Custom Width": ("custom_width",)}


def present_values(kind: str, values: Any) -> Any:
    """Saved values of a node of VideoHelperSuite under the names of today, as its page reads old files."""
    names = _FORMER_LISTS.get(kind)
    if isinstance(values, list) and names is not None and len(values) >= len(names):
        values = {name: value for name, value in zip(names, values, strict=False) if name is not None}
    if not isinstance(values, Mapping) or not kind.startswith("VHS_"):
        return values
    found = dict(values)
    if kind == "VHS_VideoCombine" and "save_output" not in found and "save_image" in found:
        found["save_output"] = found["save_image"]
    size = found.get("force_size")
    sides = ("custom_width", "custom_height")
    if isinstance(size, str) and "x" in size:
        for side, text in zip(sides, size.split("x"), strict=False):
            found[side] = int(text) if text.isdecimal() else 0
    elif isinstance(size, str) and size in _SIZED:
        found.update({side: 0 for side in sides if side not in _SIZED[size]})
    return found
