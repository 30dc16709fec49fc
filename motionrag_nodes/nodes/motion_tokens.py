"""Encode Reference Videos: uses the artist's own clips as examples of motion, without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders, pictures
from motionrag_nodes.nodes.errors import ChoiceNotFound
from motionrag_nodes.nodes.progress import shown_progress
from motionrag_nodes.nodes.sockets import MotionPackSocket, NeighboursSocket

if TYPE_CHECKING:
    import torch

    from motionrag_nodes.checkpoints.pack import MotionPack


class EncodeReferenceVideos(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGEncodeReferenceVideos",
            display_name="Encode Reference Videos",
            category="MotionRAG",
            description=(
                "Reads the motion of your own clips, to use instead of, or without, a motion database. "
                "(own clips, motion transfer, video to motion)"
            ),
            inputs=[
                MotionPackSocket.Input("pack", tooltip="From Load Motion Pack."),
                io.Combo.Input(
                    "videos",
                    options=[model_folders.NO_VIDEO, *model_folders.reference_videos()],
                    default=model_folders.NO_VIDEO,
                    upload=io.UploadType.video,
                    tooltip="A video in ComfyUI's input folder, or a sub-folder (with a slash) with several.",
                ),
                io.Image.Input("frames", optional=True, tooltip="Instead of a file: the frames of one clip, in order."),
            ],
            outputs=[
                NeighboursSocket.Output(
                    "neighbours", display_name="neighbours", tooltip="Your clips' motion. For Adapt Motion."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, videos: str | None = None) -> bool | str:
        return videos == model_folders.NO_VIDEO or model_folders.problem(model_folders.reference_video, videos)

    @classmethod
    def fingerprint_inputs(cls, videos: str, **_: Any) -> str:
        files = () if videos == model_folders.NO_VIDEO else model_folders.reference_video(videos)
        return ";".join(f"{file}:{file.stat().st_size}:{file.stat().st_mtime_ns}" for file in files)

    @classmethod
    def execute(cls, pack: MotionPack, videos: str, frames: torch.Tensor | None = None) -> io.NodeOutput:
        from motionrag_nodes.neighbours.reference_videos import encode_reference_videos

        shown = shown_progress()
        if videos != model_folders.NO_VIDEO:
            files = list(model_folders.reference_video(videos))
            return io.NodeOutput(encode_reference_videos(pack, files, progress=shown))
        if frames is None:
            raise ChoiceNotFound("Expected a motion to read, received none: choose a video, or connect frames.")
        return io.NodeOutput(encode_reference_videos(pack, [pictures.to_frames(frames)], progress=shown))
