"""Pixels reach the encoders as published: sampled, resized, cropped, normalised."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision import transforms

from index_builder.features.crop import crop_to_shape
from index_builder.features.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
    prepare_clips,
    prepare_frames,
    resize_short_side,
    sample_frames,
)

PLAIN = Preprocessing(8, 8, "bilinear", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), frames=4)


def test_frames_are_sampled_uniformly() -> None:
    clip = np.arange(31, dtype=np.uint8).reshape(31, 1, 1, 1)
    assert sample_frames(clip, 16).ravel().tolist() == list(range(0, 31, 2))
    assert sample_frames(clip[:1], 3).ravel().tolist() == [0, 0, 0]


def test_pixels_are_normalised() -> None:
    white = np.full((2, 8, 8, 3), 255, dtype=np.uint8)
    assert torch.equal(prepare_frames(white, PLAIN), torch.ones(2, 3, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(16, 40), (40, 16), (8, 8), (9, 31), (5, 7)])
def test_any_size_becomes_the_crop(height: int, width: int) -> None:
    frames = np.zeros((1, height, width, 3), dtype=np.uint8)
    assert prepare_frames(frames, PLAIN).shape == (1, 3, 8, 8)


def test_crop_keeps_the_centre() -> None:
    frames = np.zeros((1, 8, 24, 3), dtype=np.uint8)
    frames[:, :, 8:16] = 255
    assert torch.equal(prepare_frames(frames, PLAIN), torch.ones(1, 3, 8, 8))


def test_first_frame_difference_is_appended() -> None:
    clip = np.stack([np.full((8, 8, 3), v, dtype=np.uint8) for v in (0, 51, 102, 153)])
    plan = Preprocessing(8, 8, "bilinear", (0.0,) * 3, (1.0,) * 3, frames=4, first_frame_difference=True)
    prepared = prepare_clips([clip], plan)
    assert prepared.shape == (1, 4, 6, 8, 8)
    assert torch.equal(prepared[0, 0, 3:], torch.zeros(3, 8, 8))
    assert torch.allclose(prepared[0, 3, 3:], torch.full((3, 8, 8), 0.6))


def test_plan_survives_json() -> None:
    assert Preprocessing.from_dict(PLAIN.to_dict()) == PLAIN


def film(height: int, width: int, frames: int = 2) -> np.ndarray:
    """Edges, texture and saturated areas, so that filters, rounding and overshoot all show."""
    rng = np.random.default_rng(height * width)
    down, across = np.mgrid[0:height, 0:width]
    waves = 127 + 120 * np.sin(across / 3.1 + down / 7.3)[..., None] * np.array([1.0, 0.7, -0.8])
    clip = np.repeat(waves[None], frames, axis=0) + rng.normal(0, 20, (frames, height, width, 3))
    clip[:, height // 4 : height // 2, width // 3 : width // 2] = (255, 0, 255)
    return clip.clip(0, 255).astype(np.uint8)


def psnr(received: torch.Tensor, expected: torch.Tensor, plan: Preprocessing) -> float:
    """In dB, of pixels in [0, 1]."""
    std = torch.tensor(plan.std).view(-1, 1, 1)
    error = ((received - expected) * std).double().square().mean().item()
    return float("inf") if error == 0 else -10 * np.log10(error)


PUBLISHED = {
    "motion": Preprocessing(224, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD, frames=2, version=2, shape=(1024, 576)),
    "appearance": Preprocessing(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_STD, version=2, shape=(1024, 576)),
    "another shape": Preprocessing(224, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD, version=2, shape=(720, 480)),
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize(
    ("height", "width"),
    [(360, 640), (480, 640), (640, 360), (1080, 1920), (270, 481), (241, 320), (403, 227), (200, 200), (96, 170)],
)
def test_version_2_is_torchvision_from_the_picture_itself(name: str, height: int, width: int) -> None:
    plan, frames = PUBLISHED[name], film(height, width)
    wide, high = plan.shape
    kept_high, kept_wide = min(height, round(width * high / wide)), min(width, round(height * wide / high))
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255
    expected = transforms.Compose(
        [
            transforms.CenterCrop((kept_high, kept_wide)),
            transforms.Resize(plan.resize_short_side, transforms.InterpolationMode(plan.interpolation), antialias=True),
            transforms.CenterCrop(plan.crop),
            transforms.Normalize(plan.mean, plan.std),
        ]
    )(pixels)
    assert psnr(prepare_frames(frames, plan), expected, plan) > 100
    if plan.frames == 2:
        assert psnr(prepare_clips([frames], plan)[0], expected, plan) > 100


def test_version_1_is_not_that() -> None:
    frames, plan = film(241, 427), PUBLISHED["motion"]
    first = replace(plan, version=1, shape=None)
    assert psnr(prepare_frames(frames, first), prepare_frames(frames, plan), plan) < 60


def test_sixteen_bits_keep_what_eight_would_lose() -> None:
    plan, frames = PUBLISHED["motion"], film(360, 640)
    resized = torch.stack([resize_short_side(frame, plan) for frame in frames]).permute(0, 2, 3, 1)
    expected = prepare_frames(frames, plan)
    in_16 = (resized * 65535).round().numpy().astype(np.uint16)
    in_8 = (resized * 255).round().numpy().astype(np.uint8)
    assert psnr(prepare_frames(in_16, plan), expected, plan) > 100
    assert psnr(prepare_frames(in_8, plan), expected, plan) < 60


@pytest.mark.parametrize(
    ("size", "shape", "kept"),
    [
        ((480, 640), (1024, 576), (360, 640)),
        ((640, 360), (1024, 576), (202, 360)),
        ((100, 300), (1, 1), (100, 100)),
        ((7, 7), (720, 480), (5, 7)),
        ((1, 90), (1024, 576), (1, 2)),
        ((480, 640), None, (480, 640)),
    ],
)
def test_the_crop_to_a_shape_is_the_largest_at_the_centre(size, shape, kept) -> None:
    frames = np.zeros((2, *size, 3), np.uint8)
    assert crop_to_shape(frames, shape).shape == (2, *kept, 3)
    marked = np.arange(9, dtype=np.uint8).reshape(1, 9, 1).repeat(3, axis=2)
    assert crop_to_shape(marked, (3, 1))[0, :, 0].tolist() == [3, 4, 5]


def test_version_1_is_written_as_it_always_was() -> None:
    assert "version" not in PLAIN.to_dict() and "shape" not in PLAIN.to_dict()
    plan = PUBLISHED["motion"]
    assert Preprocessing.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan
    assert PLAIN.problems() == plan.problems() == []
    wrong = replace(plan, version=3, shape=(0, 9), crop=300)
    assert [problem.split(":")[0] for problem in wrong.problems()] == ["version", "shape", "crop"]
    assert "of version 2 alone" in replace(PLAIN, shape=(16, 9)).problems()[0]
