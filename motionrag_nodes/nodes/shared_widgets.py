"""Widgets that several nodes have, the same in each but for what is said of them."""

from __future__ import annotations

from comfy_api.latest import io


def seed_widget(tooltip: str) -> io.Input:
    """The seed of the noise that a generation begins with; ComfyUI changes it after each queue if it is told to."""
    return io.Int.Input("seed", default=0, min=0, max=2**53 - 1, control_after_generate=True, tooltip=tooltip)


def strength_widget() -> io.Input:
    """How strongly motion enters."""
    return io.Float.Input(
        "strength",
        default=1.0,
        min=0.0,
        max=3.0,
        step=0.05,
        tooltip="How strongly the motion is injected. 0 is the plain model, 1 is as trained.",
    )


def part_widget(input_id: str, default: float, tooltip: str) -> io.Input:
    """A part of the steps, from 0 to 1."""
    return io.Float.Input(input_id, default=default, min=0.0, max=1.0, step=0.05, tooltip=tooltip)
