"""On a real accelerator: moves, levels of offload and precisions, held to what the CPU computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion, adapt_motion
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.errors import GenerationInterrupted
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from motionrag_nodes.residence import Residence, best_precision, device_of
from tests.motionrag_nodes.frames.test_generate import IMAGE, SETTINGS

DEVICE = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE is None, reason="this machine has no accelerator (cuda or mps)"),
]
# Frames of float32 on the CPU against the same on an accelerator, whose sums run in another order.
TOLERANCE = 2e-3


@pytest.fixture
def pack(write_tiny_pack, tmp_path):
    return load_pack(write_tiny_pack(tmp_path / "pack"))


@pytest.fixture
def motion(pack):
    tokens, unconditional = torch.randn(2, 1, 3, 32, generator=torch.Generator().manual_seed(1))
    return AdaptedMotion(tokens, unconditional, fusion="mean", pack=pack)


@pytest.fixture
def expected(tiny_pipeline_folder, pack, motion):
    model = load_video_model(tiny_pipeline_folder, pack=pack, dtype=torch.float32)
    return generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames


@pytest.fixture(autouse=True)
def exact_sums(monkeypatch):
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_each_level_of_offload_makes_the_cpu_s_frames(tiny_pipeline_folder, pack, motion, expected, offload):
    model = load_video_model(tiny_pipeline_folder, pack=pack, device=DEVICE, dtype=torch.float32, offload=offload)
    for _ in range(2):  # a second run finds everything where the first one did
        made = generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames
        assert made.device.type == "cpu"
        torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)
    if offload == "model":
        assert device_of(model.pipeline.unet).type == device_of(model.adapter).type == "cpu"
    assert device_of(pack.adapter).type == "cpu"


@pytest.mark.parametrize("offload", ["none", "model", "sequential"])
def test_a_stopped_run_leaves_no_model_behind(tiny_pipeline_folder, pack, motion, expected, offload):
    model = load_video_model(tiny_pipeline_folder, pack=pack, device=DEVICE, dtype=torch.float32, offload=offload)
    told = []
    with pytest.raises(GenerationInterrupted, match="stopped as asked"):
        generate_video(
            model, image=IMAGE, motion=motion, settings=SETTINGS, on_step=lambda *at: told.append(at),
            should_stop=lambda: len(told) == 1,
        )  # fmt: skip
    made = generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)


def test_parts_that_are_brought_make_the_cpu_s_frames(tiny_pipeline_folder, pack, motion, expected):
    model = load_video_model(tiny_pipeline_folder, pack=pack, dtype=torch.float32, residence=Residence(DEVICE))
    made = generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames
    torch.testing.assert_close(made, expected, atol=TOLERANCE, rtol=0)
    assert device_of(model.pipeline.unet).type == DEVICE and device_of(model.adapter).type == "cpu"


def test_half_precision_is_the_default_and_stays_close(tiny_pipeline_folder, pack, motion, expected):
    model = load_video_model(tiny_pipeline_folder, pack=pack, device=DEVICE)
    assert model.pipeline.unet.dtype == best_precision(DEVICE) != torch.float32
    made = generate_video(model, image=IMAGE, motion=motion, settings=SETTINGS).frames
    assert (made - expected).abs().mean() < 0.05


@pytest.mark.skipif(DEVICE != "cuda", reason="only CUDA counts its allocations")
def test_encoders_leave_the_accelerator_after_adapting():
    clip = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    on_cpu, there = load_pack("tiny"), load_pack("tiny", device=DEVICE)
    before = torch.cuda.memory_allocated()
    found = encode_reference_videos(there, [clip])
    motion = adapt_motion(there, found, image=clip[0])
    assert torch.cuda.memory_allocated() == before
    again = adapt_motion(on_cpu, encode_reference_videos(on_cpu, [clip]), image=clip[0])
    torch.testing.assert_close(motion.tokens, again.tokens, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(motion.unconditional, again.unconditional, atol=1e-3, rtol=1e-3)
