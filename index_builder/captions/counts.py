"""What became of captions: of the rows of a table, and of the clips of a build."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, get_args

Source = Literal["table", "sidecar", "metadata"]
SHOWN_NAMES = 5


@dataclass(frozen=True, kw_only=True)
class CaptionCounts:
    """rows of `table` = matched + ambiguous (their names mean several videos) + unmatched (they mean none) + unusable;
    empty: rows without a caption; several: clips with several different captions; problems: what could not be
    read, and why.

    Of the clips that were indexed: `by_source` and `clips_without` a caption. outdated: clips that were indexed
    earlier, for which the table now says something else."""

    table: str | None = None
    column: str | None = None
    rows: int = 0
    unusable: int = 0
    matched: int = 0
    ambiguous: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    empty: int = 0
    several: int = 0
    problems: tuple[str, ...] = ()
    by_source: dict[Source, int] = field(default_factory=lambda: dict.fromkeys(get_args(Source), 0))
    clips_without: int = 0
    outdated: int = 0


def caption_lines(counts: CaptionCounts, *, database: str) -> Iterator[tuple[bool, str]]:
    """The account in sentences; true marks what somebody should look at."""
    with_caption = sum(counts.by_source.values())
    if with_caption or counts.clips_without:
        sources = ", ".join(f"{count:,} from {name}" for name, count in counts.by_source.items() if count)
        listed = f" ({sources})" if sources else ""
        yield False, f"clips with a caption: {with_caption:,}{listed}; without: {counts.clips_without:,}"
    if counts.table is not None:
        yield (
            counts.matched < counts.rows,
            f"caption table {counts.table}: {counts.rows:,} rows, {counts.matched:,} matched, "
            f"{len(counts.ambiguous):,} ambiguous, {len(counts.unmatched):,} matching nothing"
            + (f", {counts.unusable:,} unusable" if counts.unusable else "")
            + (f"; {counts.empty:,} say nothing" if counts.empty else "")
            + f" (column {counts.column})",
        )
    for names, what in (
        (counts.ambiguous, "ambiguous, several videos are called so: give their folders"),
        (counts.unmatched, "matching nothing, no video that was found is called so"),
    ):
        if names:
            more = f" and {len(names) - SHOWN_NAMES:,} more" if len(names) > SHOWN_NAMES else ""
            yield True, f"{what}: {', '.join(names[:SHOWN_NAMES])}{more}"
    if counts.several:
        yield True, f"{counts.several:,} clips have several different captions (--several-captions says what is done)"
    for problem in counts.problems[:SHOWN_NAMES]:
        yield True, problem
    if len(counts.problems) > SHOWN_NAMES:
        yield True, f"and {len(counts.problems) - SHOWN_NAMES:,} more of such; --json lists all"
    if counts.outdated:
        yield (
            True,
            f"{counts.outdated:,} clips were indexed earlier with another caption or none, and keep it: "
            f"motionrag index caption {database} {counts.table} corrects them",
        )
