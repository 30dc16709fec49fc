"""Apply Motion: injects adapted motion into ComfyUI's own video models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from comfy_api.latest import io

from motionrag_nodes.nodes.shared_widgets import part_widget, strength_widget
from motionrag_nodes.nodes.sockets import AdaptedMotionSocket, MotionPackSocket

if TYPE_CHECKING:
    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
    from motionrag_nodes.checkpoints.pack import MotionPack

_UNCONDITIONAL = ("zero clip", "same")


class ApplyMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGApplyMotion",
            display_name="Apply Motion",
            category="MotionRAG",
            description=(
                "Makes one of ComfyUI's own video models (SVD, CogVideoX, Wan) move the picture like your examples, "
                "with its own samplers. Several can be chained. (patch model, motion transfer, adapter)"
            ),
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The kind of model that the motion's pack is for; SVD from Image Only Checkpoint Loader.",
                ),
                MotionPackSocket.Input(
                    "pack", optional=True, tooltip="Not needed: the motion brings its own. Another one is refused."
                ),
                AdaptedMotionSocket.Input("motion", tooltip="From Adapt Motion."),
                *_widgets(),
            ],
            outputs=[
                io.Model.Output("patched_model", display_name="model", tooltip="The model with motion. For KSampler.")
            ],
        )

    @classmethod
    def validate_inputs(cls, unconditional: str | None = None) -> bool | str:
        if unconditional is None or unconditional in _UNCONDITIONAL:
            return True
        return f"unconditional is {unconditional!r}; choose one of: {', '.join(_UNCONDITIONAL)}"

    @classmethod
    def execute(
        cls,
        model: Any,
        motion: AdaptedMotion,
        strength: float,
        start: float,
        end: float,
        unconditional: str,
        pack: MotionPack | None = None,
        block_weights: str = "",
    ) -> io.NodeOutput:
        from motionrag_nodes.nodes.native_patch import apply_motion

        return io.NodeOutput(
            apply_motion(
                model,
                pack or cast("MotionPack", motion.pack),
                motion,
                strength=strength,
                start=start,
                end=end,
                same_unconditional=unconditional == "same",
                block_weights=block_weights,
            )
        )


def _widgets() -> list[io.Input]:
    return [
        strength_widget(),
        part_widget("start", 0.0, "Inject motion from this fraction of the whole schedule's steps onwards."),
        part_widget("end", 1.0, "Inject motion until this fraction of the whole schedule's steps."),
        io.Combo.Input(
            "unconditional",
            options=list(_UNCONDITIONAL),
            default="zero clip",
            tooltip="What guidance steers away from. 'zero clip': a clip without motion, as trained, so that cfg also "
            "strengthens the motion. 'same': the same motion, so that cfg strengthens the picture alone.",
        ),
        io.String.Input(
            "block_weights",
            default="",
            placeholder="down=1, mid=1, up=1",
            optional=True,
            tooltip="How much motion enters each part of the model, for example 'down=0.5, up.1=0'. Empty: all of it.",
        ),
    ]
