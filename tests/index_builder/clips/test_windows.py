"""Clip windows: whole short videos, the middle of long ones, never overlapping."""

import itertools

import pytest

from index_builder.clips.windows import ClipWindow, clip_windows, row_id
from index_builder.errors import InvalidSetting


def test_a_short_video_is_one_whole_clip() -> None:
    assert clip_windows(1.5) == [ClipWindow(0, 1500)]
    assert clip_windows(2.0, clips_per_video=None) == [ClipWindow(0, 2000)]
    assert clip_windows(0.0001) == [ClipWindow(0, 1)]


def test_one_clip_of_a_long_video_is_its_middle() -> None:
    assert clip_windows(10.0) == [ClipWindow(4000, 6000)]
    assert clip_windows(10.0)[0].start_sec == 4.0


@pytest.mark.parametrize("duration_sec", [2.001, 3.999, 4.0, 7.3, 61.7, 3600.0])
@pytest.mark.parametrize("count", [1, 2, 5, None])
def test_windows_lie_inside_in_order_and_do_not_overlap(duration_sec: float, count: int | None) -> None:
    windows = clip_windows(duration_sec, clips_per_video=count)
    assert len(windows) == min(count or 10**9, int(duration_sec // 2))
    assert all(window.end_ms - window.start_ms == 2000 for window in windows)
    assert windows[0].start_ms >= 0 and windows[-1].end_ms <= round(duration_sec * 1000)
    assert all(first.end_ms <= second.start_ms for first, second in itertools.pairwise(windows))


def test_row_ids_are_content_and_span() -> None:
    assert row_id("0123456789abcdef" * 4, ClipWindow(500, 2500)) == "0123456789abcdef0123456789abcdef@500-2500"


def test_no_clips_per_video_is_an_error() -> None:
    with pytest.raises(InvalidSetting, match="at least 1"):
        clip_windows(5, clips_per_video=0)
