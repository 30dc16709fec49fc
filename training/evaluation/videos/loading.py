"""Loading a pack's video model for generating many videos, on the machine that the user names."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from motionrag_nodes.checkpoints.pack import MotionPack
from motionrag_nodes.frames.placement import NONE, require_offload, require_precision
from motionrag_nodes.frames.video_model import VideoModel, load_video_model

AUTO = "auto"
PRECISIONS = (AUTO, "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Machine:
    """What generates: torch's name of a device, the precision ("auto" for the device's best), the level of offload."""

    device: str = "cpu"
    precision: str = AUTO
    offload: str = NONE

    def check(self) -> None:
        """Raises PrecisionUnsupported, InvalidSetting: this device cannot do it. Loading would say so much later."""
        device = torch.device(self.device)
        require_offload(self.offload, device)
        if self.precision != AUTO:
            require_precision(getattr(torch, self.precision), device)

    def load(self, pack: MotionPack) -> VideoModel:
        """The pack's own video model. Raises as `load_video_model`."""
        dtype = None if self.precision == AUTO else getattr(torch, self.precision)
        return load_video_model(None, pack=pack, device=self.device, dtype=dtype, offload=self.offload)


CPU = Machine()
