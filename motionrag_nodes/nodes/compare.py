"""Compare Motions: the same picture and noise under several motions, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from comfy_api.latest import io

from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION, FUSIONS
from motionrag_nodes.frames.strengths import parse_strengths
from motionrag_nodes.nodes import pictures, previews, video_folders
from motionrag_nodes.nodes.checks import chosen, faults, refused
from motionrag_nodes.nodes.progress import denoising, shown_progress
from motionrag_nodes.nodes.setting_widgets import settings_from_widgets
from motionrag_nodes.nodes.shared_widgets import seed_widget
from motionrag_nodes.nodes.sockets import MotionPackSocket, NeighboursSocket, VideoModelSocket
from motionrag_nodes.nodes.video_model import own_video_model

if TYPE_CHECKING:
    import numpy as np

    from motionrag_nodes.backbones.settings import Settings
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.frames.compare import Compared, Way
    from motionrag_nodes.frames.video_model import VideoModel
    from motionrag_nodes.neighbours.neighbours import Neighbours


class CompareMotions(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGCompareMotions",
            display_name="Compare Motions",
            category="MotionRAG",
            description=(
                "Animates one picture with the same noise under several motions, and shows the videos side by side: "
                "what if it moved like that? (comparison, counterfactual, grid, strength sweep, ablation)"
            ),
            inputs=[*_connections(), *_choices(), *_settings()],
            outputs=[
                io.Image.Output("sheet", display_name="sheet", tooltip="The labelled grid, frame by frame."),
                io.Video.Output("video", display_name="video", tooltip="The labelled grid as a video, for Save Video."),
                io.String.Output(
                    "report",
                    display_name="report",
                    tooltip="How much each video differs from the first, and which motion it has.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, fusion: str | None = None, strengths: str | None = None) -> bool | str:
        return faults(fusion=chosen("fusion", fusion, FUSIONS), strengths=refused(parse_strengths, strengths))

    @classmethod
    def execute(
        cls,
        pack: MotionPack,
        image: torch.Tensor,
        neighbours: Neighbours,
        without_motion: bool,
        strengths: str,
        backwards: bool,
        fusion: str,
        seed: int,
        steps: int,
        prompt: str = "",
        negative_prompt: str = "",
        other_neighbours: Neighbours | None = None,
        video_model: VideoModel | None = None,
    ) -> io.NodeOutput:
        from index_builder.clips.allowed_folders import AllowedFolders
        from motionrag_nodes.frames.compare import described
        from motionrag_nodes.frames.compare_sheet import compare_film
        from motionrag_nodes.frames.motions_to_compare import motions_to_compare

        model = video_model or own_video_model(pack)
        picture = pictures.to_picture(image)
        ways = motions_to_compare(
            pack,
            image=picture,
            own=neighbours,
            other=other_neighbours,
            plain=without_motion,
            strengths=parse_strengths(strengths),
            backwards=backwards,
            fusion=fusion,
            sources=AllowedFolders.of_user(video_folders.roots()),
            progress=shown_progress(),
        )
        chosen = {"steps": steps, "prompt": prompt, "negative_prompt": negative_prompt}
        settings = settings_from_widgets(model.backbone, model.defaults, chosen, seed=seed)
        compared = _compared(model, picture, ways, settings)
        film, words = compare_film(compared), described(compared)
        images = torch.from_numpy(film).float().div(255)
        shown = {**previews.film(film, fps=compared.fps), **previews.text(words)}
        return io.NodeOutput(images, pictures.to_video(images, fps=compared.fps), words, ui=shown)


def _compared(model: VideoModel, image: np.ndarray, ways: list[Way], settings: Settings) -> Compared:
    from motionrag_nodes.frames.compare import compare_motions

    with denoising(settings.steps * len(ways)) as (on_step, should_stop):
        return compare_motions(
            model, image=image, ways=ways, settings=settings, on_step=on_step, should_stop=should_stop
        )


def _connections() -> list[io.Input]:
    return [
        MotionPackSocket.Input("pack", tooltip="From Load Motion Pack."),
        io.Image.Input("image", tooltip="The picture to animate; the same for all videos."),
        NeighboursSocket.Input("neighbours", tooltip="The clips found for your prompt."),
        NeighboursSocket.Input(
            "other_neighbours",
            optional=True,
            tooltip="Clips of another motion, from a second Retrieve Neighbours: what if it moved like these?",
        ),
        VideoModelSocket.Input(
            "video_model", optional=True, tooltip="From Load Video Model. Without it, the pack's own model is used."
        ),
    ]


def _choices() -> list[io.Input]:
    return [
        io.Boolean.Input(
            "without_motion", default=True, tooltip="Adds the plain model; the others are then compared with it."
        ),
        io.String.Input(
            "strengths",
            default="1",
            tooltip="How strongly the motion is injected: numbers separated by commas, one video for each; "
            "try 0.5, 1, 1.5.",
        ),
        io.Boolean.Input(
            "backwards",
            default=False,
            tooltip="Adds a video with the clips played backwards; for this they are read from their videos.",
        ),
        io.Combo.Input(
            "fusion",
            options=list(FUSIONS),
            default=DEFAULT_FUSION,
            tooltip="How the clips become one motion, as in Adapt Motion.",
        ),
    ]


def _settings() -> list[io.Input]:
    return [
        seed_widget("Chooses the noise that all videos start from."),
        io.Int.Input("steps", default=0, min=0, max=200, tooltip="Denoising steps. 0 takes the model's own."),
        io.String.Input(
            "prompt",
            multiline=True,
            default="",
            optional=True,
            tooltip="What is seen and what happens. Only models that read text use it.",
        ),
        io.String.Input(
            "negative_prompt",
            multiline=True,
            default="",
            optional=True,
            tooltip="What should not be seen. Only models that read text use it.",
        ),
    ]
