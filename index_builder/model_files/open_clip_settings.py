"""What an open_clip_config.json may say: sizes of open_clip's own towers, and nothing that names another model.

open_clip (https://github.com/mlfoundations/open_clip) follows `hf_*` and `tokenizer_kwargs` into transformers, which
may run a repository's code, and `timm_*` into timm; models of those kinds are refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.settings_file import read_settings, require_keys, require_layers

SETTINGS_FILE = "open_clip_config.json"

_FILE_KEYS = ("model_cfg", "preprocess_cfg")
_MODEL_KEYS = frozenset(
    "embed_dim vision_cfg text_cfg quick_gelu custom_text init_logit_scale init_logit_bias output_dict cast_dtype "
    "nonscalar_logit_scale".split()
)
_TOWER_KEYS = frozenset(
    "layers width mlp_ratio ls_init_value pool_type final_ln_after_pool output_tokens act_kwargs norm_kwargs "
    "block_type qk_norm scaled_cosine_attn scale_heads scale_attn_inner scale_attn scale_fc".split()
)
_VISION_KEYS = _TOWER_KEYS | frozenset(
    "image_size patch_size head_width patch_dropout attentional_pool attn_pooler_queries attn_pooler_heads no_ln_pre "
    "pos_embed_type".split()
)
_TEXT_KEYS = _TOWER_KEYS | frozenset(
    "context_length vocab_size heads embed_cls pad_id eos_id no_causal_mask proj_bias proj_type".split()
)
_PREPROCESS_KEYS = ("size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color")
_OPTION_KEYS = {"norm_kwargs": ("eps",), "act_kwargs": ("approximate", "negative_slope")}


def read_open_clip_settings(folder: Path) -> dict[str, Any]:
    """The whole of a folder's open_clip_config.json, checked.

    Raises ModelFilesRefused: a key or value that open_clip would follow to code, to another model or out of memory.
    """
    path = folder / SETTINGS_FILE
    values = read_settings(path)
    require_keys(path, values, _FILE_KEYS)
    model = _part(path, values, "model_cfg")
    require_keys(path, model, _MODEL_KEYS, where="model_cfg")
    for name, allowed in (("vision_cfg", _VISION_KEYS), ("text_cfg", _TEXT_KEYS)):
        tower = _part(path, model, name)
        require_keys(path, tower, allowed, where=f"model_cfg.{name}")
        _require_tower(path, tower, name)
    if "preprocess_cfg" in values:
        require_keys(path, _part(path, values, "preprocess_cfg"), _PREPROCESS_KEYS, where="preprocess_cfg")
    return values


def _part(path: Path, values: dict[str, Any], name: str) -> dict[str, Any]:
    part = values.get(name)
    if not isinstance(part, dict):
        raise ModelFilesRefused(
            f"Expected an object {name} in {path}, received {str(part)[:60]}: copy the model again."
        )
    return part


def _require_tower(path: Path, tower: dict[str, Any], name: str) -> None:
    require_layers(path, tower)
    for option, allowed in _OPTION_KEYS.items():
        if tower.get(option) is not None:
            require_keys(path, _part(path, tower, option), allowed, where=f"{name}.{option}")
