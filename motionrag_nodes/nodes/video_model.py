"""Load Video Model: loads a diffusers image-to-video model that motion can be injected into."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders
from motionrag_nodes.nodes.checks import chosen, faults
from motionrag_nodes.nodes.sockets import MotionPackSocket, VideoModelSocket

if TYPE_CHECKING:
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.frames.video_model import VideoModel

_AUTOMATIC = "auto"
_PRECISIONS = (_AUTOMATIC, "float32", "float16", "bfloat16")
# The packs' own models, for as long as their packs are in use: loading one takes seconds to minutes.
_own_models: WeakKeyDictionary[MotionPack, VideoModel] = WeakKeyDictionary()


def own_video_model(pack: MotionPack) -> VideoModel:
    """The video model that a pack names, in automatic precision, loaded once. Raises VideoModelNotFound."""
    if pack not in _own_models:
        _own_models[pack] = _load(pack, model_folders.PACK_OWN_MODEL, _AUTOMATIC)
    return _own_models[pack]


def _load(pack: MotionPack, model: str, precision: str) -> VideoModel:
    import torch

    from motionrag_nodes.frames.video_model import load_video_model
    from motionrag_nodes.nodes.residence import ComfyUIResidence

    return load_video_model(
        model_folders.base_model(model),
        pack=pack,
        dtype=None if precision == _AUTOMATIC else getattr(torch, precision),
        residence=ComfyUIResidence(),
    )


class LoadVideoModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGLoadVideoModel",
            display_name="Load Video Model (diffusers)",
            category="MotionRAG",
            description="Loads an image-to-video model in diffusers' layout. (SVD, Stable Video Diffusion, loader)",
            inputs=[
                MotionPackSocket.Input("pack", tooltip="From Load Motion Pack; it was trained for one kind of model."),
                io.Combo.Input(
                    "model",
                    options=[model_folders.PACK_OWN_MODEL, *model_folders.base_models()],
                    default=model_folders.PACK_OWN_MODEL,
                    tooltip="The video model. 'from the motion pack' takes the one that the pack names. "
                    "Others lie in models/diffusers.",
                ),
                io.Combo.Input(
                    "precision",
                    options=list(_PRECISIONS),
                    default=_AUTOMATIC,
                    tooltip="auto: bfloat16 on a GPU that has it, else float16; float32 on the processor, which cannot "
                    "compute in float16.",
                ),
            ],
            outputs=[
                VideoModelSocket.Output("loaded_model", display_name="video_model", tooltip="For Generate Video.")
            ],
        )

    @classmethod
    def validate_inputs(cls, model: str | None = None, precision: str | None = None) -> bool | str:
        return faults(
            model=model_folders.problem(model_folders.base_model, model),
            precision=chosen("precision", precision, _PRECISIONS),
        )

    @classmethod
    def execute(cls, pack: MotionPack, model: str, precision: str) -> io.NodeOutput:
        return io.NodeOutput(_load(pack, model, precision))
