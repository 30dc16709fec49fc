"""Fields that the pages of widespread packs give their nodes, beside those that the server declares.

Read from what those pages send: rgthree-comfy, ComfyUI-KJNodes, ComfyUI-Custom-Scripts, ComfyUI-Easy-Use,
ComfyUI-Inspire-Pack, ComfyUI_essentials, ComfyUI-VideoHelperSuite, all of 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
    "VHS_BatchManager": (("count", 0),),
    "SeedExplorer //Inspire": _ADD_TO_PROMPT,
    "RegionalSeedExplorerMask //Inspire": _ADD_TO_PROMPT,
    "RegionalSeedExplorerColorMask //Inspire": _ADD_TO_PROMPT,
}
# Classes whose page takes away the fields whose names begin so, and puts lists to insert from back at the end.
POWER_PROMPTS = frozenset(
    {
        "Power Prompt (rgthree)",
        "Power Prompt - Simple (rgthree)",
        "SDXL Power Prompt - Positive (rgthree)",
        "SDXL Power Prompt - Simple / Negative (rgthree)",
    }
)
TAKEN_AWAY = ("insert_", "target_", "crop_", "values_")
INSERTING = "insert_"


@dataclass(frozen=True)
class Inserting:
    """A list that only puts what is chosen into a text: the node sends `sent` for it, whatever was chosen.

    `shown` stands in saved files for that nothing is chosen. `between` comes before what is put in, if there is a text
    already (or in any case, if `always`); `around` is its form. `offered`: only what the list has is put in.
    """

    shown: str
    sent: str
    between: str
    around: str = "{}"
    always: bool = False
    offered: bool = True


_LORA = "Select the LoRA to add to the text"
_WILDCARD = "Select the Wildcard to add to the text"
_WILDCARDS = (
    Inserting(_LORA, _LORA, "", "<lora:{}>", always=True, offered=False),
    Inserting(_WILDCARD, _WILDCARD, ", ", offered=False),
)
_PARTS = {
    "\N{BUST IN SILHOUETTE}Select the subject add to the text": " ",
    "\N{CLAPPER BOARD}Select the action add to the text": ",",
    "\N{WOMANS CLOTHES}Select the clothes add to the text": ",",
    "\N{BLACK SUN WITH RAYS}\N{VARIATION SELECTOR-16}Select the illumination environment add to the text": ",",
    "\N{FILM FRAMES}\N{VARIATION SELECTOR-16}Select the background add to the text": " ",
    "\N{NO ONE UNDER EIGHTEEN SYMBOL}Select the nsfw add to the text": ",",
}
# Class -> the lists behind its text, in order.
INSERT_INTO_TEXT: dict[str, tuple[Inserting, ...]] = {
    "easy wildcards": _WILDCARDS,
    "easy wildcardsMatrix": _WILDCARDS,
    "easy prompt": (
        Inserting("Select the prefix to add to the text", "Select the prefix add to the text", " "),
        *(Inserting(words, words, between) for words, between in _PARTS.items()),
    ),
}
# A button that is called after what a list has chosen, and is sent under that name.
BUTTONS_BY_CHOICE: dict[str, tuple[str, dict[str, str], str]] = {
    "easy imageChooser": (
        "mode",
        {"Always Pause": "Waiting for selection...", "Keep Last Selection": "Using last selection"},
        "Unknown Mode",
    ),
}
# Classes that show texts of the last run, which were saved with the node -> the first field that makes room for them.
SHOW_TEXTS = {
    "easy showAnything": "text",
    "easy showTensorShape": "text",
    "easy showSpentTime": "spent_time",
    "easy showLoaderSettingsNames": "names",
}
SHOW_NUMBERED_TEXTS = "ShowText|pysssss"
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
