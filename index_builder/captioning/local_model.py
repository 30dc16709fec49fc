"""A vision-language model of transformers on this machine (https://huggingface.co/docs/transformers), from a folder or
the local hub cache; none of its code is run, and nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from index_builder.captioning.captioner import TimedFrame
from index_builder.errors import CaptionerFailed, CaptionerUnavailable
from index_builder.features.quiet_loading import quiet_loading
from index_builder.model_files.folder import require_plain_folder


class LocalCaptioner:
    """Implements Captioner."""

    def __init__(self, model: Any, processor: Any, *, name: str, device: str, max_tokens: int = 128) -> None:
        self.model, self.processor, self.name = model.eval().to(device), processor, name
        self.device, self.max_tokens = device, max_tokens

    @torch.inference_mode()
    def describe(self, frames: Sequence[TimedFrame], prompt: str) -> str:
        """The model's words: greedy, so that the same clip is always called the same."""
        content: list[dict[str, Any]] = []
        for frame in frames:
            content += [{"type": "text", "text": f"{frame.seconds:.1f} s:"}, {"type": "image", "image": frame.picture}]
        content.append({"type": "text", "text": prompt})
        try:
            inputs = self.processor.apply_chat_template(
                [{"role": "user", "content": content}],
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
            ).to(self.device)
            made = self.model.generate(**inputs, max_new_tokens=self.max_tokens, do_sample=False)
        except torch.OutOfMemoryError as error:
            raise CaptionerFailed(
                f"{len(frames)} frames are too many for the memory of {self.device}: lower --short-side"
            ) from error
        new = made[:, inputs["input_ids"].shape[1] :]
        words: str = self.processor.batch_decode(new, skip_special_tokens=True)[0]
        return words


def load_local_captioner(name_or_folder: str, *, device: str = "cpu", max_tokens: int = 128) -> LocalCaptioner:
    """Loads a model with its processor. Raises CaptionerUnavailable, ModelFilesRefused."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    located = _located(name_or_folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        with quiet_loading():
            processor = AutoProcessor.from_pretrained(located, **options)
            model = AutoModelForImageTextToText.from_pretrained(
                located, use_safetensors=True, dtype="auto" if device != "cpu" else torch.float32, **options
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise CaptionerUnavailable(
            f"Expected a vision-language model of transformers in {located}, received {str(error).splitlines()[0]}: "
            "choose one that reads pictures and writes text, e.g. Qwen/Qwen2.5-VL-3B-Instruct."
        ) from error
    return LocalCaptioner(model, processor, name=Path(name_or_folder).name, device=device, max_tokens=max_tokens)


def _located(name_or_folder: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    folder = Path(name_or_folder)
    if folder.is_dir():
        require_plain_folder(folder)
        return folder
    try:
        snapshot = Path(snapshot_download(name_or_folder, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError) as error:
        raise CaptionerUnavailable(
            f"Expected the model {name_or_folder} in a folder or the local hub cache, found it in neither: fetch it "
            f"once with `hf download {name_or_folder}`."
        ) from error
    require_plain_folder(snapshot, in_hub_cache=True)
    return snapshot
