"""Frames as the published way reads them: at its times, and at the encoders' input as torchvision makes them."""

from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torchvision import transforms

from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import Reading
from index_builder.errors import InvalidSetting
from index_builder.features.preprocessing import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Preprocessing,
    prepare_clips,
    prepare_frames,
)
from tests.index_builder.sample_videos import write_video

SHAPE = (1024, 576)
MOTION = Preprocessing(224, 224, "bilinear", IMAGENET_MEAN, IMAGENET_STD, frames=16, version=2, shape=SHAPE)
APPEARANCE = Preprocessing(256, 224, "bicubic", IMAGENET_MEAN, IMAGENET_STD, version=2, shape=SHAPE)
READING = Reading(frames=16, short_side=224, version=2, interpolation="bilinear", shape=SHAPE)


def all_frames(path: Path) -> np.ndarray:
    """uint8 RGB [T, H, W, 3]: every frame of a file, by FFmpeg alone."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def by_torchvision(frames: np.ndarray, plan: Preprocessing, kept: tuple[int, int]) -> torch.Tensor:
    steps = [
        transforms.CenterCrop(kept),
        transforms.Resize(plan.resize_short_side, transforms.InterpolationMode(plan.interpolation), antialias=True),
        transforms.CenterCrop(plan.crop),
        transforms.Normalize(plan.mean, plan.std),
    ]
    return transforms.Compose(steps)(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255)


def psnr(received: torch.Tensor, expected: torch.Tensor) -> float:
    """In dB, of pixels in [0, 1]."""
    error = ((received - expected) * torch.tensor(IMAGENET_STD).view(-1, 1, 1)).double().square().mean().item()
    return -10 * np.log10(max(error, 1e-30))


@pytest.mark.parametrize(
    ("size", "kept"),
    [((640, 360), (360, 640)), ((640, 480), (360, 640)), ((360, 640), (202, 360)), ((322, 242), (181, 322))],
    ids=["16:9", "4:3", "9:16", "4:3 of odd numbers"],
)
def test_encoders_get_what_torchvision_makes_of_the_decoded_frames(size, kept, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", size=size, frames=60, fps=24, seed=3)
    clip = decode_clip(video, start_sec=0.25, end_sec=2.25, reading=READING)
    # 0.25 s is the sixth frame of 24 a second; two seconds are 48 of them.
    frames = all_frames(video)[6:54][np.round(np.linspace(0, 47, 16)).astype(int)]
    assert psnr(prepare_clips([clip.frames], MOTION)[0], by_torchvision(frames, MOTION, kept)) > 60
    first = by_torchvision(frames[:1], APPEARANCE, kept)
    assert psnr(prepare_frames(clip.first_frame[None], APPEARANCE), first) > 60
    # The target picture goes the same way.
    assert psnr(prepare_frames(frames[:1], APPEARANCE), first) > 60
    old = decode_clip(video, start_sec=0.25, end_sec=2.25, short_side=256)
    assert psnr(prepare_clips([old.frames], MOTION)[0], by_torchvision(frames, MOTION, kept)) < 60


def test_first_and_last_frame_are_the_window_less_one_frame_apart() -> None:
    for fps in (8, 24, 30):
        shown = np.arange(10 * fps) / fps
        times = READING.times(2.0, 4.0, shown)
        assert len(times) == 16 and times[0] == 2.0
        assert times[-1] - times[0] == pytest.approx(2.0 - 1 / fps)
    # At 8 fps they are all of the window's frames.
    assert np.array_equal(READING.times(2.0, 4.0, np.arange(80) / 8), 2 + np.arange(16) / 8)
    seventeen = Reading(frames=17, short_side=224, version=2, interpolation="bilinear", shape=(720, 480))
    assert seventeen.times(0, 2.125, np.arange(80) / 8)[-1] == 2.0


def test_few_or_uneven_frames_are_taken_as_they_are() -> None:
    shown = np.array([0.0, 0.1, 0.5, 1.9, 2.4])
    assert set(READING.times(0.0, 2.0, shown)) == {0.0, 0.1, 0.5, 1.9}
    # One that began before stays on screen for the whole window.
    assert np.array_equal(READING.times(0.6, 1.6, shown), np.full(16, 0.6))
    assert READING.times(2.4, 4.4, shown).tolist() == [2.4] * 16


def test_version_1_takes_even_steps_and_leaves_the_end_out() -> None:
    first = Reading(frames=16, short_side=48)
    assert np.array_equal(first.times(1.0, 3.0, np.arange(9.0)), 1 + np.arange(16) / 8)


def test_a_reading_survives_json_and_refuses_nothing() -> None:
    assert Reading.from_dict(READING.to_dict()) == READING
    with pytest.raises(InvalidSetting, match="Expected positive frames and short_side, received 0 and 224"):
        Reading(frames=0, short_side=224)


def test_pixels_that_are_not_square_are_shown_as_they_should_be() -> None:
    frame = np.zeros((40, 30, 3), np.uint8)
    assert READING.whole(frame, width=60, height=40).shape == (34, 60, 3)
    assert READING.sized(frame, width=60, height=40).shape == (224, 395, 3)
