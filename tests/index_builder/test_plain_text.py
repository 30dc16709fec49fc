"""Text from others: what a terminal or page would obey is written out; scripts and emoji stay as they are."""

import json
import re
from pathlib import Path

import pytest

from index_builder.errors import InputNotFound
from index_builder.plain_text import plain_logger, shown

OBEYED = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x00", "\x08", "\x7f", "\r", "\t", "\x85", "\u2028", "\u202e",
          "\u2066", "\u200b", "\ufeff", "\udc80", "\U000e0041", "\x1bP+q\x1b\\"]  # fmt: skip


@pytest.mark.parametrize("text", OBEYED)
def test_what_is_obeyed_is_written_out(text: str) -> None:
    written = shown(f"a{text}b")
    assert written.isascii() and written.isprintable() and written.startswith("a\\u")
    assert shown(written) == written


@pytest.mark.parametrize("text", ["滑雪者向左转", "क्षि", "می‌خواهم", "👩‍🔬", "❤️", "naïve", "a\nb", "\\u001b", "עברית"])
def test_scripts_and_emoji_stay(text: str) -> None:
    assert shown(text) == text


def test_lines_are_kept_or_not() -> None:
    assert shown("a\nb", keep="") == "a\\u000ab"


@pytest.mark.parametrize("text", OBEYED)
def test_within_json_it_means_the_same(text: str) -> None:
    written = shown(json.dumps({"caption": text}, ensure_ascii=False))
    assert json.loads(written)["caption"] == text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_errors_are_text() -> None:
    assert str(InputNotFound("received \x1b[31mred\u202e")) == "received \\u001b[31mred\\u202e"


def test_log_lines_are_text_and_begin_only_where_they_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    logger = plain_logger("index_builder.anything")
    logger.warning("left out %s of %d", "a\x1b[2J\u202e%s", 3)
    logger.warning("problems:\nERROR forged")
    assert caplog.messages == ["left out a\\u001b[2J\\u202e%s of 3", "problems:\n    ERROR forged"]
    assert len(plain_logger("index_builder.anything").filters) == 1


def test_no_module_logs_around_it() -> None:
    root = Path(__file__).resolve().parents[2]
    around = re.compile(r"logging\.(getLogger|warning|error|info|exception)\(")
    found = [
        path.relative_to(root).as_posix()
        for package in ("index_builder", "motionrag_nodes")
        for path in sorted((root / package).rglob("*.py"))
        if around.search(path.read_text(encoding="utf-8"))
    ]
    # The second silences a library.
    assert found == ["index_builder/plain_text.py", "motionrag_nodes/batch_render/queue/store.py"]
