"""Generate Video: animates the picture, with the adapted motion injected or without any."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, Types, io

from motionrag_nodes.nodes import pictures
from motionrag_nodes.nodes.errors import ChoiceNotFound
from motionrag_nodes.nodes.sockets import AdaptedMotionSocket, VideoModelSocket
from motionrag_nodes.nodes.video_model import own_video_model

if TYPE_CHECKING:
    import torch

    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
    from motionrag_nodes.frames.video_model import VideoModel

_OWN = " 0 takes the model's own."
_OWN_MINUS = " -1 takes the model's own."


class GenerateVideo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGGenerateVideo",
            display_name="Generate Video",
            category="MotionRAG",
            description=(
                "Animates a picture with a video model. Connect motion to have it move like your examples; "
                "leave it off for the plain model. (image to video, sampler, SVD)"
            ),
            inputs=[*_connections(), *_motion_widgets(), *_model_widgets()],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="The frames of the video, for further nodes."),
                io.Video.Output("video", display_name="video", tooltip="The video at its frame rate, for Save Video."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: torch.Tensor,
        seed: int,
        strength: float,
        start: float,
        end: float,
        video_model: VideoModel | None = None,
        motion: AdaptedMotion | None = None,
        **chosen: Any,
    ) -> io.NodeOutput:
        import comfy.model_management
        import comfy.utils

        from motionrag_nodes.errors import GenerationInterrupted
        from motionrag_nodes.frames.generate import generate_video

        video_model = video_model or _model_of(motion)
        settings = replace(video_model.defaults, seed=seed, **_changed(chosen))
        bar = comfy.utils.ProgressBar(settings.steps)
        try:
            made = generate_video(
                video_model,
                image=pictures.to_picture(image),
                motion=motion,
                settings=settings,
                strength=strength,
                start=start,
                end=end,
                on_step=lambda done, total: bar.update_absolute(done, total),
                should_stop=comfy.model_management.processing_interrupted,
            )
        except GenerationInterrupted:
            comfy.model_management.throw_exception_if_processing_interrupted()
            raise
        components = Types.VideoComponents(images=made.frames, frame_rate=pictures.frame_rate(made.fps))
        return io.NodeOutput(made.frames, InputImpl.VideoFromComponents(components))


def _model_of(motion: AdaptedMotion | None) -> VideoModel:
    if motion is None or motion.pack is None:
        raise ChoiceNotFound(
            "There is no video model: connect Load Video Model, or connect motion, whose pack then gives its own."
        )
    return own_video_model(motion.pack)


def _changed(chosen: dict[str, Any]) -> dict[str, Any]:
    """The settings that differ from "the model's own": 0, or -1 where 0 itself means something."""
    names = {"frame_count": "frames"}
    unset = {"motion_bucket_id": -1, "noise_aug_strength": -1.0}
    return {names.get(name, name): value for name, value in chosen.items() if value != unset.get(name, 0)}


def _connections() -> list[io.Input]:
    return [
        VideoModelSocket.Input(
            "video_model",
            optional=True,
            tooltip="From Load Video Model. Without it, the video model of the motion's pack is used.",
        ),
        io.Image.Input("image", tooltip="The picture to animate; it becomes the first frame."),
        AdaptedMotionSocket.Input(
            "motion", optional=True, tooltip="From Adapt Motion or Find Motion; without it the plain model runs."
        ),
    ]


def _motion_widgets() -> list[io.Input]:
    return [
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=2**53 - 1,
            control_after_generate=True,
            tooltip="The same seed and settings give the same video.",
        ),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=3.0,
            step=0.05,
            tooltip="How strongly the motion is injected. 0 is the plain model, 1 is as trained.",
        ),
        io.Float.Input(
            "start",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="Inject motion from this part of the steps on.",
        ),
        io.Float.Input(
            "end", default=1.0, min=0.0, max=1.0, step=0.05, tooltip="Inject motion until this part of the steps."
        ),
    ]


def _model_widgets() -> list[io.Input]:
    return [
        io.Int.Input(
            "steps", default=0, min=0, max=200, tooltip="Denoising steps: more are slower and cleaner." + _OWN
        ),
        io.Int.Input("frame_count", default=0, min=0, max=256, tooltip="How many frames to make." + _OWN),
        io.Int.Input("fps", default=0, min=0, max=60, tooltip="Frames per second of the video." + _OWN),
        io.Int.Input("width", default=0, min=0, max=4096, step=8, tooltip="Width in pixels." + _OWN),
        io.Int.Input("height", default=0, min=0, max=4096, step=8, tooltip="Height in pixels." + _OWN),
        io.Float.Input(
            "min_guidance",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="How closely the first frame follows the picture and the motion." + _OWN,
        ),
        io.Float.Input(
            "max_guidance",
            default=0.0,
            min=0.0,
            max=20.0,
            step=0.1,
            tooltip="How closely the last frame follows them; between, it rises evenly." + _OWN,
        ),
        io.Int.Input(
            "motion_bucket_id",
            default=-1,
            min=-1,
            max=1023,
            tooltip="How much SVD itself wants to move; higher is more." + _OWN_MINUS,
        ),
        io.Float.Input(
            "noise_aug_strength",
            default=-1.0,
            min=-1.0,
            max=10.0,
            step=0.01,
            tooltip="Noise added to the picture: more frees the motion and loses likeness." + _OWN_MINUS,
        ),
        io.Int.Input(
            "decode_chunk_size",
            default=0,
            min=0,
            max=256,
            tooltip="Frames decoded at once: fewer save memory." + _OWN,
        ),
    ]
