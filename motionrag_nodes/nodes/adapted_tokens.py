"""Adapt Motion: predicts, from the examples, how the things in this very picture should move."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION, FUSIONS
from motionrag_nodes.nodes import pictures, previews
from motionrag_nodes.nodes.sockets import AdaptedMotionSocket, MotionPackSocket, NeighboursSocket

if TYPE_CHECKING:
    import torch

    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.neighbours.neighbours import Neighbours


class AdaptMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGAdaptMotion",
            display_name="Adapt Motion",
            category="MotionRAG",
            description="Turns the motion of example clips into motion that fits your picture. (motion transfer)",
            inputs=[
                MotionPackSocket.Input("pack", tooltip="From Load Motion Pack."),
                NeighboursSocket.Input("neighbours", tooltip="From Retrieve Neighbours or Encode Reference Videos."),
                io.Image.Input("image", tooltip="The picture to animate."),
                io.Combo.Input(
                    "fusion",
                    options=list(FUSIONS),
                    default=DEFAULT_FUSION,
                    tooltip="How to combine the clips: learned from all of them and your picture (best), "
                    "their mean, or the most similar one alone.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            outputs=[
                AdaptedMotionSocket.Output(
                    "motion", display_name="motion", tooltip="The motion for your picture. For Generate Video."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, fusion: str | None = None) -> bool | str:
        if fusion is None or fusion in FUSIONS:
            return True
        return f"fusion is {fusion!r}; choose one of: {', '.join(FUSIONS)}"

    @classmethod
    def execute(cls, pack: MotionPack, neighbours: Neighbours, image: torch.Tensor, fusion: str) -> io.NodeOutput:
        from motionrag_nodes.adapted_tokens.adapt import adapt_motion

        picture = pictures.to_picture(image)
        motion = adapt_motion(pack, neighbours, image=picture, fusion=fusion)
        # Inside Find Motion, whose ids of inner nodes have dots, Retrieve Neighbours has said it already.
        inside = "." in str(cls.hidden.unique_id)
        return io.NodeOutput(motion, ui=None if inside else previews.notice(pack, picture))
