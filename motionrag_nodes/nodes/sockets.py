"""MotionRAG's own socket types: one per product of a stage. The names are frozen: saved workflows hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase as MotionDatabaseValue
    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion as AdaptedMotionValue
    from motionrag_nodes.checkpoints.pack import MotionPack as MotionPackValue
    from motionrag_nodes.frames.video_model import VideoModel as VideoModelValue
    from motionrag_nodes.neighbours.neighbours import Neighbours as NeighboursValue


@io.comfytype(io_type="MOTIONRAG_DATABASE")
class MotionDatabaseSocket(io.ComfyTypeIO):
    """An opened motion database."""

    if TYPE_CHECKING:
        Type = MotionDatabaseValue


@io.comfytype(io_type="MOTIONRAG_PACK")
class MotionPackSocket(io.ComfyTypeIO):
    """A loaded motion pack: encoders, resamplers, context transformer, adapter."""

    if TYPE_CHECKING:
        Type = MotionPackValue


@io.comfytype(io_type="MOTIONRAG_NEIGHBOURS")
class NeighboursSocket(io.ComfyTypeIO):
    """Clips of similar motion with their motion tokens, most similar first."""

    if TYPE_CHECKING:
        Type = NeighboursValue


@io.comfytype(io_type="MOTIONRAG_MOTION")
class AdaptedMotionSocket(io.ComfyTypeIO):
    """Motion tokens adapted to an image."""

    if TYPE_CHECKING:
        Type = AdaptedMotionValue


@io.comfytype(io_type="MOTIONRAG_VIDEO_MODEL")
class VideoModelSocket(io.ComfyTypeIO):
    """A video diffusion model that motion can be injected into."""

    if TYPE_CHECKING:
        Type = VideoModelValue
