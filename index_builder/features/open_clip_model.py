"""An open_clip model from a folder, built from settings that were checked and safetensors alone.

open_clip's own loader (https://github.com/mlfoundations/open_clip) would look for pickles beside the safetensors, and
for other models where the settings name some; its model classes are used directly instead.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from index_builder.errors import ModelFilesRefused
from index_builder.model_files.open_clip_settings import read_open_clip_settings
from index_builder.model_files.weights import read_weights, require_fit, weights_files

# Published folders hold one of these; a folder of ours holds a single file of any name.
_KNOWN_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")


def load_open_clip(folder: Path) -> tuple[torch.nn.Module, Any]:
    """The model in float32 on the CPU, and its tokenizer, which is open_clip's own.

    Raises FileNotFoundError: the folder holds no safetensors file, or several of which none has a known name.
    ModelFilesRefused: settings or weights are not those of one of open_clip's own models.
    """
    import open_clip

    config = dict(read_open_clip_settings(folder)["model_cfg"])
    weights = _weights_file(folder)
    model_class = open_clip.CustomTextCLIP if config.pop("custom_text", False) else open_clip.CLIP
    try:
        with torch.device("meta"):
            require_fit(model_class(**config), [weights], what=f"the model in {folder}")
        model = model_class(**config)
        model.load_state_dict(read_weights(weights), strict=True)
    except (TypeError, ValueError, RuntimeError, AttributeError, ZeroDivisionError, AssertionError) as error:
        raise ModelFilesRefused(
            f"Expected settings and weights of one open_clip model in {folder}, received others "
            f"({str(error)[:300]}): copy the model again."
        ) from error
    return model, open_clip.SimpleTokenizer(context_length=config["text_cfg"].get("context_length", 77))


def _weights_file(folder: Path) -> Path:
    files = weights_files(folder)
    known = [path for name in _KNOWN_NAMES for path in files if path.name == name]
    if known or len(files) == 1:
        return (known or files)[0]
    raise FileNotFoundError(f"{len(files)} .safetensors files in {folder}, none of them {', '.join(_KNOWN_NAMES)}")
