"""Models under ComfyUI's memory management: loading one frees room for it, and others may push it out again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import comfy.model_management
from comfy.model_patcher import ModelPatcher
from torch import nn

from motionrag_nodes.residence import Residence

# Where a model keeps its patcher, which lives as long as the model does.
_PATCHER = "_motionrag_patcher"
# More bytes than any device has: whatever may leave leaves.
_EVERYTHING = 1e30


class ComfyUIResidence(Residence):
    """Models come by ComfyUI's own loading, with what they need beside their weights; an interruption is noticed."""

    def __init__(self, *, moves: bool | None = None) -> None:
        """`moves`: whether models are loaded and leave at all. They do unless ComfyUI runs on the CPU, where nothing is
        won and loading may cost seconds: ComfyUI collects garbage before it whenever a patched copy of a model is gone.
        """
        super().__init__(comfy.model_management.get_torch_device())
        self._moves = self.device.type != "cpu" if moves is None else moves
        self._notices_stops = True

    def bring(self, module: nn.Module) -> None:
        """Raises InterruptProcessingException of ComfyUI where the user has stopped the prompt."""
        if self._notices_stops:
            comfy.model_management.throw_exception_if_processing_interrupted()
        if not self._moves:
            return
        together = [module, *self.beside(module)]
        # Whole: the layers are plain ones, which ComfyUI cannot bring one at a time.
        comfy.model_management.load_models_gpu(
            [_patcher(part, self) for part in together],
            memory_required=sum(map(self.needs, together)),
            force_full_load=True,
        )

    def release(self, modules: Iterable[nn.Module]) -> None:
        """They leave; what other nodes have loaded stays."""
        if not self._moves:
            return
        leaving = {id(getattr(module, _PATCHER, None)) for module in modules}
        loaded = comfy.model_management.current_loaded_models
        staying = [entry for entry in loaded if id(entry.model) not in leaving]
        if len(staying) < len(loaded):
            comfy.model_management.free_memory(_EVERYTHING, self.device, keep_loaded=staying)
            comfy.model_management.soft_empty_cache()

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Indexing commits what it has encoded before it stops."""
        before, self._notices_stops = self._notices_stops, False
        try:
            yield
        finally:
            self._notices_stops = before

    def free_bytes(self) -> int:
        """What is free, and what ComfyUI could free."""
        free = comfy.model_management.get_free_memory(self.device)
        if self.device.type == "cpu":  # a model that leaves stays in the same memory
            return int(free)
        # A model that is gone stays listed for a while.
        listed = [entry for entry in comfy.model_management.current_loaded_models if entry.model is not None]
        return int(free + sum(entry.model_loaded_memory() for entry in listed if entry.device == self.device))


class _Held(nn.Module):
    """A model inside another: ComfyUI writes the attribute `device`, which models of diffusers compute."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.held = module


def _patcher(module: nn.Module, residence: Residence) -> ModelPatcher:
    if not hasattr(module, _PATCHER):
        made = ModelPatcher(
            _Held(module),
            load_device=residence.device,
            offload_device=comfy.model_management.unet_offload_device(),
        )
        setattr(module, _PATCHER, made)
    return getattr(module, _PATCHER)
