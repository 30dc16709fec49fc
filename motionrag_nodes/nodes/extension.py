"""Lists the nodes for ComfyUI: the simple path first, then in the order of the data's way."""

from __future__ import annotations

from comfy_api.latest import ComfyExtension, io
from typing_extensions import override

from motionrag_nodes.nodes import model_folders, routes, samples
from motionrag_nodes.nodes.adapted_tokens import AdaptMotion
from motionrag_nodes.nodes.attention import ApplyMotion
from motionrag_nodes.nodes.checkpoints import LoadMotionPack
from motionrag_nodes.nodes.compare import CompareMotions
from motionrag_nodes.nodes.control_clip import MotionWithoutLooks
from motionrag_nodes.nodes.database import LoadMotionDatabase
from motionrag_nodes.nodes.database_info import DatabaseInfo
from motionrag_nodes.nodes.doctor import Doctor
from motionrag_nodes.nodes.find_motion import FindMotion
from motionrag_nodes.nodes.frames import GenerateVideo
from motionrag_nodes.nodes.index_folder import IndexFolder
from motionrag_nodes.nodes.motion_tokens import EncodeReferenceVideos
from motionrag_nodes.nodes.native_video_model import LoadNativeVideoModel
from motionrag_nodes.nodes.neighbour_clips import NeighbourClips
from motionrag_nodes.nodes.neighbours import RetrieveNeighbours
from motionrag_nodes.nodes.storyboard import Storyboard
from motionrag_nodes.nodes.video_model import LoadVideoModel


class MotionRAGExtension(ComfyExtension):
    @override
    async def on_load(self) -> None:
        model_folders.register()

    @override
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        # 0.3.75 does not call on_load for custom nodes; registering twice is harmless.
        model_folders.register()
        samples.offer()
        routes.add_routes()
        return [
            FindMotion,
            LoadMotionPack,
            IndexFolder,
            LoadMotionDatabase,
            DatabaseInfo,
            RetrieveNeighbours,
            NeighbourClips,
            MotionWithoutLooks,
            EncodeReferenceVideos,
            AdaptMotion,
            LoadNativeVideoModel,
            ApplyMotion,
            LoadVideoModel,
            GenerateVideo,
            Storyboard,
            CompareMotions,
            Doctor,
        ]
