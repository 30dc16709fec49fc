"""A pack as the database's encoder."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from index_builder.build import build_database
from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import Reading
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseMismatch
from index_builder.features.clip_encoder import ClipEncoder
from motionrag_nodes.checkpoints.published import published_config
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder, reading_of
from tests.index_builder.sample_videos import write_video


def clip(seed, height=32, width=40, frames=16):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_it_is_a_clip_encoder_that_says_what_it_is(tiny_pack):
    encoder = PackClipEncoder(tiny_pack)
    assert isinstance(encoder, ClipEncoder)
    assert (encoder.name, encoder.retrieval_fingerprint) == (
        "test-pack",
        tiny_pack.config.encoders["retrieval"].fingerprint,
    )
    assert encoder.tokens_fingerprint == tiny_pack.tokens_fingerprint
    assert (encoder.tokens_per_clip, encoder.token_dim, encoder.embedding_dim) == (3, 32, 8)
    assert (encoder.reading, encoder.clip_seconds) == (Reading(frames=16, short_side=32), 2.0)
    assert "retrieval (8)" in encoder.retrieval_description


def with_published_pixels(config, *, shape):
    encoders = {
        role: replace(spec, preprocessing=replace(spec.preprocessing, version=2, shape=shape))
        for role, spec in config.encoders.items()
    }
    return replace(config, encoders=encoders)


def read_as_published(pack):
    """The same weights with the published preprocessing, as a pack that was converted again has it."""
    encoders = [getattr(pack, f"{role}_encoder") for role in ("motion", "appearance", "retrieval")]
    pack.config = with_published_pixels(pack.config, shape=(64, 48))
    for encoder, role in zip(encoders, ("motion", "appearance", "retrieval"), strict=True):
        encoder.spec = pack.config.encoders[role]


def test_a_database_of_the_published_way_is_its_own_kind(tiny_pack, tmp_path):
    (tmp_path / "clips").mkdir()
    video = write_video(tmp_path / "clips" / "clip.mp4", frames=48, fps=24, size=(160, 96))
    old = build_database([tmp_path / "clips"], output=tmp_path / "old", encoder=PackClipEncoder(tiny_pack), workers=1)
    assert old.rows == 1 and "version" not in MotionDatabase.open(tmp_path / "old").manifest.clips
    read_as_published(tiny_pack)
    encoder = PackClipEncoder(tiny_pack)
    with pytest.raises(DatabaseMismatch, match=r"decoded as .*'version': 2.* in old, as this pack wants them, found"):
        build_database([tmp_path / "clips"], output=tmp_path / "old", encoder=encoder, workers=1)
    build_database([tmp_path / "clips"], output=tmp_path / "new", encoder=encoder, workers=1)
    database = MotionDatabase.open(tmp_path / "new")
    clips = {"frames": 4, "seconds": 0.5, "short_side": 32, "version": 2, "shape": [64, 48]}
    assert dict(database.manifest.clips) == clips
    # A worker process sent what this process would have read.
    (row_id,) = database.ids()
    stored = database.tokens([row_id], fingerprint=encoder.tokens_fingerprint)
    row = database.rows([row_id])[0]
    read = decode_clip(video, start_sec=row.start_sec, end_sec=row.end_sec, reading=encoder.reading)
    features = encoder.encode([read.pixels], [None])
    np.testing.assert_array_equal(features.motion_tokens, stored.motion_tokens)
    np.testing.assert_array_equal(features.appearance_tokens, stored.appearance_tokens)
    assert row.thumbnail[:2] == b"\xff\xd8"


def test_clips_of_the_published_preprocessing_are_read_as_the_video_model_makes_them(tiny_pack_config):
    reading, seconds = reading_of(with_published_pixels(tiny_pack_config, shape=(64, 48)))
    assert reading == Reading(frames=4, short_side=32, version=2, interpolation="bilinear", shape=(64, 48))
    assert seconds == 4 / 8
    # CogVideoX reads 17 frames at 8 fps.
    assert reading_of(published_config("cogvideox", name="x"))[1] == 2.125
    assert reading_of(published_config("svd", name="x"))[1] == 2.0


def test_a_clip_as_it_was_read_gives_the_tokens_of_its_frames(tiny_pack, tmp_path):
    read_as_published(tiny_pack)
    video = write_video(tmp_path / "clip.mp4", frames=16, fps=8, size=(160, 96))
    encoder = PackClipEncoder(tiny_pack)
    read = decode_clip(video, start_sec=0, end_sec=2, reading=encoder.reading)
    assert read.frames.dtype == np.uint16 and read.first_frame.shape == (96, 128, 3)
    own = decode_clip(video, start_sec=0, end_sec=2, frames=16, short_side=96)
    picked = own.frames[np.round(np.linspace(0, 15, 4)).astype(int)]
    features, expected = encoder.encode([read.pixels], [None]), encoder.encode([picked], [None])
    for name in ("frame", "motion_tokens", "appearance_tokens"):
        np.testing.assert_allclose(getattr(features, name), getattr(expected, name), atol=2e-3)


def test_clips_of_different_sizes_are_encoded_each_by_itself(tiny_pack):
    encoder = PackClipEncoder(tiny_pack)
    clips = [clip(0), clip(1, 32, 32), clip(2)]
    captions = ["a ball rolls", None, "a ball falls"]
    features = encoder.encode(clips, captions)
    assert features.text.shape == features.frame.shape == (3, 8)
    assert features.motion_tokens.shape == features.appearance_tokens.shape == (3, 3, 32)
    assert features.motion_tokens.dtype == features.appearance_tokens.dtype == np.float16
    assert not features.text[1].any()
    np.testing.assert_allclose(np.linalg.norm(features.frame, axis=1), 1, atol=1e-5)
    for index in range(3):
        alone = encoder.encode(clips[index : index + 1], captions[index : index + 1])
        for name in ("text", "frame", "motion_tokens", "appearance_tokens"):
            np.testing.assert_allclose(getattr(alone, name)[0], getattr(features, name)[index], atol=2e-3)


def test_captions_of_a_sentence_encoder_have_their_own_width(tiny_pack_of_two_spaces, tiny_pack):
    encoder, plain = PackClipEncoder(tiny_pack_of_two_spaces), PackClipEncoder(tiny_pack)
    assert isinstance(encoder, ClipEncoder) and plain.text_space is None
    assert (encoder.embedding_dim, encoder.text_space.dim) == (8, 12)
    assert encoder.text_space.description == "sentence captions (12)"
    features = encoder.encode([clip(0), clip(1)], ["a ball rolls", None])
    assert features.text.shape == (2, 12) and features.frame.shape == (2, 8) and not features.text[1].any()
    np.testing.assert_allclose(features.text[0], encoder.encode_text(["a ball rolls"])[0], atol=1e-6)
    # Pictures and motion are encoded as without it.
    np.testing.assert_array_equal(features.frame, plain.encode([clip(0), clip(1)], [None, None]).frame)
    assert encoder.tokens_fingerprint == plain.tokens_fingerprint


@torch.no_grad()
def test_zero_clip_tokens_are_those_of_grey_and_are_computed_once(tiny_pack):
    calls = []
    tiny_pack.motion_resampler.register_forward_hook(lambda *_: calls.append(1))
    tokens = PackClipEncoder(tiny_pack).zero_clip_tokens()
    assert PackClipEncoder(tiny_pack).zero_clip_tokens() is tokens
    assert len(calls) == 1
    grey = tiny_pack.motion_resampler(tiny_pack.motion_encoder.encode([np.full((16, 32, 32, 3), 127, np.uint8)]))
    torch.testing.assert_close(tokens, grey, atol=2e-2, rtol=0)  # half a step of 255 lies between them
    assert not torch.allclose(tokens, PackClipEncoder(tiny_pack).motion_tokens([clip(0)]), atol=2e-2)


def test_a_caption_is_wanted_for_each_clip(tiny_pack):
    with pytest.raises(ShapeMismatch, match=r"one caption .* for each of 2 clips, received 1"):
        PackClipEncoder(tiny_pack).encode([clip(0), clip(1)], [None])
