"""The published adapter's keys fit the UNet of the published size, and its queries may be absent."""

import torch

from motionrag_nodes.backbones.dynamicrafter.published import PUBLISHED, ROOT
from motionrag_nodes.backbones.dynamicrafter.sites import hosts
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet, UNetConfig


def test_sites_are_those_of_the_unet() -> None:
    with torch.device("meta"):
        found = hosts(DynamiCrafterUNet(UNetConfig()))
    assert dict(PUBLISHED.sites) == {site: host.width for site, host in found.items()}


def test_keys_end_as_published() -> None:
    [rule] = PUBLISHED.rules
    assert rule.file_prefix == f"{ROOT}."
    assert rule.endings[".processor.to_k_ip.0.weight"] == ".to_k_a.weight"
    assert rule.drawn == (".processor.to_q_ip.0.weight",)
