"""The bar that ComfyUI draws over a node, and its Cancel button, while videos are read."""

from __future__ import annotations

from collections.abc import Callable

import comfy.model_management
import comfy.utils


def shown_progress() -> Callable[[int, int], None]:
    """Draws the node's bar while clips are read from their videos, and stops when the user cancels."""
    bar = comfy.utils.ProgressBar(1)

    def show(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return show
