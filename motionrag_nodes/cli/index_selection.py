"""Options that choose clips of a database, alike in every command that takes them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from index_builder.database.search.row_filter import RowFilter

Sources = Annotated[
    list[str] | None,
    typer.Option("--source", help="Video: path, file name, stem, folder, or pattern with * ? [...]. Repeatable."),
]
RowIds = Annotated[list[str] | None, typer.Option("--id", help="Row id, as search --json gives it. Repeatable.")]
CaptionWords = Annotated[
    list[str] | None,
    typer.Option("--caption-words", help="Words that the caption must all contain, in any case. Repeatable."),
]
MinSeconds = Annotated[float | None, typer.Option("--min-seconds", help="Minimum length of the clip, in seconds.")]
MaxSeconds = Annotated[float | None, typer.Option("--max-seconds", help="Maximum length of the clip, in seconds.")]


def row_filter(
    sources: Sequence[str] | None,
    ids: Sequence[str] | None,
    caption_words: Sequence[str] | None,
    min_seconds: float | None,
    max_seconds: float | None,
) -> RowFilter:
    """The filter that the options ask for. A relative path that exists is meant as such: databases store full paths."""
    from index_builder.database.search.row_filter import RowFilter

    return RowFilter(
        sources=tuple(os.path.abspath(name) if _is_path_here(name) else name for name in sources or ()),
        ids=tuple(ids or ()),
        caption_words=tuple(caption_words or ()),
        min_seconds=min_seconds,
        max_seconds=max_seconds,
    )


def _is_path_here(name: str) -> bool:
    return bool(name) and not os.path.isabs(name) and Path(name).exists()
