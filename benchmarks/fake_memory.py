"""What a pipeline needs of an accelerator's memory, counted without one: its models are called with fake tensors.

Fake tensors (torch.FakeTensorMode) have shapes, precisions and lifetimes, but no data. The pipeline itself runs as
always; only what its models compute is counted and answered with zeros.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


@dataclass(frozen=True)
class ModelMemory:
    """Bytes of one model: its weights, the largest layer's weights, and the most that a call held beside them."""

    weights: int
    largest_layer: int
    activations: Mapping[str, int]

    @property
    def most(self) -> int:
        """The most that a call held beside the weights."""
        return max(self.activations.values(), default=0)


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of what operations make, for as long as something refers to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self._count, made)
        return made

    def _count(self, tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key not in self._known:

            def gone(_: Any) -> None:
                self.now -= size
                self._known.pop(key, None)

            self._known[key] = weakref.ref(storage, gone)
            self.now += size
            self.peak = max(self.peak, self.now)
        return tensor

    def ignore(self, tensor: torch.Tensor) -> None:
        """What is there already: weights."""
        storage = tensor.untyped_storage()
        self._known[storage._cdata] = weakref.ref(storage)


def as_fake(module: nn.Module, mode: FakeTensorMode) -> nn.Module:
    """A module on the meta device becomes one of fake tensors on the CPU, in place."""
    with mode:
        for part in module.modules():
            for name, value in list(part._parameters.items()):
                if value is not None:
                    made = torch.empty(value.shape, dtype=value.dtype)
                    part._parameters[name] = nn.Parameter(made, requires_grad=False)
            for name, value in list(part._buffers.items()):
                if value is not None:
                    part._buffers[name] = torch.empty(value.shape, dtype=value.dtype)
    return module


def bytes_of(module: nn.Module) -> int:
    """Of a module's parameters and buffers."""
    return sum(value.numel() * value.element_size() for value in [*module.parameters(), *module.buffers()])


def largest_layer(module: nn.Module) -> int:
    """Bytes of the layer with the largest weights of its own."""
    return max(
        sum(value.numel() * value.element_size() for value in part.parameters(recurse=False))
        for part in module.modules()
    )


@contextmanager
def counted_models(pipeline: Any, mode: FakeTensorMode) -> Iterator[dict[str, ModelMemory]]:
    """Within the block each call of the pipeline's models is counted and answered with zeros.

    Gives the memory of each model by its name, complete after the block.
    """
    found: dict[str, ModelMemory] = {}
    parts = {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}
    for name, part in parts.items():
        as_fake(part, mode)
        most: dict[str, int] = {}
        found[name] = ModelMemory(bytes_of(part), largest_layer(part), most)
        entrances = ("encode", "decode") if hasattr(part, "decode") and hasattr(part, "encode") else ("forward",)
        for entrance in entrances:
            setattr(part, entrance, _counted(getattr(part, entrance), entrance, part, most, mode))
    yield found


def _counted(
    call: Callable[..., Any], entrance: str, part: nn.Module, most: dict[str, int], mode: FakeTensorMode
) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        live = LiveBytes()
        for weight in [*part.parameters(), *part.buffers()]:
            live.ignore(weight)
        with torch.no_grad(), mode, live:
            # Made anew, so that what is handed in counts too.
            args, kwargs = tree_map_only(torch.Tensor, torch.empty_like, (args, kwargs))
            made = call(*args, **kwargs)
            most[entrance] = max(most.get(entrance, 0), live.peak)
        return _with_zeros(made)

    return counted


def _with_zeros(made: Any) -> Any:
    """Fake tensors in a model's answer, and in objects in it, as zeros."""
    if isinstance(made, FakeTensor):
        return torch.zeros(made.shape, dtype=made.dtype)
    if isinstance(made, tuple):
        return type(made)(_with_zeros(value) for value in made)
    if isinstance(made, dict):
        for key, value in list(made.items()):
            made[key] = _with_zeros(value)
    elif hasattr(made, "__dict__") and not isinstance(made, nn.Module):
        for key, value in list(vars(made).items()):
            setattr(made, key, _with_zeros(value))
    return made
