"""Fusion of neighbours for a picture, and what may not be combined."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from index_builder.errors import InvalidSetting
from motionrag_nodes.adapted_tokens.adapt import FUSIONS, AdaptedMotion, adapt_motion
from motionrag_nodes.errors import MotionMismatch, ShapeMismatch, TooManyNeighbours
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos


def clip(seed):
    return np.random.default_rng(seed).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)


IMAGE = clip(9)[0]


@pytest.fixture
def neighbours(tiny_pack):
    return encode_reference_videos(tiny_pack, [clip(0), clip(1), clip(2)])


def test_mean_and_top_1_are_what_they_say(tiny_pack, neighbours):
    mean = adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion="mean")
    torch.testing.assert_close(mean.tokens, neighbours.motion_tokens.mean(0, keepdim=True))
    top = adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion="top-1")
    assert torch.equal(top.tokens, neighbours.motion_tokens[:1])
    assert (top.pack, top.fusion) == (tiny_pack, "top-1")


@torch.no_grad()
def test_the_context_transformer_reads_the_neighbours_and_the_picture(tiny_pack, neighbours):
    motion = adapt_motion(tiny_pack, neighbours, image=IMAGE)
    target = PackClipEncoder(tiny_pack).appearance_tokens([IMAGE])
    expected = tiny_pack.context_transformer.adapt(
        neighbours.motion_tokens[None], neighbours.appearance_tokens[None], target
    )
    torch.testing.assert_close(motion.tokens, expected)
    other_picture = adapt_motion(tiny_pack, neighbours, image=255 - IMAGE)
    assert not torch.allclose(other_picture.tokens, motion.tokens, atol=1e-3)


@torch.no_grad()
def test_a_calibration_moves_what_the_context_transformer_says_and_nothing_else(tiny_pack, neighbours):
    plain = {fusion: adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion=fusion) for fusion in FUSIONS}
    tiny_pack.calibration.gain.fill_(1.5)
    tiny_pack.calibration.offset += 0.25
    calibrated = {fusion: adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion=fusion) for fusion in FUSIONS}
    torch.testing.assert_close(
        calibrated["context transformer"].tokens, 1.5 * plain["context transformer"].tokens + 0.25
    )
    for fusion in FUSIONS:
        assert torch.equal(calibrated[fusion].unconditional, plain[fusion].unconditional)
        if fusion != "context transformer":
            assert torch.equal(calibrated[fusion].tokens, plain[fusion].tokens)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_equal_weights_change_no_bit(tiny_pack, neighbours, fusion):
    plain = adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion=fusion)
    for weight in (1.0, 0.3):
        same = replace(neighbours, weights=(weight,) * 3)
        assert torch.equal(adapt_motion(tiny_pack, same, image=IMAGE, fusion=fusion).tokens, plain.tokens)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_weight_zero_is_leaving_out(tiny_pack, neighbours, fusion):
    without = encode_reference_videos(tiny_pack, [clip(0), clip(2)])
    expected = adapt_motion(tiny_pack, without, image=IMAGE, fusion=fusion).tokens
    received = adapt_motion(tiny_pack, replace(neighbours, weights=(1, 0, 1)), image=IMAGE, fusion=fusion).tokens
    torch.testing.assert_close(received, expected)
    all_alike = adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion=fusion).tokens
    assert fusion == "top-1" or not torch.allclose(all_alike, expected, atol=1e-4)


def test_weights_make_a_weighted_mean_and_choose_the_top(tiny_pack, neighbours):
    weighted = replace(neighbours, weights=(1.0, 3.0, 3.0))
    motion = neighbours.motion_tokens
    mean = adapt_motion(tiny_pack, weighted, image=IMAGE, fusion="mean").tokens
    torch.testing.assert_close(mean[0], (motion[0] + 3 * motion[1] + 3 * motion[2]) / 7)
    assert torch.equal(adapt_motion(tiny_pack, weighted, image=IMAGE, fusion="top-1").tokens[0], motion[1])


@torch.no_grad()
def test_the_context_transformer_puts_the_heaviest_next_to_the_target(tiny_pack, neighbours):
    motion = adapt_motion(tiny_pack, replace(neighbours, weights=(1.0, 1.0, 4.0)), image=IMAGE).tokens
    order = [2, 0, 1]
    expected = tiny_pack.context_transformer.adapt(
        neighbours.motion_tokens[None, order],
        neighbours.appearance_tokens[None, order],
        PackClipEncoder(tiny_pack).appearance_tokens([IMAGE]),
        weights=torch.tensor([1.0, 0.25, 0.25]),
    )
    torch.testing.assert_close(motion, expected)


def test_motion_knows_its_pack(tiny_pack, neighbours):
    assert adapt_motion(tiny_pack, neighbours, image=IMAGE).pack is tiny_pack


def test_unconditional_tokens_do_not_depend_on_neighbours_or_picture(tiny_pack, neighbours):
    first = adapt_motion(tiny_pack, neighbours, image=IMAGE)
    other = encode_reference_videos(tiny_pack, [clip(5)])
    second = adapt_motion(tiny_pack, other, image=255 - IMAGE, fusion="mean")
    assert torch.equal(first.unconditional, second.unconditional)
    assert not first.tokens.is_inference() and not first.unconditional.is_inference()


def test_neighbours_of_another_pack_are_refused(tiny_pack, neighbours):
    foreign = replace(neighbours, tokens_fingerprint="f" * 16)
    with pytest.raises(MotionMismatch, match=r"of pack test-pack, received f{16}: retrieve"):
        adapt_motion(tiny_pack, foreign, image=IMAGE)


def test_too_many_neighbours_are_refused(tiny_pack):
    many = encode_reference_videos(tiny_pack, [clip(0)] * 10)
    with pytest.raises(TooManyNeighbours, match="Expected at most 9 neighbours"):
        adapt_motion(tiny_pack, many, image=IMAGE)
    assert adapt_motion(tiny_pack, many, image=IMAGE, fusion="mean").tokens.shape == (1, 3, 32)


def test_impossible_inputs_are_refused(tiny_pack, neighbours):
    with pytest.raises(InvalidSetting, match=f"Expected a fusion of {', '.join(FUSIONS)}, received 'vote'"):
        adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion="vote")
    with pytest.raises(ShapeMismatch, match=r"Expected an image as uint8 RGB \[H, W, 3\], received float64"):
        adapt_motion(tiny_pack, neighbours, image=IMAGE / 255)
    with pytest.raises(ShapeMismatch, match=r"one shape \[1, L, D\], received \[2, 3, 4\]"):
        AdaptedMotion(torch.zeros(2, 3, 4), torch.zeros(2, 3, 4), "p", "mean")


def test_a_fusion_is_an_entry_of_the_table_and_nothing_more(tiny_pack, neighbours, monkeypatch):
    monkeypatch.setitem(FUSIONS, "last", lambda given: given.motion[:, -1])
    made = adapt_motion(tiny_pack, neighbours, image=IMAGE, fusion="last")
    assert made.fusion == "last" and torch.equal(made.tokens[0], neighbours.motion_tokens[-1].float())
