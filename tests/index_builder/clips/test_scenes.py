"""Scenes: cuts are found where they are, in the time of the video's packets, and movement is no cut."""

from pathlib import Path

import pytest

from index_builder.clips.scenes import check_scene_threshold, scene_cuts_ms
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.clips.windows import ClipWindow, scene_windows
from index_builder.errors import InvalidSetting
from tests.index_builder.sample_videos import real_clips, truncate, write_scenes, write_video


def cuts(path: Path) -> tuple[int, ...]:
    return scene_cuts_ms(path, read_timeline(path, limits=DecodeLimits()))


def test_cuts_are_found_to_the_frame(tmp_path: Path) -> None:
    path = write_scenes(tmp_path / "v.mp4", [(1, 30), (2, 45), (4, 15)])
    assert cuts(path) == (2000, 5000)


def test_movement_is_no_cut_and_a_real_film_has_some(tmp_path: Path) -> None:
    assert cuts(write_video(tmp_path / "v.mp4", frames=60)) == ()
    found = {clip.stem: cuts(clip) for clip in real_clips()}
    assert found["bikes"] and all(0 < cut < 10_000 for cut in found["bikes"])


def test_variable_frame_rates_keep_their_own_times(tmp_path: Path) -> None:
    slow = write_video(tmp_path / "v.mkv", frames=30, times_ms=[index * 200 for index in range(30)])
    assert cuts(slow) == ()


def test_a_file_cut_short_gives_the_cuts_before_its_end(tmp_path: Path) -> None:
    path = write_scenes(tmp_path / "v.mkv", [(1, 30), (2, 45), (4, 45)])
    assert cuts(truncate(path, 0.8))[0] == 2000


@pytest.mark.parametrize("threshold", [0, -1, 256, float("nan")])
def test_impossible_thresholds_are_refused(threshold: float) -> None:
    with pytest.raises(InvalidSetting, match="a scene threshold above 0"):
        check_scene_threshold(threshold)


def test_without_the_library_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    check_scene_threshold(27)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidSetting, match=r"pip install 'motionrag\[scenes\]'"):
        check_scene_threshold(27)


def test_windows_lie_within_scenes() -> None:
    windows = scene_windows(10.0, cuts_ms=[3000, 3200, 9000], clip_seconds=2.0, clips_per_video=1)
    assert windows == [ClipWindow(500, 2500), ClipWindow(5100, 7100), ClipWindow(9000, 10000)]
    many = scene_windows(10.0, cuts_ms=[3000], clip_seconds=2.0, clips_per_video=None)
    assert len(many) == 4 and all(window.end_ms <= 3000 or window.start_ms >= 3000 for window in many)
    assert scene_windows(0.6, cuts_ms=[300], clip_seconds=2.0) == [ClipWindow(0, 600)]
