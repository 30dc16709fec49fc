"""The hub cache is compared with what is known of the published files."""

from pathlib import Path

import pytest

from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.backbones.hub_source import HubSource
from motionrag_nodes.checkpoints.published import ENCODER_SOURCES
from motionrag_nodes.doctor.published_files import examine_hub_cache, known_sources, what_is_wrong
from motionrag_nodes.fetch.hub import Hub

SVD = get_backbone("svd").published.base
APPEARANCE = ENCODER_SOURCES["appearance"]


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(cache=tmp_path)


def put(hub: Hub, source: HubSource, files, revision: str | None = None) -> None:
    for name in files:
        path = hub.snapshot(source.repo, revision or source.revision) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_an_empty_cache_is_no_finding(hub: Hub) -> None:
    assert not list(examine_hub_cache(hub))


def test_all_that_is_needed_is_well(hub: Hub) -> None:
    put(hub, SVD, SVD.files)
    (found,) = examine_hub_cache(hub)
    assert (found.subject, found.level) == (SVD.repo, "ok") and "another commit" not in found.message


def test_full_precision_serves_as_well(hub: Hub) -> None:
    put(hub, SVD, [name.replace(".fp16", "") for name in SVD.files], revision="b" * 40)
    (found,) = examine_hub_cache(hub)
    assert found.level == "ok" and "of another commit (bbbbbbbb) than the pinned" in found.message


def test_pickles_alone_are_the_wrong_variant(hub: Hub) -> None:
    put(hub, APPEARANCE, ["config.json", "pytorch_model.bin"])
    (found,) = examine_hub_cache(hub)
    assert found.level == "problem" and found.remedy in ("motionrag fetch svd", "motionrag fetch cogvideox")
    assert found.message == "lacks model.safetensors; it holds pytorch_model.bin, another variant"


def test_the_single_file_for_other_programs_is_not_the_model(hub: Hub) -> None:
    put(hub, SVD, ["svd.safetensors", "model_index.json"])
    (found,) = examine_hub_cache(hub)
    assert found.level == "problem" and found.remedy == "motionrag fetch svd"
    assert "and more; it holds svd.safetensors, another variant" in found.message


def test_a_download_that_was_stopped_is_seen(tmp_path: Path, hub: Hub) -> None:
    put(hub, SVD, SVD.files[:-1])
    assert what_is_wrong(SVD, hub.snapshot(SVD.repo, SVD.revision)) == f"lacks {SVD.files[-1]}"


def test_every_repository_is_known_with_a_backbone_that_needs_it() -> None:
    known = known_sources()
    assert known[SVD.repo] == (SVD, "svd") and APPEARANCE.repo in known
    assert all(get_backbone(backbone).published for _, backbone in known.values())
