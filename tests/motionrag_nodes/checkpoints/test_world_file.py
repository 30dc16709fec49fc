"""The tiny pack's world: clips of the demo world lie in it, real ones and prompts about them do not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from index_builder.build import build_database
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.checkpoints.pack import MotionPack, load_pack
from motionrag_nodes.checkpoints.world_file import (
    WORLD_FILE,
    read_world,
    told_of_clips,
    told_of_prompts,
    unlike_clips,
    write_world,
)
from motionrag_nodes.errors import PackInvalid
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from tests.index_builder.features.real_captions import CAPTIONS
from tests.index_builder.sample_videos import real_clips
from training.demo_world.world import draw_spec
from training.demo_world.write_videos import write_clips


@pytest.fixture(scope="module")
def pack() -> MotionPack:
    return load_pack("tiny")


@pytest.fixture
def own_pack(tmp_path: Path) -> MotionPack:
    return load_pack(shutil.copytree(load_pack("tiny").folder, tmp_path / "pack"))


def database_of(pack: MotionPack, videos: list[Path], output: Path) -> MotionDatabase:
    build_database(videos, output=output, encoder=PackClipEncoder(pack), workers=1)
    return MotionDatabase.open(output)


def test_real_clips_are_told_and_clips_of_its_own_world_are_not(pack: MotionPack, tmp_path: Path) -> None:
    real = database_of(pack, real_clips(), tmp_path / "real")
    assert unlike_clips(read_world(pack), real, fingerprint=pack.tokens_fingerprint) == (4, 4)
    assert "4 of 4 clips looked at are unlike the world that pack tiny was trained on" in told_of_clips(pack, real)
    write_clips(tmp_path / "clips", count=20, seed=77)
    demo = database_of(pack, [tmp_path / "clips"], tmp_path / "demo")
    unlike, seen = unlike_clips(read_world(pack), demo, fingerprint=pack.tokens_fingerprint)
    assert seen == 20 and unlike <= 2 and told_of_clips(pack, demo) is None
    assert unlike_clips(read_world(pack), demo, fingerprint="other") == (0, 0)


def test_real_prompts_are_told_and_captions_of_its_own_world_are_not(pack: MotionPack) -> None:
    encode = pack.retrieval_encoder.encode_text
    assert len(told_of_prompts(pack, encode(CAPTIONS), CAPTIONS)) >= 0.9 * len(CAPTIONS)
    rng = np.random.default_rng(5)
    own = [draw_spec(rng, split="unseen_object").caption(rng) for _ in range(100)]
    assert len(told_of_prompts(pack, encode(own), own)) <= 10
    assert 'the prompt "a snail' in told_of_prompts(pack, encode(["a snail crawls"]), ["a snail crawls"])[0]


def test_the_file_is_optional_and_held_to_the_packs_encoders(own_pack: MotionPack) -> None:
    world, path = read_world(own_pack), own_pack.folder / WORLD_FILE
    write_world(own_pack, world)
    assert np.array_equal(read_world(own_pack).text.mean, world.text.mean)
    tensors = load_file(path)
    save_file(tensors, path, metadata={"text": "another", "tokens": own_pack.tokens_fingerprint})
    assert read_world(own_pack) is None and told_of_prompts(own_pack, np.zeros((1, 1)), ["x"]) == []
    path.unlink()
    assert read_world(own_pack) is None


def test_a_damaged_file_is_named(own_pack: MotionPack) -> None:
    path = own_pack.folder / WORLD_FILE
    path.write_bytes(b"no tensors")
    with pytest.raises(PackInvalid, match="Expected the statistic of a pack's world"):
        read_world(own_pack)
