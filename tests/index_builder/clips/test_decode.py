"""Decoding: the right frames at the right times from ordinary, odd and damaged videos, by both decoders alike."""

from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.decode import decode_clip
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.errors import ClipUnreadable, InvalidSetting
from tests.index_builder.sample_videos import (
    picture,
    real_clips,
    rotate,
    truncate,
    write_audio,
    write_garbage,
    write_video,
)


def close(frame: np.ndarray, expected: np.ndarray) -> bool:
    """Equal but for the codec's loss."""
    return float(np.abs(frame.astype(float) - expected).mean()) < 6


def test_frames_are_those_on_screen_at_even_times(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", frames=60, fps=24)
    clip = decode_clip(video, short_side=48)
    assert (clip.start_sec, clip.end_sec, clip.decoder, clip.fps) == (0.25, 2.25, "pyav", 24.0)
    assert clip.frames.shape == (16, 48, 64, 3)
    for place, frame in enumerate(clip.frames):
        assert close(frame, picture(int((0.25 + place / 8) * 24 + 1e-6), size=(64, 48), seed=0))


def test_variable_frame_rate_goes_by_time_not_by_count(tmp_path: Path) -> None:
    # Twenty frames in the first 0.4 s, then one every 0.2 s.
    times = [20 * index for index in range(20)] + [400 + 200 * index for index in range(8)]
    video = write_video(tmp_path / "v.mp4", frames=len(times), times_ms=times)
    for decoders in (("pyav",), ("decord",)):
        clip = decode_clip(video, start_sec=0, end_sec=1.6, frames=8, short_side=48, decoders=decoders)
        for place, frame in enumerate(clip.frames):
            shown = max(index for index, time in enumerate(times) if time <= 200 * place)
            assert close(frame, picture(shown, size=(64, 48), seed=0)), (decoders, place)


@pytest.mark.parametrize("degrees", [90, 180])
@pytest.mark.parametrize("size", [(64, 48), (98, 66), (322, 242)], ids=str)
def test_rotation_is_applied(tmp_path: Path, degrees: int, size: tuple[int, int]) -> None:
    video = rotate(write_video(tmp_path / "v.mp4", size=size, frames=4), degrees)
    upright = np.rot90(picture(0, size=size, seed=0), k=-degrees // 90)
    clip = decode_clip(video, short_side=min(size))
    assert (clip.width, clip.height) == upright.shape[1::-1] and clip.decoder == "pyav"
    assert close(clip.frames[0], upright)


@pytest.mark.parametrize("clip", real_clips(), ids=lambda path: path.stem)
def test_both_decoders_agree_on_real_clips(clip: Path) -> None:
    by_decord, by_pyav = decode_clip(clip, decoders=("decord",)), decode_clip(clip)
    assert (by_decord.decoder, by_pyav.decoder) == ("decord", "pyav")
    assert by_decord.frames.shape[0] == 16 and min(by_decord.frames.shape[1:3]) == 256
    assert np.array_equal(by_decord.frames, by_pyav.frames)
    assert by_decord.end_sec - by_decord.start_sec == pytest.approx(2.0)


def test_a_single_frame_and_a_short_video_are_whole_clips(tmp_path: Path) -> None:
    single = decode_clip(write_video(tmp_path / "one.mp4", frames=1), short_side=48)
    assert single.start_sec == 0 and 0 < single.end_sec < 0.2
    assert np.array_equal(single.frames[0], single.frames[-1])
    assert decode_clip(write_video(tmp_path / "short.mp4", frames=6, fps=12), short_side=48).end_sec == 0.5


def test_other_containers_and_names(tmp_path: Path) -> None:
    for name, codec in (("é 日本 🎬.mkv", "libx264"), ("a.avi", "mpeg4"), ("b.mov", "libx264"), ("c.webm", "libvpx")):
        clip = decode_clip(write_video(tmp_path / name, codec=codec), short_side=48)
        assert close(clip.frames[0], picture(0, size=(64, 48), seed=0)), name


def test_fps_sets_the_length_of_the_window(tmp_path: Path) -> None:
    clip = decode_clip(write_video(tmp_path / "v.mp4", frames=60), frames=16, fps=16.0, short_side=48)
    assert (clip.start_sec, clip.end_sec) == (1.5, 2.5)


def test_damaged_and_foreign_files_fail_with_their_reason(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    for path, reason in (
        (write_garbage(tmp_path / "garbage.mp4"), "not a readable video"),
        (write_audio(tmp_path / "sound.mp4"), "audio only"),
        (truncate(write_video(tmp_path / "cut.mp4"), 0.5), "not a readable video"),
        (empty, "not a readable video"),
        (tmp_path / "nowhere.mp4", "No such file"),
    ):
        with pytest.raises(ClipUnreadable, match=reason):
            decode_clip(path)


def test_a_stream_cut_short_shows_what_came_before_the_cut(tmp_path: Path) -> None:
    video = write_video(tmp_path / "cut.mkv", frames=90, size=(320, 240))
    whole_sec = read_timeline(video, limits=DecodeLimits()).duration_sec
    clip = decode_clip(truncate(video, 0.6), short_side=48)
    assert 0 < clip.end_sec < whole_sec - 0.5


def test_limits_refuse_what_is_too_large(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    for limits, reason in (
        (DecodeLimits(max_pixels=1000), "64x48 pixels, over the limit of 1000"),
        (DecodeLimits(max_duration_sec=0.5), "over 0.5 s"),
        (DecodeLimits(max_aspect=1.2), "times longer than wide"),
    ):
        with pytest.raises(ClipUnreadable, match=reason):
            decode_clip(video, limits=limits)
    with pytest.raises(InvalidSetting, match="positive memory_bytes"):
        DecodeLimits(memory_bytes=0)


def test_impossible_settings_are_errors(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4")
    with pytest.raises(InvalidSetting, match="Expected positive frames"):
        decode_clip(video, frames=0)
    with pytest.raises(InvalidSetting, match=r"window inside the 2\.000 s"):
        decode_clip(video, start_sec=5, end_sec=6)
