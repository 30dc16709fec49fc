"""Motion in ComfyUI's own SVD against the diffusers path, one UNet call at a time; nothing else is touched."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from motionrag_nodes.attention.injection import Entering, attach
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.errors import AdapterBypassed, AdapterMismatch, BlockWeightsInvalid, MotionMismatch
from tests.motionrag_nodes.nodes.conftest import CONTEXT_DIM, TOKEN_DIM, BothLayouts, motion

pytestmark = pytest.mark.comfyui
CONDITIONAL, UNCONDITIONAL = 0, 1  # as ComfyUI counts them


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def apply(comfy):
    from motionrag_nodes.nodes.native_patch import apply_motion

    return apply_motion


@dataclass(frozen=True)
class Inputs:
    """Two clips, unconditional and conditional, of T frames: sample [2, T, 8, H, W], context [2, 1, D]."""

    sample: torch.Tensor
    context: torch.Tensor
    time_ids: torch.Tensor
    time: torch.Tensor

    @property
    def frames(self) -> int:
        return self.sample.shape[1]


def inputs(frames: int = 2, height: int = 8, width: int = 8) -> Inputs:
    generator = torch.Generator().manual_seed(frames)
    return Inputs(
        sample=torch.randn(2, frames, 8, height, width, generator=generator),
        context=torch.randn(2, 1, CONTEXT_DIM, generator=generator),
        time_ids=torch.tensor([[6.0, 127.0, 0.02]] * 2),
        time=torch.tensor(0.3),
    )


def theirs(both: BothLayouts, given: Inputs, moved: Any = None, *, scale: float = 1.0) -> torch.Tensor:
    """Diffusers' output [2, T, 4, H, W], unconditional first."""
    with attach(get_backbone("svd").hosts(both.theirs)) as injection:
        if moved is not None:
            tokens = torch.cat([moved.unconditional, moved.tokens])
            injection.enter(Entering.of(both.pack.adapter, tokens, scale=scale))
        return both.theirs(given.sample, given.time, given.context, given.time_ids, return_dict=False)[0]


def ours(model: Any, given: Inputs, branches: tuple[int, ...] = (UNCONDITIONAL, CONDITIONAL), **more: Any):
    """ComfyUI's output [2, T, 4, H, W], unconditional first, computed for `branches` in that order as one batch."""
    rows = [1 - branch for branch in branches]  # the inputs' first clip is the unconditional one
    options = {**model.model_options["transformer_options"], **more}
    options |= {"wrappers": model.wrappers, "cond_or_uncond": list(branches)}
    embedding = model.model.embedder(given.time_ids[rows].flatten()).reshape(len(rows), -1)
    output = model.model.diffusion_model(
        given.sample[rows].flatten(0, 1),
        given.time.expand(len(rows) * given.frames),
        context=given.context[rows].repeat_interleave(given.frames, 0),
        y=embedding.repeat_interleave(given.frames, 0),
        num_video_frames=given.frames,
        transformer_options=options,
    ).unflatten(0, (len(rows), -1))
    return output[[rows.index(row) for row in sorted(rows)]]


@pytest.mark.parametrize(
    ("layout", "frames", "height", "width"),
    [
        ("published", 2, 8, 16),
        ("published", 4, 16, 16),  # 4 frames of 2 x 2 positions at the middle block
        ("tiny", 3, 8, 4),
        ("tiny", 16, 4, 4),  # 16 frames of 4 x 4 positions at the first level
    ],
)
def test_the_output_equals_the_diffusers_path(apply, unets, layout, frames, height, width) -> None:
    both, given, moved = unets[layout], inputs(frames, height, width), motion()
    plain, expected = theirs(both, given), theirs(both, given, moved)
    torch.testing.assert_close(ours(both.model, given), plain, atol=1e-4, rtol=0)
    torch.testing.assert_close(ours(apply(both.model, both.pack, moved), given), expected, atol=1e-4, rtol=0)
    assert (expected - plain).abs().max() > 0.05  # else nothing was compared


def test_branches_in_either_order_and_one_by_one(apply, published) -> None:
    given, patched = inputs(), apply(published.model, published.pack, motion())
    both = ours(patched, given, (UNCONDITIONAL, CONDITIONAL))
    torch.testing.assert_close(ours(patched, given, (CONDITIONAL, UNCONDITIONAL)), both, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours(patched, given, (UNCONDITIONAL,))[0], both[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(ours(patched, given, (CONDITIONAL,))[0], both[1], atol=1e-5, rtol=0)


def test_the_same_tokens_for_the_unconditional_branch(apply, tiny) -> None:
    given, moved = inputs(), motion()
    same = ours(apply(tiny.model, tiny.pack, moved, same_unconditional=True), given)
    zero = ours(apply(tiny.model, tiny.pack, moved), given)
    assert torch.equal(same[1], zero[1])
    assert not torch.allclose(same[0], zero[0], atol=1e-2)


def test_strength_scales_and_zero_is_bit_identical(apply, tiny) -> None:
    given, moved = inputs(), motion()
    half = ours(apply(tiny.model, tiny.pack, moved, strength=0.5), given)
    torch.testing.assert_close(half, theirs(tiny, given, moved, scale=0.5), atol=1e-4, rtol=0)
    assert torch.equal(ours(apply(tiny.model, tiny.pack, moved, strength=0.0), given), ours(tiny.model, given))


def test_several_motions_add_up_in_any_order(apply, tiny) -> None:
    given, first, second = inputs(), motion(1), motion(2)

    def chained(*parts: Any):
        model = tiny.model
        for moved, strength in parts:
            model = apply(model, tiny.pack, moved, strength=strength)
        return ours(model, given)

    whole = chained((first, 1.0))
    torch.testing.assert_close(chained((first, 0.5), (first, 0.5)), whole, atol=1e-5, rtol=0)
    both = chained((first, 0.7), (second, 0.4))
    assert torch.equal(both, chained((second, 0.4), (first, 0.7)))
    assert not torch.allclose(both, chained((first, 0.7)), atol=1e-2)


def test_block_weights_choose_the_sites(apply, tiny) -> None:
    given, moved = inputs(), motion()
    without_up = copy.deepcopy(tiny.pack.adapter)
    for site in without_up.sites:
        if site.startswith("up_blocks"):
            without_up.site(site).to_v_ip[0].weight.zero_()
    changed = ours(apply(tiny.model, type(tiny.pack)(tiny.pack.name, without_up), moved), given)
    weighted = ours(apply(tiny.model, tiny.pack, moved, block_weights="up=0"), given)
    assert torch.equal(weighted, changed)
    nothing = apply(tiny.model, tiny.pack, moved, block_weights="down=0, mid=0, up=0")
    assert torch.equal(ours(nothing, given), ours(tiny.model, given))


def test_another_node_s_replaced_attention_keeps_its_place(apply, comfy, published) -> None:
    from comfy.ldm.modules.attention import optimized_attention

    given, moved, calls = inputs(), motion(), []

    def replaced(q, k, v, extra_options):
        calls.append(extra_options["block"])
        assert extra_options["attn_precision"] == torch.float32
        return 0.5 * optimized_attention(q, k, v, extra_options["n_heads"])

    def replace(model):
        model = model.clone()
        model.set_model_attn2_replace(replaced, "middle", 0)
        return model

    # Whichever node comes first, theirs computes h and the motion is added to it: spatial and temporal calls of theirs.
    before = ours(apply(replace(published.model), published.pack, moved), given)
    after = ours(replace(apply(published.model, published.pack, moved)), given)
    assert calls == [("middle", 0)] * 4
    assert torch.equal(before, after)
    assert not torch.allclose(before, ours(apply(published.model, published.pack, moved), given), atol=1e-3)
    assert not torch.allclose(before, ours(replace(published.model), given), atol=1e-2)


def test_another_node_s_patched_attention_is_asked_at_every_position(apply, tiny) -> None:
    given, moved = inputs(), motion()

    def two_keys(n, context, value, extra_options):
        more = torch.cat([context, n[:, :1, : context.shape[-1]]], dim=1) if context.shape[1] == 1 else context
        return n, more, more

    patched = apply(tiny.model, tiny.pack, moved)
    patched.set_model_attn2_patch(two_keys)
    expected = theirs_with_two_keys(tiny, given, moved)
    torch.testing.assert_close(ours(patched, given), expected, atol=1e-4, rtol=0)


def theirs_with_two_keys(both: BothLayouts, given: Inputs, moved: Any) -> torch.Tensor:
    """The same change of every cross-attention's context in diffusers' UNet."""

    def two_keys(_module, args, kwargs):
        context = kwargs["encoder_hidden_states"]
        if context is None or context.shape[1] != 1:
            return None
        return args, {**kwargs, "encoder_hidden_states": torch.cat([context, args[0][:, :1, : context.shape[-1]]], 1)}

    attentions = [m for name, m in both.theirs.named_modules() if name.endswith("attn2")]
    handles = [attention.register_forward_pre_hook(two_keys, with_kwargs=True) for attention in attentions]
    try:
        return theirs(both, given, moved)
    finally:
        for handle in handles:
            handle.remove()


def test_base_attention_keeps_its_precision(apply, comfy, published, monkeypatch) -> None:
    from comfy.ldm.modules import attention

    seen, original = [], attention.optimized_attention

    def watched(*args, **kwargs):
        seen.append(kwargs.get("attn_precision"))
        return original(*args, **kwargs)

    monkeypatch.setattr(attention, "optimized_attention", watched)
    ours(apply(published.model, published.pack, motion()), inputs())
    assert set(seen) == {torch.float32}
    assert len(seen) == 64  # attn1 and attn2, spatial and temporal, of 16 transformers


def test_a_clone_shares_the_weights(apply, tiny) -> None:
    given, patched = inputs(), apply(tiny.model, tiny.pack, motion())
    cloned = patched.clone().clone()
    (adapter,), (shared,) = patched.get_nested_additional_models(), cloned.get_nested_additional_models()
    assert adapter.model is shared.model
    assert adapter.model is not tiny.pack.adapter  # which stays where the pack's other users expect it
    assert cloned.wrappers["diffusion_model"]["motionrag"] == patched.wrappers["diffusion_model"]["motionrag"]
    assert torch.equal(ours(cloned, given), ours(patched, given))
    twice = apply(patched, tiny.pack, motion(2))
    assert [other.model for other in twice.get_nested_additional_models()] == [adapter.model]
    assert not tiny.model.get_nested_additional_models()


def test_state_dict_keys_stay_and_nothing_is_left_on_the_model(apply, tiny) -> None:
    given, network = inputs(), tiny.model.model.diffusion_model
    keys, plain = list(tiny.model.model_state_dict()), ours(tiny.model, given)
    patched = apply(tiny.model, tiny.pack, motion())
    ours(patched, given)
    assert list(patched.model_state_dict()) == keys
    assert not patched.object_patches and not patched.model_options["transformer_options"]
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert torch.equal(ours(tiny.model, given), plain)


def test_a_bypassed_site_is_an_error_and_leaves_nothing(apply, tiny) -> None:
    given = inputs()
    # Active only from the middle on, and told in the first step all the same.
    patched = apply(tiny.model, tiny.pack, motion(), start=0.5)
    block = tiny.model.model.diffusion_model.output_blocks[1][1].transformer_blocks[0]
    block.attn2.forward = lambda x, context=None, **_: x
    steps = {"sample_sigmas": torch.tensor([80.0, 1.0, 0.0]), "sigmas": torch.tensor([80.0])}
    try:
        with pytest.raises(
            AdapterBypassed, match=r"Expected 7 attention sites .* 1 were not \(output_blocks\.1\.1\..*: 0 times"
        ):
            ours(patched, given, **steps)
    finally:
        del block.attn2.forward
    assert not any(module._forward_pre_hooks for module in tiny.model.model.modules())
    ours(patched, given, **steps)


def test_a_replaced_forward_that_keeps_the_output_projection_gets_motion(apply, tiny) -> None:
    given, patched = inputs(), apply(tiny.model, tiny.pack, motion())
    expected = ours(patched, given)
    path = "diffusion_model.output_blocks.1.1.transformer_blocks.0.attn2.forward"
    original = patched.get_model_object(path)
    patched.add_object_patch(path, lambda *args, **kwargs: original(*args, **kwargs))
    patched.patch_model()
    try:
        # The patch may have made h differ from place to place, so every position is asked.
        torch.testing.assert_close(ours(patched, given), expected, atol=1e-5, rtol=0)
    finally:
        patched.unpatch_model()


def test_other_models_are_refused(apply, comfy, tiny, published) -> None:
    with pytest.raises(AdapterMismatch, match=r"with 7 attention sites, received one with 16: .* channels instead of"):
        apply(published.model, tiny.pack, motion())
    with pytest.raises(
        AdapterMismatch, match=r"with 16 attention sites, received one with 7: .*no channels instead of"
    ):
        apply(tiny.model, published.pack, motion())
    fewer = {site: width for site, width in tiny.pack.adapter.site_dims.items() if not site.startswith("mid")}
    adapter = type(tiny.pack.adapter)(token_dim=TOKEN_DIM, site_dims=fewer)
    with pytest.raises(AdapterMismatch, match=r"6 attention sites, received one with 7: an unknown site mid_block\."):
        apply(tiny.model, type(tiny.pack)(tiny.pack.name, adapter), motion())
    still = tiny.model.clone()
    still.object_patches["diffusion_model"] = torch.nn.Linear(2, 2)
    with pytest.raises(AdapterMismatch, match="Expected a Stable Video Diffusion model, received Linear"):
        apply(still, tiny.pack, motion())


def test_an_image_model_is_refused(apply, comfy, tiny) -> None:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    image_unet = UNetModel(
        image_size=8, in_channels=4, model_channels=32, out_channels=4, num_res_blocks=[1, 1], channel_mult=(1, 2),
        num_head_channels=16, use_spatial_transformer=True, transformer_depth=[1, 1], transformer_depth_middle=1,
        transformer_depth_output=[1] * 4, context_dim=CONTEXT_DIM, use_linear_in_transformer=True,
    )  # fmt: skip
    image_model = tiny.model.clone()
    image_model.object_patches["diffusion_model"] = image_unet
    with pytest.raises(AdapterMismatch, match="received UNetModel without cross-attentions beside layers over time"):
        apply(image_model, tiny.pack, motion())


def test_settings_that_cannot_be_are_refused(apply, tiny) -> None:
    with pytest.raises(MotionMismatch, match=r"with pack test-pack \(test-pack\), received motion of pack other"):
        apply(tiny.model, tiny.pack, motion(pack_name="other"))
    with pytest.raises(BlockWeightsInvalid, match="there is no block 'left'"):
        apply(tiny.model, tiny.pack, motion(), block_weights="left=1")
