"""Which parts of a pipeline stand on the accelerator while it runs, and in which precision it may run there.

Outside ComfyUI diffusers and accelerate move them, at a level that the user chooses; inside, ComfyUI's memory
management does, through a Residence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from accelerate import cpu_offload
from accelerate.hooks import ModelHook, add_hook_to_module
from accelerate.utils import send_to_device
from torch import nn

from index_builder.errors import InvalidSetting
from motionrag_nodes.errors import PrecisionUnsupported
from motionrag_nodes.residence import Residence, Resident

# All stays on the accelerator; each model comes for its part of the work; each layer comes for its own call.
NONE, MODEL, SEQUENTIAL = "none", "model", "sequential"
OFFLOADS = (NONE, MODEL, SEQUENTIAL)


def require_precision(dtype: torch.dtype, device: torch.device) -> None:
    """Raises PrecisionUnsupported for float16 on a CPU."""
    if device.type == "cpu" and dtype == torch.float16:
        raise PrecisionUnsupported(
            "Expected float32 or bfloat16 on a CPU, received float16: CPUs compute it slowly, some layers not at all, "
            "and its narrow range gives pixels that are not numbers. Load the video model in float32 or bfloat16."
        )


def require_offload(offload: str, device: torch.device) -> None:
    """Raises InvalidSetting for an unknown level, or one where there is nothing to spare."""
    if offload not in OFFLOADS:
        raise InvalidSetting(f"Expected an offload of {', '.join(OFFLOADS)}, received {offload!r}: choose one of them.")
    if offload != NONE and device.type == "cpu":
        raise InvalidSetting(
            f"Expected the offload {NONE} on a CPU, which has no memory but the computer's, received {offload}: leave "
            "it out, or choose an accelerator."
        )


def place(pipeline: Any, adapter: nn.Module | None, *, device: torch.device, offload: str) -> Residence:
    """Put a pipeline where `offload` wants it, and say how the adapter beside it is moved."""
    if offload == NONE:
        pipeline.to(device)
        if adapter is not None:
            adapter.to(device)
        return Resident(device)
    if offload == MODEL:
        pipeline.enable_model_cpu_offload(device=device)
        return Residence(device)
    pipeline.enable_sequential_cpu_offload(device=device)
    if adapter is not None:
        cpu_offload(adapter, execution_device=device)
    return Resident(device)


def manage(pipeline: Any, residence: Residence, *, denoisers: Iterable[nn.Module], adapter: nn.Module | None) -> None:
    """Have every model of a pipeline come by way of `residence` before it is called, with each denoiser the adapter."""
    if adapter is not None:
        for denoiser in denoisers:
            residence.keep_beside(denoiser, adapter)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            add_hook_to_module(part, _Brought(residence))


class _Brought(ModelHook):
    """accelerate's hook, which diffusers asks before a codec's encode and decode too."""

    def __init__(self, residence: Residence) -> None:
        self.residence = residence
        # Where diffusers makes what it hands to its models.
        self.execution_device = residence.device

    def pre_forward(self, module: nn.Module, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        """Arguments on the device, beside the model."""
        self.residence.bring(module)
        return send_to_device(args, self.execution_device), send_to_device(kwargs, self.execution_device)
