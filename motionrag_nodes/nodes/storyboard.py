"""Storyboard Video: a long video in several parts, each with its own motion, made one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import InputImpl, Types, io

from motionrag_nodes.frames.known_runs import KnownRuns
from motionrag_nodes.frames.storyboard import EXAMPLE, parse_storyboard
from motionrag_nodes.frames.strengths import MAX_STRENGTH
from motionrag_nodes.nodes import pictures, previews, video_folders
from motionrag_nodes.nodes.checks import faults, refused
from motionrag_nodes.nodes.neighbours import ignore_looks_input
from motionrag_nodes.nodes.progress import shown_progress
from motionrag_nodes.nodes.setting_widgets import setting_widgets, settings_from_widgets
from motionrag_nodes.nodes.sockets import MotionDatabaseSocket, MotionPackSocket, VideoModelSocket
from motionrag_nodes.nodes.video_model import own_video_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch

    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.backbones.settings import Settings
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.frames.storyboard import Part
    from motionrag_nodes.frames.storyboard_video import StoryboardVideo
    from motionrag_nodes.frames.video_model import VideoModel
    from motionrag_nodes.neighbours.neighbours import Neighbours

# Each part has its own.
_FROM_THE_PARTS = "prompt"
_known_runs = KnownRuns()


class Storyboard(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGStoryboard",
            display_name="Storyboard Video",
            category="MotionRAG",
            description=(
                "Makes one long video in several parts: finds motion for each line of the storyboard, and lets each "
                "part continue from the last frame of the one before. (long video, multi shot, sequence, extend, "
                "timeline)"
            ),
            inputs=[*_connections(), *_choices(), *_settings()],
            outputs=[
                io.Image.Output("images", display_name="images", tooltip="The frames of all parts, in order."),
                io.Video.Output("video", display_name="video", tooltip="The video at its frame rate, for Save Video."),
                io.Image.Output(
                    "last_frame",
                    display_name="last_frame",
                    tooltip="The last frame, to continue another storyboard.",
                ),
                io.Image.Output("sheet", display_name="sheet", tooltip="A row of frames for each part."),
                io.String.Output(
                    "report", display_name="report", tooltip="Each part's best clip, and how smooth the seams are."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, storyboard: str | None = None) -> bool | str:
        return faults(storyboard=refused(parse_storyboard, storyboard))

    @classmethod
    def execute(
        cls,
        pack: MotionPack,
        database: MotionDatabase,
        image: torch.Tensor,
        storyboard: str,
        clips: int,
        strength: float,
        seed: int,
        video_model: VideoModel | None = None,
        ignore_looks: float = 0.0,
        **chosen: Any,
    ) -> io.NodeOutput:
        from index_builder.clips.allowed_folders import AllowedFolders
        from motionrag_nodes.frames.storyboard_sheet import storyboard_sheet
        from motionrag_nodes.frames.storyboard_video import described
        from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
        from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

        model, picture = video_model or own_video_model(pack), pictures.to_picture(image)
        settings = settings_from_widgets(model.backbone, model.defaults, chosen, seed=seed)
        parts = parse_storyboard(storyboard)
        # All are found before the first is made: what cannot be found is said at once.
        found = [
            retrieve_neighbours(
                database,
                encoder=PackClipEncoder(pack),
                prompt=part.prompt,
                top_k=clips,
                ignore_looks=ignore_looks,
                sources=AllowedFolders.of_user(video_folders.roots()),
                progress=shown_progress(),
            )
            for part in parts
        ]
        made = _made(model, pack, picture, parts, found, settings, strength)
        images, words, sheet = made.frames, described(made), pictures.to_image(storyboard_sheet(made))
        components = Types.VideoComponents(images=images, frame_rate=pictures.frame_rate(made.fps))
        shown = {**previews.pictures(sheet), **previews.text(words), **previews.notice(pack, picture)}
        return io.NodeOutput(images, InputImpl.VideoFromComponents(components), images[-1:], sheet, words, ui=shown)


def _made(
    model: VideoModel,
    pack: MotionPack,
    picture: np.ndarray,
    parts: Sequence[Part],
    found: Sequence[Neighbours],
    settings: Settings,
    strength: float,
) -> StoryboardVideo:
    import comfy.model_management
    import comfy.utils

    from motionrag_nodes.checkpoints.demo_pack import is_demo
    from motionrag_nodes.errors import GenerationInterrupted
    from motionrag_nodes.frames.storyboard_video import storyboard_video

    bar = comfy.utils.ProgressBar(1)
    try:
        return storyboard_video(
            model,
            pack,
            image=picture,
            parts=parts,
            found=found,
            settings=settings,
            strength=strength,
            show_picture=is_demo(pack),
            known=_known_runs,
            on_step=lambda done, total: bar.update_absolute(done, total),
            should_stop=comfy.model_management.processing_interrupted,
        )
    except GenerationInterrupted:
        comfy.model_management.throw_exception_if_processing_interrupted()
        raise


def _connections() -> list[io.Input]:
    return [
        MotionPackSocket.Input("pack", tooltip="From Load Motion Pack; the one the database was built with."),
        MotionDatabaseSocket.Input("database", tooltip="From Load Motion Database."),
        io.Image.Input("image", tooltip="The picture that the video starts from."),
        VideoModelSocket.Input(
            "video_model", optional=True, tooltip="From Load Video Model. Without it, the pack's own model is used."
        ),
    ]


def _choices() -> list[io.Input]:
    return [
        io.String.Input(
            "storyboard",
            multiline=True,
            default="",
            placeholder=f"{EXAMPLE}\n2: it gets bigger",
            tooltip="A line for each part: how many seconds, a colon, and what happens then.",
        ),
        io.Int.Input(
            "clips",
            default=9,
            min=1,
            max=64,
            tooltip="How many clips to use as examples for each part; models expect 9.",
        ),
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=MAX_STRENGTH,
            step=0.05,
            tooltip="How strongly the motion is injected. 0 is the plain model, 1 is as trained.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=2**53 - 1,
            control_after_generate=True,
            tooltip="Chooses the noise of the first run; later runs count up from it.",
        ),
    ]


def _settings() -> list[io.Input]:
    return [*(widget for widget in setting_widgets() if widget.id != _FROM_THE_PARTS), ignore_looks_input()]
