"""Models under ComfyUI's own memory management, on the processor: they are listed, they leave, a stop is noticed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import load_video_model
from tests.motionrag_nodes.frames.test_generate import IMAGE, SETTINGS

pytestmark = pytest.mark.comfyui


@pytest.fixture
def management(comfy: Any) -> Any:
    import comfy.model_management

    comfy.model_management.unload_all_models()
    yield comfy.model_management
    comfy.model_management.interrupt_current_processing(False)
    comfy.model_management.unload_all_models()


@pytest.fixture
def residence(management: Any) -> Any:
    from motionrag_nodes.nodes.residence import ComfyUIResidence

    return ComfyUIResidence(moves=True)


def loaded(management: Any) -> list[nn.Module]:
    """Those that came this way; what other tests loaded may be listed too, even after it is gone."""
    patchers = [patcher for patcher in management.loaded_models() if patcher is not None]
    return [patcher.model.held for patcher in patchers if hasattr(patcher.model, "held")]


def test_what_is_brought_is_listed_once_with_what_it_needs(management, residence, monkeypatch) -> None:
    asked, load = [], management.load_models_gpu
    monkeypatch.setattr(
        management,
        "load_models_gpu",
        lambda models, **more: (asked.append(more["memory_required"]), load(models, **more)),
    )
    network, adapter, other = nn.Linear(4, 4), nn.Linear(2, 2), nn.Linear(3, 3)
    residence.keep_beside(network, adapter)
    residence.expect(network, 5000)
    residence.bring(other)
    residence.bring(network)
    residence.bring(network)
    assert asked == [0, 5000, 5000]
    assert len(loaded(management)) == 3 and {*loaded(management)} == {network, adapter, other}
    residence.release([network, adapter])
    assert loaded(management) == [other]
    residence.release([network])
    assert loaded(management) == [other]
    assert residence.free_bytes() > 0


def test_a_stop_is_noticed_before_a_model_comes(management, residence) -> None:
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        residence.bring(nn.Linear(2, 2))
    assert loaded(management) == []


def test_on_a_cpu_nothing_is_loaded_and_stops_are_noticed(management, monkeypatch) -> None:
    from motionrag_nodes.nodes.residence import ComfyUIResidence

    monkeypatch.setattr(management, "load_models_gpu", lambda *_, **__: pytest.fail("loaded"))
    residence, network = ComfyUIResidence(), nn.Linear(2, 2)
    residence.bring(network)
    residence.release([network])
    management.interrupt_current_processing(True)
    with pytest.raises(management.InterruptProcessingException):
        residence.bring(network)


def test_indexing_is_not_stopped_by_it_and_its_encoders_leave(management, residence, tmp_path, monkeypatch) -> None:
    index_folder = pytest.importorskip("motionrag_nodes.nodes.index_folder")
    pack, brought = load_pack("tiny", residence=residence), []

    def built(inputs, *, encoder, should_stop, **_):
        management.interrupt_current_processing(True)
        encoder.encode_text(["a ball rolls"])  # what is under way is finished, and committed
        brought.extend(loaded(management))
        assert should_stop()
        return SimpleNamespace(interrupted=True)

    monkeypatch.setattr("index_builder.build.build_database", built)
    with pytest.raises(management.InterruptProcessingException):
        index_folder._build(pack, tmp_path, tmp_path / "db", captions=None, clips_per_video=None)
    assert len(brought) == 1 and loaded(management) == []


def test_a_model_that_is_dropped_is_freed(management, residence) -> None:
    import gc

    residence.bring(nn.Linear(2, 2))
    gc.collect()
    management.cleanup_models()
    assert loaded(management) == []


def test_a_pipeline_under_it_makes_the_same_frames(
    management, residence, tiny_pipeline_folder, write_tiny_pack, tmp_path
) -> None:
    pack = load_pack(write_tiny_pack(tmp_path / "pack"))
    motion = AdaptedMotion(*torch.randn(2, 1, 3, 32), fusion="mean", pack=pack)
    plain = load_video_model(tiny_pipeline_folder, pack=pack)
    managed = load_video_model(tiny_pipeline_folder, pack=pack, residence=residence)
    with torch.inference_mode():  # as ComfyUI runs its nodes
        made = generate_video(managed, image=IMAGE, motion=motion, settings=SETTINGS).frames
    assert torch.equal(made, generate_video(plain, image=IMAGE, motion=motion, settings=SETTINGS).frames)
    parts = managed.pipeline.components
    assert {*loaded(management)} >= {parts["vae"], parts["unet"]} and managed.adapter not in loaded(management)


def test_encoders_come_by_it_and_leave_after_adapting(management, residence, tmp_path) -> None:
    import numpy as np

    from motionrag_nodes.adapted_tokens.adapt import adapt_motion
    from motionrag_nodes.neighbours.reference_videos import encode_reference_videos

    clip = np.random.default_rng(0).integers(0, 256, (16, 64, 64, 3), dtype=np.uint8)
    expected = load_pack("tiny")
    pack = load_pack("tiny", residence=residence)
    found = encode_reference_videos(pack, [clip])
    assert loaded(management) == []
    seen: list[set[nn.Module]] = []
    hook = pack.motion_encoder.model.register_forward_hook(lambda *_: seen.append({*loaded(management)}))
    motion = adapt_motion(pack, found, image=clip[0])
    hook.remove()
    assert pack.device == str(residence.device) and loaded(management) == []
    assert all(pack._encoders["motion"].model in there for there in seen)
    torch.testing.assert_close(motion.tokens, adapt_motion(expected, found, image=clip[0]).tokens)
