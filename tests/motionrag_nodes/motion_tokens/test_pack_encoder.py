"""A pack as the database's encoder."""

import numpy as np
import pytest
import torch

from index_builder.features.clip_encoder import ClipEncoder
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder


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
    assert (encoder.tokens_per_clip, encoder.token_dim, encoder.embedding_dim, encoder.short_side) == (3, 32, 8, 32)
    assert "retrieval (8)" in encoder.retrieval_description


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
