"""Counting memory without an accelerator: what is alive at once, and nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from benchmarks.fake_memory import LiveBytes, ModelMemory, as_fake, bytes_of, largest_layer
from benchmarks.memory import PipelineMemory
from motionrag_nodes.backbones.backbone import all_backbones


def test_what_is_dropped_counts_no_longer() -> None:
    with FakeTensorMode(), LiveBytes() as live:
        first = torch.empty(1000, dtype=torch.bfloat16)
        second = first + first
        assert live.now == 4000
        view = second.view(10, 100)
        del first, second
        assert live.now == 2000 and live.peak == 4000
        del view
        assert live.now == 0


def test_a_model_is_counted_by_its_layers() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(10, 20, bias=False), nn.Linear(20, 5, bias=False))
    assert (bytes_of(model), largest_layer(model)) == (4 * 300, 4 * 200)
    mode, live = FakeTensorMode(), LiveBytes()
    as_fake(model, mode)
    for weight in model.parameters():
        live.ignore(weight)
    with torch.no_grad(), mode, live:
        model(torch.empty(3, 10))
    assert live.peak == 4 * 3 * (10 + 20 + 5)


def test_each_level_of_offload_keeps_less() -> None:
    models = {
        "text": ModelMemory(weights=100, largest_layer=40, activations={"forward": 1}),
        "net": ModelMemory(weights=80, largest_layer=5, activations={"forward": 30}),
        "codec": ModelMemory(weights=10, largest_layer=2, activations={"encode": 20, "decode": 60}),
    }
    memory = PipelineMemory(models, adapter=12, adapter_layer=3, denoisers=frozenset({"net"}))
    assert memory.peak("none") == 190 + 12 + 60
    assert memory.peak("model") == 80 + 12 + 30
    assert memory.peak("sequential") == 60 + 2
    staying = PipelineMemory(models, adapter=12, adapter_layer=3, denoisers=frozenset(), staying=frozenset({"text"}))
    assert (staying.peak("sequential"), staying.peak("model")) == (100 + 60 + 2, 80 + 30)


@pytest.mark.parametrize("backbone", all_backbones(), ids=lambda backbone: backbone.name)
def test_published_sizes_have_the_published_attentions(backbone) -> None:
    for make in backbone.published_sizes.values():
        denoiser = backbone.denoisers(make())[0]
        assert next(denoiser.parameters()).is_meta
        sites = {site: host.width for site, host in backbone.hosts(denoiser).items()}
        if backbone.published is not None:
            assert sites == dict(backbone.published.sites)
