"""Load Motion Pack: opens the models that turn clips into motion for one kind of video model."""

from __future__ import annotations

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders
from motionrag_nodes.nodes.sockets import MotionPackSocket


class LoadMotionPack(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGLoadMotionPack",
            display_name="Load Motion Pack",
            category="MotionRAG",
            description=(
                "Loads the models that read motion from clips and hand it to a video model. "
                "'tiny' comes with MotionRAG: a demo that knows only flat sprites. (adapter, checkpoint, loader)"
            ),
            inputs=[
                io.Combo.Input(
                    "pack",
                    options=model_folders.options(model_folders.packs()),
                    tooltip="The motion pack. It must fit your video model. 'tiny' is a demo for flat sprites; "
                    "for photographs get another: motionrag fetch svd. Packs lie in models/motionrag.",
                )
            ],
            outputs=[
                MotionPackSocket.Output(
                    "motion_pack", display_name="pack", tooltip="For every MotionRAG node that has a pack input."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, pack: str | None = None) -> bool | str:
        return model_folders.problem(model_folders.pack, pack)

    @classmethod
    def fingerprint_inputs(cls, pack: str) -> str:
        return model_folders.state(model_folders.pack(pack), "pack.json")

    @classmethod
    def execute(cls, pack: str) -> io.NodeOutput:
        from motionrag_nodes.checkpoints.pack import load_pack
        from motionrag_nodes.nodes.residence import ComfyUIResidence

        return io.NodeOutput(load_pack(model_folders.pack(pack), residence=ComfyUIResidence()))
