"""Attaching to a model: once per generation, restored always, refusals, training."""

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import nn

from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.injection import Entering, attach, require_fit
from motionrag_nodes.backbones.backbone import AttentionHost
from motionrag_nodes.errors import AdapterBypassed, AdapterMismatch


class TwoBlocks(nn.Module):
    """Two cross-attentions in a row, as small as a model with sites can be."""

    def __init__(self):
        super().__init__()
        self.first = Attention(8, cross_attention_dim=6, heads=2, dim_head=4)
        self.second = Attention(8, cross_attention_dim=6, heads=2, dim_head=4)

    def forward(self, hidden, context):
        hidden = hidden + self.first(hidden, encoder_hidden_states=context)
        return hidden + self.second(hidden, encoder_hidden_states=context)


def hosts(model):
    """Both attentions, as diffusers has them."""
    return {
        name: AttentionHost(8, 2, attention.to_out[0], name, attention, "encoder_hidden_states")
        for name, attention in model.named_children()
    }


@pytest.fixture
def model():
    torch.manual_seed(0)
    return TwoBlocks().requires_grad_(False)


@pytest.fixture
def adapter():
    torch.manual_seed(1)
    adapter = MotionAdapter(token_dim=6, site_dims={"first": 8, "second": 8})
    for parameter in adapter.parameters():
        nn.init.normal_(parameter, std=0.3)
    return adapter


def count_calls(module):
    calls = []
    module.register_forward_hook(lambda *_: calls.append(1))
    return calls


@torch.no_grad()
def test_keys_and_values_are_computed_once_per_generation(model, adapter):
    keys = [count_calls(adapter.site(site).to_k_ip[0]) for site in adapter.sites]
    values = [count_calls(adapter.site(site).to_v_ip[0]) for site in adapter.sites]
    queries = count_calls(adapter.site("first").to_q_ip[0])
    with attach(hosts(model)) as injection:
        injection.enter(Entering.of(adapter, torch.randn(2, 3, 6)))
        for _ in range(5):  # steps, of 2 clips with 4 frames each
            model(torch.randn(8, 7, 8), torch.randn(8, 2, 6))
        assert [len(c) for c in keys + values] == [1, 1, 1, 1]
        assert len(queries) == 5
        injection.enter(Entering.of(adapter, torch.randn(2, 3, 6)))
        model(torch.randn(8, 7, 8), torch.randn(8, 2, 6))
    assert [len(c) for c in keys + values] == [2, 2, 2, 2]


@torch.no_grad()
def test_a_site_of_scale_zero_is_skipped(model, adapter):
    queries = count_calls(adapter.site("first").to_q_ip[0])
    hidden, context = torch.randn(2, 7, 8), torch.randn(2, 2, 6)
    plain = model(hidden, context)
    with attach(hosts(model)) as injection:
        injection.enter(Entering.of(adapter, torch.randn(2, 3, 6), scale=0.0))
        assert torch.equal(model(hidden, context), plain)
    assert not queries


@torch.no_grad()
def test_the_formula_holds_for_one_and_for_many_context_tokens(model, adapter):
    hidden, tokens = torch.randn(4, 7, 8), torch.randn(2, 3, 6)
    site, attention = adapter.site("first"), model.first
    for count in (1, 5):
        context = torch.randn(4, count, 6)
        keys, values = site.project(tokens)
        scores = attention.head_to_batch_dim(attention.to_q(hidden)) @ attention.head_to_batch_dim(
            attention.to_k(context)
        ).transpose(1, 2)
        mixed = (scores / 2).softmax(-1) @ attention.head_to_batch_dim(attention.to_v(context))
        mixed = attention.batch_to_head_dim(mixed)
        expected = attention.to_out[0](mixed + 0.7 * site(mixed, keys, values, heads=2))
        with attach(hosts(model)) as injection:
            injection.enter(Entering.of(adapter, tokens, scale=0.7))
            torch.testing.assert_close(attention(hidden, encoder_hidden_states=context), expected)


def test_gradients_reach_the_adapter_and_the_tokens_but_not_the_base(model, adapter):
    tokens = torch.randn(2, 3, 6, requires_grad=True)
    with attach(hosts(model)) as injection:
        injection.enter(Entering.of(adapter, tokens))
        model(torch.randn(4, 7, 8), torch.randn(4, 1, 6)).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in adapter.parameters())
    assert tokens.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_model_is_restored_even_after_an_error(model, adapter):
    processors = [model.first.processor, model.second.processor]
    with pytest.raises(KeyError), attach(hosts(model)):
        raise KeyError
    assert [model.first.processor, model.second.processor] == processors
    hooked = [name for name, module in model.named_modules() if module._forward_pre_hooks]
    assert hooked == []


def test_a_model_without_the_sites_is_refused(model):
    for site_dims, message in (
        ({"third": 8}, "with 1 attention sites, received one with 2: no channels instead of 8 at third, an unknown"),
        ({"first": 4, "second": 8}, "8 channels instead of 4 at first. Load the video model"),
        ({"first": 8}, "an unknown site second"),
    ):
        with pytest.raises(AdapterMismatch, match=message):
            require_fit(hosts(model), MotionAdapter(token_dim=6, site_dims=site_dims))
    require_fit(hosts(model), MotionAdapter(token_dim=6, site_dims={"first": 8, "second": 8}))


@torch.no_grad()
def test_several_motions_add_up_in_any_order(model, adapter):
    hidden, context = torch.randn(4, 7, 8), torch.randn(4, 2, 6)
    one, two = Entering.of(adapter, torch.randn(2, 3, 6)), Entering.of(adapter, torch.randn(2, 3, 6), scale=0.4)
    results = []
    for motions in ((one, two), (two, one), (one,), (two,), ()):
        with attach({"first": hosts(model)["first"]}) as injection:
            injection.enter(*motions)
            results.append(model.first(hidden, encoder_hidden_states=context))
    assert torch.equal(results[0], results[1])
    torch.testing.assert_close(results[0], results[2] + results[3] - results[4])


@torch.no_grad()
def test_a_bypassed_site_is_an_error(model, adapter):
    class Bypass(AttnProcessor2_0):
        """Never calls to_out."""

        def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
            return hidden_states

    model.second.set_processor(Bypass())
    with attach(hosts(model)) as injection:
        model(torch.randn(2, 7, 8), torch.randn(2, 1, 6))
        with pytest.raises(AdapterBypassed, match=r"Expected 2 attention sites .* 1 were not \(second: 0 times"):
            injection.require_passes()
