"""Motion without Looks: a clip's motion for control inputs, without its colours, textures and faces."""

from __future__ import annotations

import torch
from comfy_api.latest import io

from motionrag_nodes.neighbours.control.kinds import KINDS, MAX_STRENGTH, WHOSE
from motionrag_nodes.nodes import pictures, previews

_PREVIEW_SIDE, _PREVIEW_FRAMES, _PREVIEW_FPS = 320, 48, 8.0


class MotionWithoutLooks(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGMotionWithoutLooks",
            display_name="Motion without Looks",
            category="MotionRAG",
            description=(
                "Turns a clip into its motion alone: a grey silhouette, directions as colours, or noise that moves, of "
                "everything, of the camera, or of the objects. (control video, optical flow, warped noise, motion only)"
            ),
            inputs=_inputs(),
            outputs=[
                io.Image.Output(
                    "images", display_name="images", tooltip="As many frames as came in; for a control input."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, kind: str | None = None, whose: str | None = None) -> bool | str:
        for name, value, choices in (("kind", kind, KINDS), ("whose", whose, WHOSE)):
            if value is not None and value not in choices:
                return f"{name} is {value!r}; choose one of: {', '.join(choices)}"
        return True

    @classmethod
    def execute(cls, clip: torch.Tensor, kind: str, whose: str, strength: float, seed: int) -> io.NodeOutput:
        from motionrag_nodes.neighbours.control.control_clip import control_clip

        made = control_clip(pictures.to_frames(clip), kind=kind, whose=whose, strength=strength, seed=seed)
        step = max(1, -(-len(made) // _PREVIEW_FRAMES))
        shrink = max(1, max(made.shape[1:3]) // _PREVIEW_SIDE)
        shown = previews.film(made[::step, ::shrink, ::shrink], fps=_PREVIEW_FPS)
        return io.NodeOutput(torch.from_numpy(made).float().div(255), ui=shown)


def _inputs() -> list[io.Input]:
    return [
        io.Image.Input("clip", tooltip="The frames of a clip, from Neighbour Clips or any video."),
        io.Combo.Input(
            "kind",
            options=list(KINDS),
            default=KINDS[1],
            tooltip="silhouette: grey where something moves. colours: direction as hue, speed as brightness. "
            "noise: grains that are carried along.",
        ),
        io.Combo.Input(
            "whose",
            options=list(WHOSE),
            default=WHOSE[0],
            tooltip="All motion, that of the objects alone (the camera's is removed), or that of the camera alone.",
        ),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=MAX_STRENGTH,
            step=0.05,
            tooltip="How much of the motion is shown. 0 shows no motion.",
        ),
        # The same noise each time, unless the artist wants another: it is no seed of a video.
        io.Int.Input(
            "seed", default=0, min=0, max=2**53 - 1, control_after_generate=False, tooltip="Chooses the noise."
        ),
    ]
