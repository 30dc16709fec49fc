"""Generation on a tiny real pipeline: plain and injected, guided and not, step by step, stopped in the middle."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.backbones.svd.settings import SVDSettings
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import (
    AdapterBypassed,
    GenerationFailed,
    GenerationInterrupted,
    GenerationSettingInvalid,
    MotionMismatch,
    ShapeMismatch,
    UnsupportedProcessor,
)
from motionrag_nodes.frames.generate import fit_picture, generate_video
from motionrag_nodes.frames.video_model import load_video_model

SETTINGS = SVDSettings(
    width=64, height=64, frames=3, fps=4, steps=4, min_guidance=1.0, max_guidance=2.0, decode_chunk_size=2, seed=7
)
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


@pytest.fixture
def model(tiny_pipeline_folder, write_tiny_pack, tmp_path):
    return load_video_model(tiny_pipeline_folder, pack=load_pack(write_tiny_pack(tmp_path / "pack")))


@pytest.fixture
def motion(model):
    generator = torch.Generator().manual_seed(1)
    tokens, unconditional = torch.randn(2, 1, 3, 32, generator=generator)
    return AdaptedMotion(tokens, unconditional, fusion="mean", pack=model.pack)


def run(model, motion, settings=SETTINGS, **options):
    return generate_video(model, image=IMAGE, motion=motion, settings=settings, **options).frames


def plain(model, settings=SETTINGS):
    made = model.pipeline(
        Image.fromarray(IMAGE),
        height=64,
        width=64,
        num_frames=settings.frames,
        num_inference_steps=settings.steps,
        min_guidance_scale=settings.min_guidance,
        max_guidance_scale=settings.max_guidance,
        fps=settings.fps,
        decode_chunk_size=settings.decode_chunk_size,
        generator=torch.Generator().manual_seed(settings.seed),
        output_type="pt",
    )
    return made.frames[0].permute(0, 2, 3, 1)


def hooks_of(model):
    modules = [*model.pipeline.unet.modules(), *model.pipeline.vae.modules(), *model.pipeline.image_encoder.modules()]
    return sum(len(module._forward_pre_hooks) + len(module._forward_hooks) for module in modules)


def test_without_motion_or_strength_it_is_the_plain_pipeline_bit_for_bit(model, motion):
    expected = plain(model)
    assert torch.equal(run(model, None), expected)
    assert torch.equal(run(model, motion, strength=0.0), expected)
    assert torch.equal(run(model, motion, start=0.5, end=0.5), expected)
    made = generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS)
    assert made.frames.shape == (3, 64, 64, 3) and made.frames.dtype == torch.float32
    assert 0 <= made.frames.min() and made.frames.max() <= 1
    assert made.fps == 4 and set(made.seconds) == {"prepare", "denoise", "decode", "total"}
    assert not torch.allclose(made.frames, expected, atol=1e-3)
    assert torch.equal(plain(model), expected)  # nothing stays behind
    assert hooks_of(model) == 0


def test_the_same_seed_gives_the_same_video_and_strength_counts(model, motion):
    once = run(model, motion)
    assert torch.equal(run(model, motion), once)
    assert not torch.equal(run(model, motion, replace(SETTINGS, seed=8)), once)
    assert not torch.equal(run(model, motion, strength=0.5), once)


def test_keys_and_values_are_computed_once_per_generation(model, motion):
    calls = {"key": 0, "query": 0, "unet": 0}

    def count(name):
        def add(*_):
            calls[name] += 1

        return add

    site = model.adapter.site("mid_block.attentions.0.transformer_blocks.0.attn2")
    handles = [
        site.to_k_ip[0].register_forward_hook(count("key")),
        site.to_q_ip[0].register_forward_hook(count("query")),
        model.pipeline.unet.register_forward_hook(count("unet")),
    ]
    run(model, motion)
    assert calls == {"key": 1, "query": 4, "unet": 4}
    for handle in handles:
        handle.remove()


@pytest.mark.parametrize(("start", "end", "active"), [(0.0, 0.5, [0, 1]), (0.5, 1.0, [2, 3]), (0.25, 0.75, [1, 2])])
def test_motion_is_injected_at_the_chosen_steps_only(model, motion, start, end, active):
    steps, seen = [0], []
    handles = [
        model.pipeline.unet.register_forward_hook(lambda *_: steps.append(len(steps))),
        model.adapter.site("mid_block.attentions.0.transformer_blocks.0.attn2")
        .to_q_ip[0]
        .register_forward_hook(lambda *_: seen.append(steps[-1])),
    ]
    run(model, motion, start=start, end=end)
    for handle in handles:
        handle.remove()
    assert seen == active


def test_the_unconditional_branch_gets_the_unconditional_tokens(model, motion):
    inputs = []
    key = model.adapter.site("mid_block.attentions.0.transformer_blocks.0.attn2").to_k_ip[0]
    handle = key.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    run(model, motion)
    run(model, motion, replace(SETTINGS, max_guidance=1.0))
    handle.remove()
    assert torch.equal(inputs[0], torch.cat([motion.unconditional, motion.tokens]))
    assert torch.equal(inputs[1], motion.tokens)  # without guidance there is one branch


def test_every_step_is_reported(model, motion):
    steps = []
    run(model, motion, on_step=lambda done, total: steps.append((done, total)))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_stop_in_the_middle_of_a_step_releases_everything(model, motion):
    expected = plain(model)
    held, asked = [], [0]
    handle = model.pipeline.unet.register_forward_pre_hook(lambda _, args: held.append(weakref.ref(args[0])))

    def should_stop():
        asked[0] += 1
        return len(held) == 2 and asked[0] > 45

    with pytest.raises(GenerationInterrupted, match="stopped as asked, in step 2 of 4") as error:
        run(model, motion, should_stop=should_stop)
    handle.remove()
    gc.collect()
    assert len(held) == 2 and [reference() for reference in held] == [None, None]
    assert error.value.__context__ is None
    assert hooks_of(model) == 0
    assert torch.equal(plain(model), expected)


def test_a_stop_is_noticed_while_decoding_too(model):
    done = []
    with pytest.raises(GenerationInterrupted, match="stopped as asked"):
        run(model, None, on_step=lambda step, _: done.append(step), should_stop=lambda: len(done) == 4)
    assert len(done) == 4


def test_an_error_of_the_caller_passes_through_and_leaves_the_model_clean(model, motion):
    def fail(*_):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run(model, motion, on_step=fail)
    assert hooks_of(model) == 0


def test_half_precision_works_and_the_codec_gets_its_precision_back(
    tiny_pipeline_folder, write_tiny_pack, tmp_path, motion
):
    pack = load_pack(write_tiny_pack(tmp_path / "half"))
    model = load_video_model(tiny_pipeline_folder, pack=pack, dtype=torch.bfloat16)
    assert run(model, motion).dtype == torch.float32
    assert model.pipeline.vae.dtype == torch.bfloat16


def test_loading_and_generating_work_in_inference_mode_and_out_of_it(
    tiny_pipeline_folder, write_tiny_pack, tmp_path, motion, model
):
    expected = run(model, motion)
    folder = write_tiny_pack(tmp_path / "inference")
    with torch.inference_mode():  # as ComfyUI runs its nodes
        loaded = load_video_model(tiny_pipeline_folder, pack=load_pack(folder))
        inside = run(loaded, motion)
    assert torch.equal(inside, expected)
    assert torch.equal(run(loaded, motion), expected)


def test_sizes_that_halve_unevenly_work_too(model, motion):
    assert run(model, motion, replace(SETTINGS, width=88, height=72)).shape == (3, 72, 88, 3)


def test_pixels_that_are_no_numbers_are_an_error(model):
    torch.nn.init.constant_(model.pipeline.unet.conv_out.bias, float("nan"))
    with pytest.raises(
        GenerationFailed, match=r"Expected finite pixels.*float32 may be too narrow.*load it in bfloat16"
    ):
        run(model, None)


def test_bad_values_are_refused_before_anything_runs(model, motion):
    with pytest.raises(GenerationSettingInvalid, match="width: expected a positive multiple of 8, received 60"):
        run(model, motion, replace(SETTINGS, width=60))
    with pytest.raises(GenerationSettingInvalid, match="a strength of at least 0, received -1"):
        run(model, motion, strength=-1)
    with pytest.raises(GenerationSettingInvalid, match=r"0 <= start <= end <= 1.*received start 0.6 and end 0.5"):
        run(model, motion, start=0.6, end=0.5)
    with pytest.raises(ShapeMismatch, match=r"image as uint8 RGB \[H, W, 3\], received float64"):
        generate_video(model, image=IMAGE / 255, motion=motion, settings=SETTINGS)


def test_motion_and_model_must_belong_together(model, motion, tiny_pipeline_folder, write_tiny_pack, tmp_path):
    other = load_pack(write_tiny_pack(tmp_path / "other", dtype=torch.bfloat16))  # of the same name
    with pytest.raises(MotionMismatch, match=r"adapted with pack test-pack \(.*of pack test-pack \(.*use one pack"):
        run(model, replace(motion, pack=other))
    same = load_pack(write_tiny_pack(tmp_path / "copy"))
    assert torch.equal(run(model, replace(motion, pack=same)), run(model, motion))
    with pytest.raises(MotionMismatch, match="received one without any: load it with the pack"):
        run(load_video_model(tiny_pipeline_folder), motion)
    narrow = AdaptedMotion(torch.zeros(1, 3, 31), torch.zeros(1, 3, 31), "mean", model.pack)
    with pytest.raises(ShapeMismatch, match=r"Expected motion tokens \[B, L, 32\], received \[2, 3, 31\]"):
        run(model, narrow)
    assert hooks_of(model) == 0


def test_foreign_attention_is_an_error_and_not_a_silent_loss(model, motion):
    site = model.pipeline.unet.get_submodule("mid_block.attentions.0.transformer_blocks.0.attn2")
    processor = site.processor

    class AttnProcessor2_0:
        """Like a replaced attention that never reaches to_out."""

        def __call__(self, attn, hidden_states, **_):
            return hidden_states

    site.set_processor(AttnProcessor2_0())
    with pytest.raises(AdapterBypassed, match=r"Expected 7 attention sites .* 1 were not \(mid_block"):
        run(model, motion)
    AttnProcessor2_0.__name__ = "SomeonesLoRA"
    with pytest.raises(UnsupportedProcessor, match=r"mid_block.* received SomeonesLoRA"):
        run(model, motion)
    site.set_processor(processor)


def test_pictures_are_cropped_to_the_shape_and_not_stretched():
    image = np.zeros((100, 300, 3), np.uint8)
    image[:, 100:200] = 255
    fitted = np.asarray(fit_picture(image, width=64, height=64))
    assert fitted.shape == (64, 64, 3) and fitted.min() > 200  # the white middle third fills it
    same = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(np.asarray(fit_picture(same, width=64, height=64)), same)


def test_a_video_can_start_with_the_picture_itself(model):
    made = generate_video(model, image=IMAGE, motion=None, settings=SETTINGS)
    shown = made.starting_with(np.full((30, 90, 3), 51, np.uint8))
    assert torch.equal(shown.frames[1:], made.frames[1:]) and shown.fps == made.fps
    torch.testing.assert_close(shown.frames[0], torch.full((64, 64, 3), 0.2))
