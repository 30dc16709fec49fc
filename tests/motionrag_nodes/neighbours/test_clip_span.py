"""Which seconds a clip is read from, and in which order its frames are shown."""

from __future__ import annotations

import numpy as np
import pytest

from index_builder.errors import ClipUnreadable
from motionrag_nodes.neighbours.clip_format import ClipFormat
from motionrag_nodes.neighbours.clip_span import ClipSpan, plan_span

VIDEO = {"duration_sec": 10.0, "fps": 24.0}


def _window(span: ClipSpan) -> tuple[float, float]:
    return span.window.start_sec, span.window.end_sec


def test_a_clip_that_fits_is_taken_as_it_is() -> None:
    span = plan_span(4.0, 6.0, wanted=ClipFormat(), **VIDEO)
    assert _window(span) == (4.0, 6.0) and span.read == 48 and span.fps == 24
    assert np.array_equal(span.order, np.arange(48))


def test_of_a_longer_one_the_middle() -> None:
    assert _window(plan_span(2.0, 8.0, wanted=ClipFormat(fps=10, frames=20), **VIDEO)) == (4.0, 6.0)


@pytest.mark.parametrize(("start", "begin"), [(4.0, 2.5), (0.0, 0.0), (8.0, 5.0)])
def test_more_of_the_video_lies_around_the_clip(start: float, begin: float) -> None:
    span = plan_span(start, start + 2, wanted=ClipFormat(fps=16, frames=80), **VIDEO)
    assert _window(span) == (begin, begin + 5) and span.repeated == 0


def test_a_video_that_is_too_short_is_played_back_and_forth() -> None:
    span = plan_span(0.0, 0.5, wanted=ClipFormat(fps=8, frames=12), duration_sec=0.5, fps=8)
    assert span.order.tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1] and span.repeated == 8


def test_back_and_forth_stays_in_the_clip() -> None:
    span = plan_span(4.0, 5.0, wanted=ClipFormat(fps=4, frames=6, short="back and forth"), **VIDEO)
    assert _window(span) == (4.0, 5.0) and span.order.tolist() == [0, 1, 2, 3, 2, 1]


def test_the_last_frame_is_held() -> None:
    span = plan_span(4.0, 5.0, wanted=ClipFormat(fps=4, frames=6, short="hold the last frame"), **VIDEO)
    assert span.order.tolist() == [0, 1, 2, 3, 3, 3]


def test_slowed_down_it_has_no_sound_of_its_time() -> None:
    span = plan_span(4.0, 5.0, wanted=ClipFormat(fps=4, frames=6, short="slow down"), **VIDEO)
    assert _window(span) == (4.0, 5.0) and span.read == 6 and not span.in_time


def test_one_frame_is_one_frame() -> None:
    assert plan_span(0.0, 0.1, wanted=ClipFormat(fps=8, frames=3), duration_sec=0.1, fps=8).order.tolist() == [0, 0, 0]


def test_a_clip_behind_the_end() -> None:
    with pytest.raises(ClipUnreadable, match=r"its span begins behind the 10.000 s"):
        plan_span(11.0, 13.0, wanted=ClipFormat(), **VIDEO)
