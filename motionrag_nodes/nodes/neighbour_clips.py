"""Neighbour Clips: the clips that were found, as the next model's reference or control inputs want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from comfy_api.latest import io

from motionrag_nodes.neighbours.clip_format import FITS, MAX_FPS, MAX_FRAMES, MAX_SIDE, PRESETS, SHORTS, clip_format
from motionrag_nodes.nodes import pictures, previews, progress, video_folders
from motionrag_nodes.nodes.checks import chosen, faults
from motionrag_nodes.nodes.sockets import NeighboursSocket

if TYPE_CHECKING:
    from index_builder.clips.sound import Sound
    from motionrag_nodes.neighbours.neighbour_clips import NeighbourClip
    from motionrag_nodes.neighbours.neighbours import Neighbours

_PREVIEW_SIDE, _PREVIEW_FRAMES = 320, 48


class NeighbourClips(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGNeighbourClips",
            display_name="Neighbour Clips",
            category="MotionRAG",
            description=(
                "Gives the clips that were found as frames, video and sound, at the frame rate, length and size that "
                "the next model expects: for models that take reference or control videos, without a motion adapter. "
                "(reference video, control video, MiniMax H3, VACE, LTX, Wan Animate)"
            ),
            inputs=_inputs(),
            outputs=_outputs(),
        )

    @classmethod
    def validate_inputs(
        cls, preset: str | None = None, fit: str | None = None, when_short: str | None = None
    ) -> bool | str:
        return faults(
            preset=chosen("preset", preset, PRESETS),
            fit=chosen("fit", fit, FITS),
            when_short=chosen("when_short", when_short, SHORTS),
        )

    @classmethod
    def execute(
        cls,
        neighbours: Neighbours,
        preset: str,
        rank: int,
        count: int,
        fps: float,
        frames: int,
        width: int,
        height: int,
        fit: str,
        when_short: str,
    ) -> io.NodeOutput:
        from index_builder.clips.allowed_folders import AllowedFolders
        from motionrag_nodes.neighbours.neighbour_clips import described, neighbour_clips

        wanted = clip_format(preset, fps=fps, frames=frames, width=width, height=height, fit=fit, short=when_short)
        clips = neighbour_clips(
            neighbours,
            wanted=wanted,
            rank=rank,
            count=count,
            sources=AllowedFolders.of_user(video_folders.roots()),
            progress=progress.shown_progress(),
        )
        images = [_image(clip) for clip in clips]
        sounds = [_audio(clip.sound) for clip in clips]
        videos = [
            pictures.to_video(image, fps=clip.fps, audio=sound)
            for image, sound, clip in zip(images, sounds, clips, strict=True)
        ]
        return io.NodeOutput(
            images,
            videos,
            sounds,
            [clip.neighbour.caption or "" for clip in clips],
            [clip.neighbour.score for clip in clips],
            [float(clip.fps) for clip in clips],
            ui={**_film(clips[0]), **previews.text(described(clips))},
        )


def _image(clip: NeighbourClip) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(clip.frames)).float().div(255)


def _audio(sound: Sound | None) -> dict[str, Any] | None:
    """As ComfyUI passes sound on: waveform [B, C, N]."""
    if sound is None:
        return None
    return {"waveform": torch.from_numpy(sound.samples.copy()).unsqueeze(0), "sample_rate": sound.rate}


def _film(clip: NeighbourClip) -> dict[str, object]:
    """The first clip, small, as it will be shown."""
    step = max(1, -(-len(clip.frames) // _PREVIEW_FRAMES))
    shrink = max(1, max(clip.frames.shape[1:3]) // _PREVIEW_SIDE)
    return previews.film(clip.frames[::step, ::shrink, ::shrink], fps=clip.fps / step)


def _inputs() -> list[io.Input]:
    # The order is that of saved workflows' values.
    return [
        NeighboursSocket.Input(
            "neighbours", tooltip="From Retrieve Neighbours, Find Motion or Encode Reference Videos."
        ),
        io.Combo.Input(
            "preset",
            options=list(PRESETS),
            tooltip="Which model the clips are for; sets the frame rate, number of frames and sizes that it takes.",
        ),
        io.Int.Input("rank", default=1, min=1, max=64, tooltip="Which clip: 1 is the most similar."),
        io.Int.Input(
            "count",
            default=1,
            min=1,
            max=64,
            tooltip="How many clips, from that rank on. With more than one, what follows runs once for each.",
        ),
        *_number_inputs(),
        io.Combo.Input(
            "fit",
            options=list(FITS),
            default=FITS[0],
            tooltip="A clip of another shape: crop cuts its edges off, pad keeps all of it and adds black.",
        ),
        io.Combo.Input(
            "when_short",
            options=list(SHORTS),
            default=SHORTS[0],
            tooltip="A clip that is shorter than wanted: take more of its video (played back and forth if that is too "
            "short as well), play it back and forth, hold its last frame, or slow it down.",
        ),
    ]


def _number_inputs() -> list[io.Input]:
    sizes = [
        io.Int.Input(
            name,
            default=0,
            min=0,
            max=MAX_SIDE,
            step=2,
            tooltip=f"{name.capitalize()} in pixels. 0 keeps the clip's own, or its shape where the other side is set.",
        )
        for name in ("width", "height")
    ]
    return [
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=MAX_FPS,
            step=0.01,
            tooltip="Frames per second. 0 takes the preset's. The movement keeps its speed.",
        ),
        io.Int.Input(
            "frames",
            default=0,
            min=0,
            max=MAX_FRAMES,
            tooltip="How many frames, rounded up to what the model takes. 0 takes the preset's, or the clip's length.",
        ),
        *sizes,
    ]


def _outputs() -> list[io.Output]:
    listed = {"is_output_list": True}
    return [
        io.Image.Output(
            "images",
            display_name="images",
            tooltip="The frames, for reference and control inputs that take images.",
            **listed,
        ),
        io.Video.Output(
            "video", display_name="video", tooltip="The clip with its sound, for inputs that take a video.", **listed
        ),
        io.Audio.Output(
            "audio", display_name="audio", tooltip="The clip's sound; nothing where its video has none.", **listed
        ),
        io.String.Output("caption", display_name="caption", tooltip="What happens in the clip.", **listed),
        io.Float.Output("score", display_name="score", tooltip="How similar the clip is, up to 1.", **listed),
        io.Float.Output("frame_rate", display_name="frame_rate", tooltip="Frames per second.", **listed),
    ]
