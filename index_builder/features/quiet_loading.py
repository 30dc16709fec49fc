"""Loading by transformers without its bars and reports, and without its habit of inventing weights that are missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from index_builder.errors import EncoderIncomplete

if TYPE_CHECKING:
    import torch


@contextmanager
def quiet_loading() -> Iterator[None]:
    """transformers draws a bar for each file that it loads and prints what it thinks of it, across the bars of our own
    long work."""
    from transformers.utils import logging as transformers_logging

    shown, verbosity = transformers_logging.is_progress_bar_enabled(), transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if shown:
            transformers_logging.enable_progress_bar()


def load_whole(model_class: Any, located: Path, *, unused: tuple[str, ...] = ()) -> torch.nn.Module:
    """A model of transformers in float32, every weight of it from safetensors files in `located`.

    Where a file lacks weights transformers draws random ones and says so in a report; here that is an error, but for
    keys that begin with one of `unused`. Weights that the model does not use (a classifier's head) may be there.

    Raises EncoderIncomplete: names the first weight that is missing or of another shape.
    """
    from index_builder.model_files.weights import leave_map  # brings torch

    try:
        with quiet_loading():
            model, info = model_class.from_pretrained(
                located, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except RuntimeError as error:  # weights of other shapes
        raise _incomplete(located, str(error).splitlines()[0][:200]) from error
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(unused))
    if missing:
        raise _incomplete(located, f"{len(missing)} are missing, the first is {missing[0]}")
    model = model.float()
    leave_map(model)
    whole: torch.nn.Module = model
    return whole


def _incomplete(located: Path, found: str) -> EncoderIncomplete:
    return EncoderIncomplete(
        f"Expected every weight of the model in {located}, but {found}: the file is cut short or of "
        "another model. Fetch it again, or copy the pack again."
    )
