"""Load Video Model (ComfyUI): loads a diffusers folder as ComfyUI's own MODEL, CLIP_VISION and VAE."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders
from motionrag_nodes.nodes.errors import ChoiceNotFound
from motionrag_nodes.nodes.sockets import MotionPackSocket

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack import MotionPack


class LoadNativeVideoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGLoadNativeVideoModel",
            display_name="Load Video Model (ComfyUI)",
            category="MotionRAG",
            description=(
                "Loads a motion pack's video model for ComfyUI's own nodes: KSampler, LoRA, VAE Decode. For a "
                "checkpoint in models/checkpoints, use Image Only Checkpoint Loader instead. (SVD, loader, diffusers)"
            ),
            inputs=[
                MotionPackSocket.Input("pack", tooltip="From Load Motion Pack; it was trained for one kind of model."),
                io.Combo.Input(
                    "model",
                    options=[model_folders.PACK_OWN_MODEL, *model_folders.base_models()],
                    default=model_folders.PACK_OWN_MODEL,
                    tooltip="The video model. 'from the motion pack' takes the one inside the pack. "
                    "Others lie in models/diffusers.",
                ),
            ],
            outputs=[
                io.Model.Output("loaded_model", display_name="model", tooltip="For Apply Motion and KSampler."),
                io.ClipVision.Output(
                    "clip_vision", display_name="clip_vision", tooltip="For SVD_img2vid_Conditioning."
                ),
                io.Vae.Output("vae", display_name="vae", tooltip="For SVD_img2vid_Conditioning and VAE Decode."),
            ],
        )

    @classmethod
    def validate_inputs(cls, model: str | None = None) -> bool | str:
        return model_folders.problem(model_folders.base_model, model)

    @classmethod
    def execute(cls, pack: MotionPack, model: str) -> io.NodeOutput:
        from motionrag_nodes.backbones.backbone import get_backbone

        backbone = get_backbone(pack.config.backbone)
        if backbone.native_loader is None:
            raise ChoiceNotFound(
                f"Expected a pack whose video model this node loads, but {pack.name} is for {backbone.title}, which "
                "ComfyUI loads by nodes of its own: use those for the MODEL, and Apply Motion with this pack."
            )
        folder = model_folders.base_model(model) or pack.base_source
        if not isinstance(folder, Path):
            raise ChoiceNotFound(
                f"Expected a pack that holds its video model, but {pack.name} only names {folder}. Use Image Only "
                "Checkpoint Loader with that model's checkpoint, or put its diffusers folder into models/diffusers and "
                "choose it."
            )
        return io.NodeOutput(*importlib.import_module(backbone.native_loader).load_native_base(folder))
