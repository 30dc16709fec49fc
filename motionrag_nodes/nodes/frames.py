"""Generate Video: animates the picture, with the adapted motion injected or without any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from comfy_api.latest import io

from motionrag_nodes.nodes import pictures, previews
from motionrag_nodes.nodes.errors import ChoiceNotFound
from motionrag_nodes.nodes.progress import denoising
from motionrag_nodes.nodes.setting_widgets import folded, setting_widgets, settings_from_widgets
from motionrag_nodes.nodes.shared_widgets import part_widget, seed_widget, strength_widget
from motionrag_nodes.nodes.sockets import AdaptedMotionSocket, VideoModelSocket
from motionrag_nodes.nodes.video_model import own_video_model

if TYPE_CHECKING:
    import numpy as np
    import torch

    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.frames.generate import GeneratedVideo
    from motionrag_nodes.frames.video_model import VideoModel


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
            inputs=[*_connections(), *_motion_widgets(), *setting_widgets()],
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
        from motionrag_nodes.frames.generate import generate_video

        picture = pictures.to_picture(image)
        video_model = video_model or _model_of(motion)
        settings = settings_from_widgets(video_model.backbone, video_model.defaults, chosen, seed=seed)
        with denoising(settings.steps) as (on_step, should_stop):
            made = generate_video(
                video_model,
                image=picture,
                motion=motion,
                settings=settings,
                strength=strength,
                start=start,
                end=end,
                on_step=on_step,
                should_stop=should_stop,
            )
        return _shown(made, video_model, picture)


def _shown(made: GeneratedVideo, video_model: VideoModel, picture: np.ndarray) -> io.NodeOutput:
    """The outputs; the demo pack's own first frame would already be other than the picture."""
    from motionrag_nodes.checkpoints.demo_pack import is_demo

    pack = cast("MotionPack | None", video_model.pack)
    if pack is not None and is_demo(pack):
        made = made.starting_with(picture)
    video = pictures.to_video(made.frames, fps=made.fps)
    return io.NodeOutput(made.frames, video, ui=previews.notice(pack, picture))


def _model_of(motion: AdaptedMotion | None) -> VideoModel:
    if motion is None:
        raise ChoiceNotFound(
            "Expected a video model, received none: connect Load Video Model, or connect motion, whose pack then gives "
            "its own."
        )
    return own_video_model(cast("MotionPack", motion.pack))


def _connections() -> list[io.Input]:
    return [
        VideoModelSocket.Input(
            "video_model",
            optional=True,
            tooltip="From Load Video Model. Without it, the video model of the motion's pack is used.",
        ),
        io.Image.Input("image", tooltip="The picture to animate; the video starts from it."),
        AdaptedMotionSocket.Input(
            "motion", optional=True, tooltip="From Adapt Motion or Find Motion; without it the plain model runs."
        ),
    ]


def _motion_widgets() -> list[io.Input]:
    return [
        seed_widget("The same seed and settings give the same video."),
        strength_widget(),
        folded(part_widget("start", 0.0, "Inject motion from this fraction of the steps onwards.")),
        folded(part_widget("end", 1.0, "Inject motion until this fraction of the steps.")),
    ]
