"""Names of jobs."""

from __future__ import annotations

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.jobs.names import check_distinct, content_ids, safe_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("red one", "red_one"),
        ("../../evil", "evil"),
        ("/etc/x", "etc_x"),
        ("a/b", "a_b"),
        ("..\\..\\evil", "evil"),
        ("..", "job"),
        ("", "job"),
        ("🐱", "🐱"),
        ("nul", "nul_"),
        ("COM1.txt", "COM1.txt_"),
        ("manifest.json", "manifest.json_"),
        (".motionrag", "motionrag"),
        ("v1.5 (final)", "v1.5_(final)"),
        ("a\nb\x07c", "a_b_c"),
        ("e\u0301", "\u00e9"),
    ],
)
def test_a_name_is_one_file_name(text: str, name: str) -> None:
    assert safe_name(text) == name


def test_long_names_stay_distinct_and_fit() -> None:
    first, second = safe_name("猫" * 200 + "a"), safe_name("猫" * 200 + "b")
    assert first != second
    assert max(len(first.encode()), len(second.encode())) <= 120


def test_content_ids_do_not_follow_position() -> None:
    a, b = {"3.seed": "1", "3.steps": "2"}, {"3.seed": "2"}
    assert content_ids([a, b]) == content_ids([b, dict(reversed(a.items()))])[::-1]
    first, second, third = content_ids([b, b, b])
    assert (second, third) == (f"{first}-2", f"{first}-3")


def test_names_that_meet_are_shown_as_they_were_given() -> None:
    with pytest.raises(RenderError, match=r"a_b \('a/b', 'a b'\)"):
        check_distinct([("a/b", "a_b"), ("a b", "a_b"), ("c", "c")])
    with pytest.raises(RenderError, match=r"cat \('Cat', 'cat'\)"):
        check_distinct([("Cat", "Cat"), ("cat", "cat")])
