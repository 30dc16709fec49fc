"""Where models stand: they come to the accelerator when they are used, and leave it when others need its memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn


class Residence:
    """One device, to which models are moved and from which they leave for the CPU.

    ComfyUI's nodes bring one of their own, which asks ComfyUI's memory management instead.
    """

    def __init__(self, device: str | torch.device = "cpu") -> None:
        self.device = torch.device(device)
        self._needs: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()
        self._beside: WeakKeyDictionary[nn.Module, tuple[nn.Module, ...]] = WeakKeyDictionary()

    def expect(self, module: nn.Module, needed_bytes: int) -> None:
        """Say what a call of a model needs beside its weights."""
        self._needs[module] = needed_bytes

    def needs(self, module: nn.Module) -> int:
        """What was said of it; 0 of others."""
        return self._needs.get(module, 0)

    def keep_beside(self, module: nn.Module, *others: nn.Module) -> None:
        """Others are used while `module` is called: they come with it."""
        self._beside[module] = others

    def beside(self, module: nn.Module) -> tuple[nn.Module, ...]:
        """What comes with it."""
        return self._beside.get(module, ())

    def bring(self, module: nn.Module) -> None:
        """To the device, where it is not there already: it is about to be used."""
        for part in (module, *self.beside(module)):
            if self.device.type != "cpu" and device_of(part).type != self.device.type:
                part.to(self.device)

    def release(self, modules: Iterable[nn.Module]) -> None:
        """Off the accelerator: they are not used for a while."""
        there = [module for module in modules if device_of(module).type != "cpu"]
        for module in there:
            module.to("cpu")
        if there:
            empty_cache(self.device)

    @contextmanager
    def uninterrupted(self) -> Iterator[None]:
        """Within the block `bring` raises for no user's stop: whoever works there asks for stops elsewhere."""
        yield

    def free_bytes(self) -> int:
        """How much memory of the device is not in use now."""
        if self.device.type == "cuda":
            unused = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
            return torch.cuda.mem_get_info(self.device)[0] + unused
        if self.device.type == "mps":
            return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
        import psutil

        return int(psutil.virtual_memory().available)


class Resident(Residence):
    """Models that stay where they were put, or that other hooks move."""

    def bring(self, module: nn.Module) -> None:
        """Nothing: they are where they are needed."""

    def release(self, modules: Iterable[nn.Module]) -> None:
        """Nothing."""


def device_of(module: nn.Module) -> torch.device:
    """Of its weights; of a module without any the CPU."""
    for value in (*module.parameters(), *module.buffers()):
        return value.device
    return torch.device("cpu")


def empty_cache(device: torch.device) -> None:
    """Give the memory that torch keeps for later back to the device."""
    library: Any = getattr(torch, device.type, None)
    if device.type != "cpu" and hasattr(library, "empty_cache"):
        library.empty_cache()


def best_precision(device: str | torch.device) -> torch.dtype:
    """bfloat16 where the device has it, else float16 on an accelerator; float32 on a CPU, whose bfloat16 is slow or
    emulated on most."""
    device = torch.device(device)
    if device.type == "cpu":
        return torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    try:
        torch.ones(1, dtype=torch.bfloat16, device=device) + 1
    except (RuntimeError, TypeError):
        return torch.float16
    return torch.bfloat16
