"""A hub on this machine that holds one small repository, and a cache of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.fetch.hub import Hub
from tests.motionrag_nodes.fetch.hub_server import HubServer, Repository, running_hub

COMMIT = "a" * 40
LARGE = np.random.default_rng(0).bytes(300_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("motionrag_nodes.fetch.download.PAUSES_SEC", (0.0, 0.0))
    with running_hub() as hub:
        files = {"config.json": b"{}", "weights/model.safetensors": LARGE, "weights/again.bin": LARGE[::-1]}
        hub.repositories["someone/model"] = Repository(COMMIT, files)
        yield hub


@pytest.fixture
def hub(server: HubServer, tmp_path: Path) -> Hub:
    return Hub(endpoint=server.url, cache=tmp_path / "cache")


@pytest.fixture
def source() -> HubSource:
    return HubSource("someone/model", COMMIT, "test model", "mit", ("config.json", "weights/model.safetensors"))
