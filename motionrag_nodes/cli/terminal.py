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


class Console(rich.console.Console):
    """Rich's, which lets no character through that a terminal would obey, but for what Rich itself writes."""

    def render(self, *arguments: Any, **settings: Any) -> Iterable[Segment]:
        """As Rich's. Widths are right as well: text passes here before it is put into columns."""
        for segment in super().render(*arguments, **settings):
            yield segment if segment.control else Segment(shown(segment.text), segment.style)


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
