"""The terminal's border: whatever others wrote passes through here and is shown as text, on any terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

import rich.console
import rich.markup
import typer
from rich.segment import Segment

from index_builder.plain_text import shown

_progress_is_silent = False


class Console(rich.console.Console):
    """Rich's, which lets no character through that a terminal would obey, but for what Rich itself writes.

    On stderr, where progress and notes go, it is silent with --quiet, unless it `always` speaks.
    """

    def __init__(self, *, stderr: bool = False, quiet: bool = False, always: bool = False, **settings: Any) -> None:
        silent = stderr and _progress_is_silent and not always
        super().__init__(stderr=stderr, quiet=quiet or silent, **settings)

    def render(self, *arguments: Any, **settings: Any) -> Iterable[Segment]:
        """As Rich's. Widths are right as well: text passes here before it is put into columns."""
        for segment in super().render(*arguments, **settings):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


def silence_progress(silent: bool) -> None:
    """Whether consoles on stderr that are made from now on say nothing."""
    global _progress_is_silent
    _progress_is_silent = silent


def escape(text: str) -> str:
    """Text of others for Rich's markup: neither its brackets nor its control characters mean anything."""
    return rich.markup.escape(shown(text))


def print_json(values: Any) -> None:
    """Values for programs on stdout: readable in UTF-8, in plain ASCII elsewhere."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    typer.echo(shown(json.dumps(values, indent=2, ensure_ascii=not unicode)))


def prepare_streams() -> None:
    """What an encoding lacks is written as an escape instead of ending the program."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
