"""What every backbone promises, checked with a tiny model of each.

A folder beside this file gives the model: `tiny.py` with save_pipeline, SETTINGS, UNGUIDED (what turns guidance off),
native, inputs, call and call_native.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import cpu_offload

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.attention.adapter import MotionAdapter
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.attention.injection import Entering, attach, require_fit
from motionrag_nodes.attention.native_injection import NativeInjection
from motionrag_nodes.backbones.backbone import Backbone, Branch, all_backbones, backbone_names, get_backbone
from motionrag_nodes.backbones.settings import facts_of
from motionrag_nodes.checkpoints.pack import build_modules, load_pack, write_pack
from motionrag_nodes.checkpoints.pack_config import AdapterConfig
from motionrag_nodes.errors import BackboneUnknown, GenerationInterrupted, PackInvalid
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import VideoModel, load_video_model

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
TOKENS, TOKEN_DIM = 3, 32
FRAMES = (2, 3)


@pytest.fixture(scope="module", params=backbone_names())
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return get_backbone(request.param)


@pytest.fixture(scope="module")
def tiny(backbone: Backbone) -> ModuleType:
    return importlib.import_module(f"tests.motionrag_nodes.backbones.{backbone.name}.tiny")


@pytest.fixture(scope="module")
def folder(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("pipeline") / "base"
    tiny.save_pipeline(path)
    return path


@pytest.fixture
def model(backbone, tiny, folder, tiny_pack_config, tiny_modules, tmp_path) -> VideoModel:
    """The pipeline as it is used: loaded with a pack that was written and read."""
    plain = load_video_model(folder)
    sites = {site: host.width for site, host in backbone.hosts(backbone.denoisers(plain.pipeline)[0]).items()}
    config = replace(
        tiny_pack_config,
        backbone=backbone.name,
        adapter=AdapterConfig(token_dim=TOKEN_DIM, sites=sites),
        generation=tiny.SETTINGS,
    )
    resampler, transformer, _ = tiny_modules
    adapter = build_modules(config)[2]
    for parameter in adapter.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    write_pack(
        tmp_path / "pack",
        config=config,
        motion_resampler_state=resampler.state_dict(),
        context_transformer_state=transformer.state_dict(),
        adapter_state=adapter.state_dict(),
        dtype=torch.float32,
    )
    return load_video_model(folder, pack=load_pack(tmp_path / "pack"))


@pytest.fixture
def motion(model: VideoModel) -> AdaptedMotion:
    tokens, unconditional = torch.randn(2, 1, TOKENS, TOKEN_DIM, generator=torch.Generator().manual_seed(1))
    return AdaptedMotion(tokens=tokens, unconditional=unconditional, fusion="mean", pack=model.pack)


def run(model: VideoModel, tiny: ModuleType, motion: AdaptedMotion | None, **options: Any) -> torch.Tensor:
    settings = replace(tiny.SETTINGS, **options.pop("changed", {}))
    return generate_video(model, image=IMAGE, motion=motion, settings=settings, **options).frames


def hooks_of(model: VideoModel) -> int:
    modules = [
        m for part in model.pipeline.components.values() if isinstance(part, torch.nn.Module) for m in part.modules()
    ]
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in modules)


def test_strength_0_and_no_motion_are_the_plain_model_bit_for_bit(model, tiny, motion, backbone, folder) -> None:
    expected = run(load_video_model(folder), tiny, None)
    assert expected.shape == (tiny.SETTINGS.frames, tiny.SETTINGS.height, tiny.SETTINGS.width, 3)
    assert 0 <= expected.min() and expected.max() <= 1
    assert torch.equal(run(model, tiny, None), expected)
    assert torch.equal(run(model, tiny, motion, strength=0.0), expected)
    assert torch.equal(run(model, tiny, motion, start=0.5, end=0.5), expected)
    moved = run(model, tiny, motion)
    assert not torch.allclose(moved, expected, atol=1e-4)
    assert torch.equal(run(model, tiny, motion), moved)
    assert torch.equal(run(model, tiny, None), expected)  # nothing stays behind
    assert hooks_of(model) == 0


def test_each_call_of_a_step_gets_its_branches_and_every_site_is_passed(model, tiny, motion, backbone) -> None:
    site, keys, queries = model.adapter.site(model.adapter.sites[-1]), [], []
    handles = [
        site.to_k_ip[0].register_forward_pre_hook(lambda _, args: keys.append(args[0])),
        site.to_q_ip[0].register_forward_pre_hook(lambda _, args: queries.append(len(args[0]))),
    ]
    tokens = {Branch.CONDITIONAL: motion.tokens, Branch.UNCONDITIONAL: motion.unconditional}
    for changed in ({}, tiny.UNGUIDED):
        keys.clear(), queries.clear()
        run(model, tiny, motion, changed=changed)
        calls = backbone.calls(replace(tiny.SETTINGS, **changed))
        # Projected once for each kind of call and each denoiser; asked once in each call.
        assert len(keys) % len(calls) == 0
        for given, branches in zip(keys, calls * (len(keys) // len(calls)), strict=True):
            assert torch.equal(given, torch.cat([tokens[branch] for branch in branches]))
        assert len(queries) == tiny.SETTINGS.steps * len(calls)
    assert {branch for call in backbone.calls(tiny.SETTINGS) for branch in call} == set(Branch)
    assert backbone.calls(replace(tiny.SETTINGS, **tiny.UNGUIDED)) == ((Branch.CONDITIONAL,),)
    for handle in handles:
        handle.remove()


def test_motion_enters_in_its_steps_and_every_step_is_told(model, tiny, motion) -> None:
    told: list[tuple[int, int]] = []
    entered: list[int] = []
    site = model.adapter.site(model.adapter.sites[0])
    handle = site.to_q_ip[0].register_forward_hook(lambda *_: entered.append(len(told)))
    run(model, tiny, motion, start=1 / 3, end=2 / 3, on_step=lambda done, total: told.append((done, total)))
    handle.remove()
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert set(entered) == {1}


def test_a_stop_within_a_step_leaves_nothing(model, tiny, motion) -> None:
    expected, told = run(model, tiny, motion), []
    asked = [0]

    def should_stop() -> bool:
        asked[0] += len(told) == 1
        return asked[0] == 2  # a block into the second step

    with pytest.raises(GenerationInterrupted, match="stopped as asked, in step 2 of 3"):
        run(model, tiny, motion, on_step=lambda done, _: told.append(done), should_stop=should_stop)
    assert told == [1]
    assert hooks_of(model) == 0
    assert torch.equal(run(model, tiny, motion), expected)


@torch.no_grad()
@pytest.mark.comfyui
@pytest.mark.parametrize("frames", FRAMES)
def test_comfyui_s_own_network_agrees(model, tiny, backbone, folder, comfy, motion, frames) -> None:
    for denoiser in backbone.denoisers(model.pipeline):
        network, given = tiny.native(folder, denoiser), tiny.inputs(frames)
        theirs, ours = backbone.hosts(denoiser), backbone.hosts(network)
        require_fit(ours, model.adapter)
        assert ours.keys() == theirs.keys()
        plain = tiny.call(denoiser, given)
        torch.testing.assert_close(tiny.call_native(network, given, {}), plain, atol=1e-4, rtol=0)
        applied = AppliedMotion(model.adapter, motion.tokens, motion.unconditional)
        moved = {}
        for order in ((Branch.UNCONDITIONAL, Branch.CONDITIONAL), (Branch.CONDITIONAL, Branch.UNCONDITIONAL)):
            with attach(theirs) as injection:
                injection.enter(applied.entering(order))
                moved[order] = tiny.call(denoiser, given)
                injection.require_passes()
            wrappers = {"diffusion_model": {"motionrag": [NativeInjection(backbone.hosts, (applied,))]}}
            options = {"wrappers": wrappers, "cond_or_uncond": [int(b is Branch.UNCONDITIONAL) for b in order]}
            native = tiny.call_native(network, given, options)
            torch.testing.assert_close(native, moved[order], atol=1e-4, rtol=0)
            assert (moved[order] - plain).abs().max() > 1e-2  # else nothing was compared
        first, second = moved.values()
        assert not torch.allclose(first, second, atol=1e-3)
        wrappers["diffusion_model"]["motionrag"] = [NativeInjection(backbone.hosts, (replace(applied, strength=0.0),))]
        assert torch.equal(tiny.call_native(network, given, options), tiny.call_native(network, given, {}))


@torch.no_grad()
def test_a_clip_of_a_batch_sees_its_own_tokens_alone(model, tiny, backbone) -> None:
    denoiser, given = backbone.denoisers(model.pipeline)[0], tiny.inputs(2)
    tokens = torch.randn(2, TOKENS, TOKEN_DIM)
    results = []
    for second in (tokens[1], tokens[1] + 1):
        with attach(backbone.hosts(denoiser)) as injection:
            injection.enter(Entering.of(model.adapter, torch.stack([tokens[0], second])))
            results.append(tiny.call(denoiser, given))
    assert torch.equal(results[0][0], results[1][0])
    assert not torch.allclose(results[0][1], results[1][1], atol=1e-3)


def test_a_pack_s_round_trip_keeps_settings_and_adapter(model, tiny, backbone) -> None:
    assert model.pack.config.generation == replace(tiny.SETTINGS, **_not_stored(tiny.SETTINGS))
    assert isinstance(model.pack.adapter, MotionAdapter) and model.pack.adapter.root == backbone.root
    assert all(key.startswith(f"{backbone.root}.") for key in model.pack.adapter.state_dict())


def test_weights_of_the_base_are_put_into_every_denoiser_and_come_back(
    model, tiny, motion, backbone, folder, tmp_path, tiny_modules
) -> None:
    shapes_of = backbone.published.base_weights_shapes if backbone.published else None
    if shapes_of is None:
        assert backbone.native_weights is None and model.pack.base_attention_state() == {}
        return
    draw, config = torch.Generator().manual_seed(5), model.pack.config
    shapes = shapes_of(config.adapter.sites)
    state = {key: torch.randn(*shape, generator=draw) for key, shape in shapes.items()}

    def pack_with(name: str, weights: dict[str, torch.Tensor]) -> Any:
        resampler, transformer, _ = tiny_modules
        write_pack(
            tmp_path / name,
            config=replace(config, files={}),
            motion_resampler_state=resampler.state_dict(),
            context_transformer_state=transformer.state_dict(),
            adapter_state=model.adapter.state_dict(),
            base_attention_state=weights,
            dtype=torch.float32,
        )
        return load_pack(tmp_path / name)

    pack = pack_with("whole", state)
    assert all(torch.equal(value, state[key]) for key, value in pack.base_attention_state().items())
    changed = load_video_model(folder, pack=pack)
    for denoiser in backbone.denoisers(changed.pipeline):
        own = dict(denoiser.named_parameters())
        assert all(torch.equal(own[key.removeprefix(f"{backbone.root}.")], value) for key, value in state.items())
    assert not torch.equal(run(changed, tiny, None), run(model, tiny, None))
    assert backbone.native_weights is not None and len(backbone.native_weights(state)) == len(state)
    lost = sorted(state)[0]
    broken = pack_with("broken", {key: value for key, value in state.items() if key != lost})
    with pytest.raises(PackInvalid, match=f"Expected {len(state)} weights of the base model.*the first is {lost}"):
        load_video_model(folder, pack=broken)


def test_the_codec_makes_do_with_any_memory(model, tiny, backbone) -> None:
    plenty, _ = backbone.fit_codec(model.pipeline, tiny.SETTINGS, 1 << 50)
    whole = run(model, tiny, None)
    scarce, needed = backbone.fit_codec(model.pipeline, tiny.SETTINGS, 0)
    assert type(plenty) is type(scarce) is backbone.settings and needed >= 0 and backbone.denoising_bytes > 0
    model.residence.free_bytes = lambda: 0  # type: ignore[method-assign]
    assert run(model, tiny, None).shape == whole.shape


def test_layers_that_come_one_by_one_compute_the_same(model, tiny, motion, folder) -> None:
    """accelerate's hooks as diffusers sets them for an accelerator, which is the CPU here."""
    expected = run(model, tiny, motion)
    pipeline, device = load_video_model(folder, dtype=torch.float32).pipeline, torch.device("cpu")
    for name, part in pipeline.components.items():
        if isinstance(part, torch.nn.Module) and name not in pipeline._exclude_from_cpu_offload:
            cpu_offload(part, device, offload_buffers=len(part._parameters) > 0)
    adapter = copy.deepcopy(model.adapter)
    cpu_offload(adapter, device)
    assert all(parameter.is_meta for parameter in adapter.parameters())
    offloaded = replace(model, pipeline=pipeline, adapter=adapter)
    assert torch.equal(run(offloaded, tiny, motion), expected)


def test_what_is_said_of_a_backbone_is_there(backbone) -> None:
    assert backbone.pipelines and backbone.parts and backbone.published_sizes and backbone.title
    if backbone.native_loader is not None:
        assert importlib.util.find_spec(backbone.native_loader) is not None
    if backbone.published is not None:
        assert isinstance(backbone.published.settings, backbone.settings) and not backbone.published.settings.problems()


def _not_stored(settings: Any) -> dict[str, Any]:
    kind = type(settings)
    own = {name: kind.__dataclass_fields__[name].default for name in facts_of(kind)}
    return {name: own[name] for name, facts in facts_of(kind).items() if not facts.stored}


def test_names_of_blocks_go_from_narrow_to_wide(model, backbone) -> None:
    for site in model.adapter.sites:
        names = backbone.blocks_of(site)
        assert names and all(narrow.startswith(wide) for narrow, wide in pairwise(names))


def test_the_registry() -> None:
    assert [backbone.number for backbone in all_backbones()] == list(range(1, len(backbone_names()) + 1))
    kinds = [name for backbone in all_backbones() for name in backbone.pipelines]
    assert len(kinds) == len(set(kinds))
    with pytest.raises(BackboneUnknown, match=r"Expected a backbone of .*svd.*, received 'vhs': choose one"):
        get_backbone("vhs")
