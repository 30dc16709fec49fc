"""The encoders load from a pack's folder, refuse what is not there, and tell apart weights and preprocessing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import Dinov2Config, Dinov2Model, VideoMAEConfig, VideoMAEModel

from index_builder.features.encoders import (
    EncoderNotFound,
    EncoderSpec,
    fingerprint_encoder,
    load_appearance_encoder,
    load_motion_encoder,
    load_retrieval_encoder,
)
from index_builder.features.preprocessing import Preprocessing

PIXELS = Preprocessing(16, 16, "bilinear", (0.5,) * 3, (0.5,) * 3, frames=4)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack's folder with a motion and an appearance encoder of fixed random weights."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("pack")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 16, "patch_size": 8}
    VideoMAEModel(VideoMAEConfig(**sizes, num_frames=4, intermediate_size=16)).save_pretrained(root / "motion")
    Dinov2Model(Dinov2Config(**sizes, mlp_ratio=1)).save_pretrained(root / "appearance")
    return root


def spec(kind: str, source: str) -> EncoderSpec:
    return EncoderSpec(kind, source, PIXELS, "0" * 16)


def test_motion_features_have_a_row_for_each_tube(folder: Path) -> None:
    encoder = load_motion_encoder(spec("videomae", "motion"), folder=folder)
    clips = RNG.integers(0, 255, (2, 9, 20, 30, 3), dtype=np.uint8)
    features = encoder.encode(clips)
    assert features.shape == (2, 2 * 2 * 2, 16)
    # each clip by itself gives what the batch gave
    assert torch.allclose(encoder.encode(clips[1:]), features[1:], atol=1e-5)


def test_appearance_features_have_cls_and_patches(folder: Path) -> None:
    encoder = load_appearance_encoder(spec("dinov2", "appearance"), folder=folder)
    frames = RNG.integers(0, 255, (3, 24, 16, 3), dtype=np.uint8)
    assert encoder.encode(frames).shape == (3, 1 + 4, 16)


@pytest.mark.parametrize(
    ("load", "kind"),
    [(load_motion_encoder, "videomae"), (load_appearance_encoder, "dinov2"), (load_retrieval_encoder, "open_clip")],
)
def test_missing_encoder_is_named(load, kind: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderNotFound, match=f"expected the {kind} encoder nobody/nothing .*hf download"):
        load(spec(kind, "nobody/nothing"), folder=tmp_path)


def test_a_pickled_retrieval_encoder_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "retrieval").mkdir()
    (tmp_path / "retrieval" / "open_clip_pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(EncoderNotFound, match=r"no \.safetensors file"):
        load_retrieval_encoder(spec("open_clip", "retrieval"), folder=tmp_path)


def test_kind_must_fit(folder: Path) -> None:
    with pytest.raises(EncoderNotFound, match="expected an encoder of kind videomae, received dinov2"):
        load_motion_encoder(spec("dinov2", "motion"), folder=folder)


def test_fingerprint_changes_with_weights_and_preprocessing(folder: Path) -> None:
    motion = fingerprint_encoder("videomae", folder / "motion", PIXELS)
    assert motion == fingerprint_encoder("videomae", folder / "motion", PIXELS)
    assert motion != fingerprint_encoder("videomae", folder / "motion", replace(PIXELS, crop=8))
    assert motion != fingerprint_encoder("videomae", folder / "appearance", PIXELS)


def test_spec_survives_json() -> None:
    made = spec("dinov2", "encoders/appearance")
    assert EncoderSpec.from_dict(made.to_dict()) == made
