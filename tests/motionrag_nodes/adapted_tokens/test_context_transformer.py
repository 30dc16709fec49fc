"""The context transformer against the published module, its causality and its bounds."""

import pytest
import torch

from motionrag_nodes.adapted_tokens.context_transformer import (
    ContextTransformer,
    ContextTransformerConfig,
    causal_mask_by_clip,
    sinusoidal_positions,
    weighted_mask_by_clip,
)
from motionrag_nodes.errors import ShapeMismatch, TooManyNeighbours
from motionrag_nodes.motion_tokens.resampler import Resampler, ResamplerConfig

APPEARANCE = ResamplerConfig(embedding_dim=12, dim=16, depth=1, dim_head=4, heads=2, num_queries=3, output_dim=16)
CONFIG = ContextTransformerConfig(token_dim=16, layers=2, heads=2, ff_dim=32, tokens_per_clip=3, max_positions=15)


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    return ContextTransformer(CONFIG, APPEARANCE).eval()


@pytest.fixture
def published(golden):
    """(golden data, motion resampler, context transformer) with the published weights."""
    data = golden("context_transformer")
    sizes = data.config
    shared = {"dim": sizes["dim"], "depth": sizes["depth"], "dim_head": sizes["dim_head"], "heads": sizes["heads"]}
    shared |= {"num_queries": sizes["nq"], "output_dim": sizes["outd"]}
    resampler = Resampler(ResamplerConfig(embedding_dim=sizes["emb"], **shared)).eval()
    config = ContextTransformerConfig(
        token_dim=sizes["outd"],
        layers=sizes["layers"],
        heads=sizes["nhead"],
        ff_dim=sizes["ff"],
        tokens_per_clip=sizes["nq"],
    )
    transformer = ContextTransformer(config, ResamplerConfig(embedding_dim=sizes["cond"], **shared)).eval()
    resampler.load_state_dict(data.group("weights.vision_proj"), strict=True)
    weights = {k: v for k, v in data.group("weights").items() if not k.startswith("vision_proj.")}
    transformer.load_state_dict(weights, strict=True)
    return data, resampler, transformer


@torch.no_grad()
def test_equals_the_published_module(published):
    data, resampler, transformer = published
    inputs, outputs = data.group("inputs"), data.group("outputs")
    references = inputs["reference_motion_features"]
    motion = resampler(references.flatten(0, 1)).unflatten(0, references.shape[:2])
    appearance = transformer.appearance_tokens(inputs["reference_image_features"])
    target_appearance = transformer.appearance_tokens(inputs["target_image_features"])
    adapted = transformer.adapt(motion, appearance, target_appearance)
    torch.testing.assert_close(adapted, outputs["target_tokens"], atol=1e-5, rtol=0)

    sequence = torch.cat([appearance.flip(1), target_appearance[:, None]], dim=1)
    every = transformer(motion.flip(1), sequence)
    torch.testing.assert_close(every, outputs["all_positions"], atol=1e-5, rtol=0)
    truth = torch.cat([motion.flip(1), resampler(inputs["target_motion_features"])[:, None]], dim=1)
    loss = torch.nn.functional.mse_loss(every, truth)
    torch.testing.assert_close(loss, outputs["mse_all_positions"][0], atol=1e-5, rtol=0)
    # Handing over the target's own tokens as well changes nothing: they are never read.
    torch.testing.assert_close(transformer(truth, sequence), every)


@torch.no_grad()
def test_unconditional_tokens_are_those_of_a_zeros_clip(published):
    data, resampler, _ = published
    tokens = resampler(data.tensors["inputs.zero_video_motion_features"])
    expected = data.tensors["outputs.unconditional_tokens"]
    torch.testing.assert_close(tokens.expand_as(expected), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_later_clip_cannot_influence_an_earlier_one(transformer):
    motion, appearance = torch.randn(1, 3, 3, 16), torch.randn(1, 4, 3, 16)
    before = transformer(motion, appearance)
    later_motion, later_appearance = motion.clone(), appearance.clone()
    later_motion[:, 1] += 1  # is read from position 2 on, as the sequence is shifted
    later_appearance[:, 2] += 1
    after = transformer(later_motion, later_appearance)
    torch.testing.assert_close(after[:, :2], before[:, :2])
    assert not torch.allclose(after[:, 2:], before[:, 2:], atol=1e-3)


@torch.no_grad()
def test_batch_entries_do_not_meet_and_order_of_neighbours_counts(transformer):
    motion, appearance, target = torch.randn(2, 3, 3, 16), torch.randn(2, 3, 3, 16), torch.randn(2, 3, 16)
    both = transformer.adapt(motion, appearance, target)
    torch.testing.assert_close(transformer.adapt(motion[1:], appearance[1:], target[1:]), both[1:])
    flipped = transformer.adapt(motion.flip(1), appearance.flip(1), target)
    assert not torch.allclose(flipped, both, atol=1e-3)


@torch.no_grad()
def test_one_neighbour_is_enough(transformer):
    adapted = transformer.adapt(torch.randn(1, 1, 3, 16), torch.randn(1, 1, 3, 16), torch.randn(1, 3, 16))
    assert adapted.shape == (1, 3, 16)


@torch.no_grad()
def test_weights_of_one_are_the_published_computation(published):
    data, resampler, transformer = published
    inputs = data.group("inputs")
    references = inputs["reference_motion_features"]
    motion = resampler(references.flatten(0, 1)).unflatten(0, references.shape[:2])
    appearance = transformer.appearance_tokens(inputs["reference_image_features"])
    target = transformer.appearance_tokens(inputs["target_image_features"])
    ones = torch.ones(motion.shape[1])
    adapted = transformer.adapt(motion, appearance, target, weights=ones)
    torch.testing.assert_close(adapted, data.tensors["outputs.target_tokens"], atol=1e-5, rtol=0)
    other = transformer.adapt(motion, appearance, target, weights=torch.tensor([1.0] + [0.2] * (len(ones) - 1)))
    assert (other - adapted).abs().max() > 1e-3


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_weights_act_by_degrees_whatever_path_torch_takes(transformer, mode):
    motion, appearance, target = torch.randn(1, 2, 3, 16), torch.randn(1, 2, 3, 16), torch.randn(1, 3, 16)

    def adapted(weight):
        with mode():
            return transformer.adapt(motion, appearance, target, weights=torch.tensor([1.0, weight])).detach().clone()

    alike, half, tenth, hardly = (adapted(weight) for weight in (1.0, 0.5, 0.1, 1e-9))
    distances = [(alike - other).norm() for other in (half, tenth, hardly)]
    assert 0 < distances[0] < distances[1] < distances[2]
    assert (tenth - hardly).norm() > 1e-3  # a bias read as "may not look" would make them equal


def test_a_weight_of_two_is_two_copies_of_the_keys():
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 9, 4)
    mask = weighted_mask_by_clip(torch.tensor([2.0, 1.0]), 3)
    attend = torch.nn.functional.scaled_dot_product_attention
    weighted = attend(query, key, value, attn_mask=mask)
    # Group 1 of the three holds the first neighbour; the last group sees everything.
    doubled = [torch.cat([part, part[:, 3:6]], dim=1) for part in (key, value)]
    torch.testing.assert_close(weighted[:, 6:], attend(query[:, 6:], *doubled))


def test_weights_leave_the_mask_causal():
    mask = weighted_mask_by_clip(torch.tensor([0.5, 1.0]), 2)
    assert torch.equal(mask.isinf(), causal_mask_by_clip(3, 2))
    torch.testing.assert_close(mask[-1].exp(), torch.tensor([1.0, 1.0, 0.5, 0.5, 1.0, 1.0]))


def test_too_many_neighbours_are_refused(transformer):
    assert transformer.max_neighbours == 4
    with pytest.raises(TooManyNeighbours, match=r"Expected at most 4 neighbours, .* received 5: lower top_k"):
        transformer.adapt(torch.zeros(1, 5, 3, 16), torch.zeros(1, 5, 3, 16), torch.zeros(1, 3, 16))


@pytest.mark.parametrize("motion_shape", [(1, 2, 3, 15), (2, 2, 3, 16), (1, 4, 3, 16), (1, 2, 4, 16)])
def test_tokens_that_do_not_fit_are_refused(transformer, motion_shape):
    with pytest.raises(ShapeMismatch, match=r"Expected motion tokens \[B, K or K \+ 1, 3, 16\].*same pack"):
        transformer(torch.zeros(motion_shape), torch.zeros(1, 3, 3, 16))


def test_positions_alternate_sine_and_cosine():
    table = sinusoidal_positions(4, 6)
    angle = 3 / 10000 ** (2 / 6)
    expected = torch.tensor([3.0, 3.0, angle, angle])
    expected = torch.stack([expected[0].sin(), expected[1].cos(), expected[2].sin(), expected[3].cos()])
    torch.testing.assert_close(table[3, :4], expected)
    assert causal_mask_by_clip(2, 2).int().tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


@torch.no_grad()
@pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 0.5, 2.0])])
def test_adapting_the_target_alone_is_the_whole_computation(transformer, weights):
    motion, appearance = torch.randn(2, 3, 3, 16), torch.randn(2, 4, 3, 16)
    alone = transformer.adapt(motion, appearance[:, :3], appearance[:, 3], weights=weights)
    in_order = torch.cat([appearance[:, :3].flip(1), appearance[:, 3:]], dim=1)
    whole = transformer(motion.flip(1), in_order, weights=None if weights is None else weights.flip(0))
    assert torch.allclose(alone, whole[:, -1], atol=1e-5)
