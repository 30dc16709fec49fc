"""The bar that ComfyUI draws over a node, and its Cancel button, while videos are read and made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import comfy.model_management
import comfy.utils

from motionrag_nodes.errors import GenerationInterrupted


def shown_progress() -> Callable[[int, int], None]:
    """Draws the node's bar while clips are read from their videos, and stops when the user cancels."""
    bar = comfy.utils.ProgressBar(1)

    def show(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(done, total)

    return show


@contextmanager
def denoising(steps: int) -> Iterator[tuple[Callable[[int, int], None], Callable[[], bool]]]:
    """What a generation of so many steps hears: where it draws the node's bar, and whether the user has cancelled.

    Raises InterruptProcessingException of ComfyUI where a generation inside stopped for that.
    """
    bar = comfy.utils.ProgressBar(steps)
    try:
        yield lambda done, total: bar.update_absolute(done, total), comfy.model_management.processing_interrupted
    except GenerationInterrupted:
        comfy.model_management.throw_exception_if_processing_interrupted()
        raise
