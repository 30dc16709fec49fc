"""Whole samplings by ComfyUI's KSampler with motion against diffusers' scheduler; steps, samplers and memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from motionrag_nodes.attention.injection import Entering, attach
from motionrag_nodes.attention.steps import motion_steps
from motionrag_nodes.backbones.backbone import get_backbone
from motionrag_nodes.errors import CompiledModel, SamplerUnsupported
from tests.motionrag_nodes.nodes.conftest import CONTEXT_DIM, SIGMA_MAX, SIGMA_MIN, BothLayouts, motion

pytestmark = pytest.mark.comfyui
FRAMES, SIZE, STEPS, GUIDANCE = 3, 4, 4, 2.0
SETTINGS = {"motion_bucket_id": 127, "fps": 7, "augmentation_level": 0.02}


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture
def apply(comfy):
    from motionrag_nodes.nodes.native_patch import apply_motion

    return apply_motion


@pytest.fixture
def start() -> dict[str, torch.Tensor]:
    """Noise [T, 4, h, w], the picture's latents and embedding."""
    generator = torch.Generator().manual_seed(5)
    draw = lambda *shape: torch.randn(shape, generator=generator)  # noqa: E731
    return {"noise": draw(FRAMES, 4, SIZE, SIZE), "picture": draw(1, 4, SIZE, SIZE), "context": draw(1, 1, CONTEXT_DIM)}


def ours(comfy: Any, model: Any, start: dict[str, torch.Tensor], sampler: str = "euler", **more: Any) -> torch.Tensor:
    """Latents [T, 4, h, w] as KSampler hands them on, after the codec's scale (0.5) was taken out."""
    positive = [[start["context"], {**SETTINGS, "concat_latent_image": start["picture"]}]]
    negative = [
        [torch.zeros_like(start["context"]), {**SETTINGS, "concat_latent_image": torch.zeros_like(start["picture"])}]
    ]
    latents = start.get("latents", torch.zeros_like(start["noise"]))
    arguments = (model, start["noise"], STEPS, GUIDANCE, sampler, "karras", positive, negative, latents)
    return comfy.sample.sample(*arguments, disable_pbar=True, **more)


def guided(
    comfy: Any,
    model: Any,
    start: dict[str, torch.Tensor],
    sigmas: torch.Tensor | None = None,
    *,
    middle: str | None = None,
    cfgs: tuple[float, float] = (1.0, 1.0),
    nested: bool = False,
) -> torch.Tensor:
    """The same by CFGGuider, or with a second condition by DualCFGGuider."""
    from comfy_extras.nodes_custom_sampler import Guider_DualCFG

    given = {
        "positive": [[start["context"], {**SETTINGS, "concat_latent_image": start["picture"]}]],
        "negative": [
            [
                torch.zeros_like(start["context"]),
                {**SETTINGS, "concat_latent_image": torch.zeros_like(start["picture"])},
            ]
        ],
    }
    if middle is None:
        guider = comfy.samplers.CFGGuider(model)
        guider.set_conds(given["positive"], given["negative"])
        guider.set_cfg(GUIDANCE)
    else:
        guider = Guider_DualCFG(model)
        guider.set_conds(given["positive"], given[middle], given["negative"])
        guider.set_cfg(*cfgs, nested=nested)
    if sigmas is None:
        sigmas = comfy.samplers.calculate_sigmas(model.get_model_object("model_sampling"), "karras", STEPS)
    sampler = comfy.samplers.sampler_object("euler")
    return guider.sample(start["noise"], torch.zeros_like(start["noise"]), sampler, sigmas, disable_pbar=True)


def theirs(both: BothLayouts, start: dict[str, torch.Tensor], moved: Any, begin: float, end: float) -> torch.Tensor:
    """The loop of StableVideoDiffusionPipeline."""
    from diffusers import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type="v_prediction",
        sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX, steps_offset=1, timestep_spacing="leading",
        timestep_type="continuous", use_karras_sigmas=True,
    )  # fmt: skip
    scheduler.set_timesteps(STEPS)
    latents = start["noise"][None] * scheduler.init_noise_sigma
    pictures = torch.stack([torch.zeros_like(start["picture"]), start["picture"]]).expand(-1, FRAMES, -1, -1, -1)
    context = torch.cat([torch.zeros_like(start["context"]), start["context"]])
    time_ids = torch.tensor([[SETTINGS["fps"] - 1.0, 127.0, 0.02]] * 2)
    with attach(get_backbone("svd").hosts(both.theirs)) as injection:
        for step, time in enumerate(scheduler.timesteps):
            injection.enter()
            if step in motion_steps(begin, end, total=STEPS):
                tokens = torch.cat([moved.unconditional, moved.tokens])
                injection.enter(Entering.of(both.pack.adapter, tokens))
            scaled = scheduler.scale_model_input(torch.cat([latents] * 2), time)
            noise = both.theirs(torch.cat([scaled, pictures], dim=2), time, context, time_ids, return_dict=False)[0]
            without, given = noise.chunk(2)
            latents = scheduler.step(without + GUIDANCE * (given - without), time, latents).prev_sample
    return latents[0] / 0.5


@pytest.mark.parametrize(("begin", "end"), [(0.0, 1.0), (0.25, 0.75), (0.5, 1.0)])
def test_a_sampling_equals_diffusers_in_the_same_steps(comfy, apply, tiny, start, begin, end) -> None:
    moved = motion()
    expected = theirs(tiny, start, moved, begin, end)
    patched = apply(tiny.model, tiny.pack, moved, start=begin, end=end)
    torch.testing.assert_close(ours(comfy, patched, start), expected, atol=1e-3, rtol=0)
    later = theirs(tiny, start, moved, begin + 0.25, end)
    assert (later - expected).abs().max() > 0.01  # a step more or less is told apart


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_2", "dpmpp_2m", "uni_pc"])
def test_motion_enters_in_the_true_steps_of_any_sampler(comfy, apply, tiny, start, sampler) -> None:
    """However often a sampler asks: with motion between the noise that step 1 and step 2 of 4 start with."""
    patched = apply(tiny.model, tiny.pack, motion(), start=0.25, end=0.5)
    adapter, entered, asked = patched.get_nested_additional_models()[0].model, [], []

    def watch(executor: Any, *args: Any, **kwargs: Any) -> Any:
        entered.clear()
        output, options = executor(*args, **kwargs), args[5]
        asked.append((float(options["sigmas"][0]), bool(entered), options["sample_sigmas"].tolist()))
        return output

    patched.add_wrapper("diffusion_model", watch)
    handle = adapter.site(adapter.sites[0]).to_q_ip[0].register_forward_hook(lambda *_: entered.append(1))
    try:
        ours(comfy, patched, start, sampler)
    finally:
        handle.remove()
    steps = asked[0][2]
    expected = [(sigma, steps[2] * 1.001 < sigma <= steps[1] * 1.001) for sigma, *_ in asked]
    assert [(sigma, with_motion) for sigma, with_motion, _ in asked] == expected
    assert 1 <= sum(with_motion for _, with_motion in expected) < len(asked)


@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.5), (0.5, 1.0), (0.25, 0.75)])
def test_a_split_sampling_is_the_whole_one(comfy, apply, tiny, start, begin, end) -> None:
    """KSampler (Advanced) takes some of the steps: start and end are fractions of the whole schedule."""
    patched = apply(tiny.model, tiny.pack, motion(), start=begin, end=end)
    whole = ours(comfy, patched, start)
    first = ours(comfy, patched, start, start_step=0, last_step=2, force_full_denoise=False)
    rest = ours(
        comfy,
        patched,
        start | {"latents": first, "noise": torch.zeros_like(first)},
        start_step=2,
        last_step=4,
        disable_noise=True,
    )
    torch.testing.assert_close(rest, whole, atol=1e-4, rtol=0)


def test_a_split_by_sigmas_is_the_whole_one(comfy, apply, tiny, start) -> None:
    patched = apply(tiny.model, tiny.pack, motion(), start=0.5)
    sigmas = comfy.samplers.calculate_sigmas(patched.get_model_object("model_sampling"), "karras", STEPS)
    calls, adapter = [], patched.get_nested_additional_models()[0].model
    handle = adapter.site(adapter.sites[0]).to_q_ip[0].register_forward_hook(lambda *_: calls.append(1))
    counts = []
    try:
        for part in (sigmas, sigmas[:3], sigmas[2:]):
            calls.clear()
            guided(comfy, patched, start, part)
            counts.append(len(calls))
    finally:
        handle.remove()
    assert counts == [2, 0, 2]


def test_two_conditions_and_a_negative_one_get_their_own_tokens(comfy, apply, tiny, start) -> None:
    """DualCFGGuider gives its negative first: with one condition twice it computes what CFGGuider does."""
    patched = apply(tiny.model, tiny.pack, motion())
    expected = guided(comfy, patched, start)
    assert (
        guided(comfy, apply(tiny.model, tiny.pack, motion(), same_unconditional=True), start) - expected
    ).abs().max() > 0.01
    for same_as_first in (True, False):
        for style in ("regular", "nested"):
            second = "positive" if same_as_first else "negative"
            # regular: negative + cfg2 (second - negative) + cfg1 (first - second); nested: cfg1 inside cfg2
            cfgs = (1.0, GUIDANCE) if same_as_first else (GUIDANCE, 1.0)
            made = guided(comfy, patched, start, middle=second, cfgs=cfgs, nested=style == "nested")
            torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("cache", ["EasyCacheNode", "LazyCacheNode"])
def test_a_cache_of_steps_works_on_either_side(comfy, apply, tiny, start, cache) -> None:
    nodes = pytest.importorskip("comfy_extras.nodes_easycache")

    def cached(model: Any) -> Any:
        return getattr(nodes, cache).execute(model, 100.0, 0.0, 1.0, False).result[0]

    before = ours(comfy, apply(cached(tiny.model), tiny.pack, motion()), start)
    after = ours(comfy, cached(apply(tiny.model, tiny.pack, motion())), start)
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)
    assert not torch.allclose(after, ours(comfy, apply(tiny.model, tiny.pack, motion()), start), atol=1e-3)  # it cached
    assert not torch.allclose(after, ours(comfy, cached(tiny.model), start), atol=1e-3)


def test_a_compiled_model_is_refused_by_name_before_it_is_compiled(comfy, apply, tiny, start) -> None:
    compiling = pytest.importorskip("comfy_api.torch_helpers")
    for order in ("before", "after"):
        model = tiny.model.clone() if order == "before" else apply(tiny.model, tiny.pack, motion())
        compiling.set_torch_compile_wrapper(model=model, backend="inductor")
        model = apply(model, tiny.pack, motion()) if order == "before" else model
        with pytest.raises(CompiledModel, match=r"passed through TorchCompileModel.*Take that node out"):
            ours(comfy, model, start)


def test_merging_says_that_motion_is_dropped(comfy, apply, tiny, start, caplog) -> None:
    patched = apply(tiny.model, tiny.pack, motion())
    for model in (patched, patched.clone()):
        caplog.clear()
        assert model.get_key_patches("diffusion_model.").keys() == tiny.model.get_key_patches("diffusion_model.").keys()
        assert "motion is no weight, so it is dropped" in caplog.text
    caplog.clear()
    patched.get_key_patches()  # ComfyUI's own reading
    tiny.model.get_key_patches("diffusion_model.")
    assert not caplog.text


def test_start_and_end_need_a_sampler_that_tells_its_steps(comfy, apply, tiny, start) -> None:
    patched = apply(tiny.model, tiny.pack, motion(), start=0.5)
    network, sample = tiny.model.model.diffusion_model, torch.zeros(FRAMES, 8, SIZE, SIZE)
    call = {"context": torch.zeros(FRAMES, 1, CONTEXT_DIM), "y": torch.zeros(FRAMES, 24), "num_video_frames": FRAMES}
    for options, message in (({"cond_or_uncond": [0]}, "tells its steps"), ({}, "tells which half of guidance")):
        with pytest.raises(SamplerUnsupported, match=message):
            network(sample, torch.zeros(FRAMES), **call, transformer_options={"wrappers": patched.wrappers, **options})


def test_comfyui_loads_the_adapter_for_a_sampling(comfy, apply, tiny, start) -> None:
    patched = apply(apply(tiny.model, tiny.pack, motion(1)), tiny.pack, motion(2))
    (adapter,) = patched.get_nested_additional_models()
    comfy.model_management.unload_all_models()
    ours(comfy, patched, start)
    loaded = [model.model for model in comfy.model_management.current_loaded_models]
    assert any(adapter.is_clone(other) for other in loaded)
    assert adapter.model_size() == sum(p.nbytes for p in tiny.pack.adapter.parameters())
    comfy.model_management.unload_all_models()
    ours(comfy, tiny.model, start)
    loaded = [model.model for model in comfy.model_management.current_loaded_models]
    assert not any(adapter.is_clone(other) for other in loaded)


def test_a_lora_finds_its_names_and_adds_to_motion(comfy, apply, tiny, start) -> None:
    patched = apply(tiny.model, tiny.pack, motion())
    key = "diffusion_model.middle_block.1.transformer_blocks.0.attn2.to_v.weight"
    change = torch.randn(tiny.model.model_state_dict()[key].shape) * 0.3
    assert patched.add_patches({key: ("diff", (change,))}) == [key]
    assert not torch.allclose(ours(comfy, patched, start), ours(comfy, apply(tiny.model, tiny.pack, motion()), start))


def test_the_range_of_noise_is_the_model_s_own(comfy, tiny) -> None:
    sampling = tiny.model.get_model_object("model_sampling")
    written = json.loads((tiny.folder / "scheduler" / "scheduler_config.json").read_text())
    assert float(sampling.sigma_max) == pytest.approx(written["sigma_max"])
    assert float(sampling.sigma_min) == pytest.approx(written["sigma_min"])
