"""Devices: auto takes what there is, and a name that this machine does not have is refused."""

import pytest
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.devices import chosen_device


def test_auto_takes_an_accelerator_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert chosen_device("auto") == chosen_device("cpu") == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert chosen_device("auto") == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert chosen_device("auto") == "cuda:0" and chosen_device("cuda:1") == "cuda:1" and chosen_device("cuda") == "cuda"


@pytest.mark.parametrize("name", ["cuda:7", "gpu", "mps", ""])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InvalidSetting, match="Expected --device auto or one of cpu, cuda:0, cuda, received"):
        chosen_device(name)
