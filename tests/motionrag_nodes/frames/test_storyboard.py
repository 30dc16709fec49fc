"""What a storyboard says, as it is written down."""

from __future__ import annotations

import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.frames.storyboard import Part, frames_of, parse_storyboard


def test_lines_of_every_hand() -> None:
    text = "2: a ball rolls\n\n# the end\n 0.5 s : it stops: at once \n1,5：球变大\n"
    assert parse_storyboard(text) == (Part(2, "a ball rolls"), Part(0.5, "it stops: at once"), Part(1.5, "球变大"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expected a line for each part of the video, received none: write '2: a ball rolls to the right'"),
        ("2: a\nit stops", "received 'it stops' in line 2: write them as in '2: a ball rolls to the right'"),
        ("2:", "received '2:' in line 1"),
        ("0: a", "received '0: a' in line 1"),
        ("-1: a", "received '-1: a' in line 1"),
        ("301: a", r"Expected up to 64 parts and 300 s in all, received 1 of 301 s"),
        ("1: a\n" * 65, "received 65 of 65 s: make several videos"),
    ],
)
def test_what_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidSetting, match=said):
        parse_storyboard(text)


def test_seconds_as_frames_add_up() -> None:
    parts = [Part(0.4, "a")] * 5
    assert frames_of(parts, fps=4) == [2, 1, 2, 1, 2]
    assert frames_of([Part(0.01, "a")] * 3, fps=4) == [1, 1, 1]
