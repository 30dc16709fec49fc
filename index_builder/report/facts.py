"""A database's facts in words, as the command line and the written report both show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index_builder.database.maintain.summary import DatabaseSummary

EXACT = ("exact", "flat")


def readable_size(size: float) -> str:
    """A number of bytes in the largest unit that keeps it above one."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def describe(summary: DatabaseSummary) -> list[tuple[str, str]]:
    """Names and values in the order in which people ask: how much, of what, by which encoders, how found, how large."""
    return [
        ("clips", _clips(summary)),
        ("videos", f"{summary.videos:,}"),
        ("with caption", f"{summary.captioned:,} of {summary.clips:,}"),
        ("length", readable_duration(summary.clip_seconds_total)),
        ("frame sizes", _listed(summary.frame_sizes)),
        *_spaces(summary),
        ("motion tokens by", _listed({name: " x ".join(map(str, size)) for name, size in summary.tokens.items()})),
        ("decoded as", _listed(summary.decoding)),
        ("decoders", _listed(summary.decoders)),
        *((f"search by {field}", _search(summary, field)) for field in summary.search),
        ("disk", _disk(summary)),
        ("segments", f"{summary.segments:,}"),
        ("generation", f"{summary.generation}, format version {summary.format_version}"),
    ]


def readable_duration(seconds: float) -> str:
    """Seconds, or hours and minutes where they are many."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def _clips(summary: DatabaseSummary) -> str:
    return f"{summary.clips:,}" + (f" ({summary.removed:,} removed)" if summary.removed else "")


def _spaces(summary: DatabaseSummary) -> list[tuple[str, str]]:
    """Which encoders look clips up."""
    frames = f"{summary.retrieval}, fingerprint {summary.retrieval_fingerprint}"
    if summary.text_space is None:
        return [("text and first frames by", frames)]
    captions = f"{summary.text_space['description']}, fingerprint {summary.text_space['fingerprint']}"
    return [("captions by", captions), ("first frames by", frames)]


def _search(summary: DatabaseSummary, field: str) -> str:
    """The kind of index, and the recall that was measured when it was built."""
    kind, measured = summary.search[field], summary.search_measured[field]
    if kind in EXACT or not {"recall_at_10", "queries", "parameter", "effort"} <= measured.keys():
        return f"{kind} (every row is compared, recall 1)" if kind in EXACT else f"{kind}, recall not measured"
    return (
        f"{kind}, recall@10 {measured['recall_at_10']:.3f} on {measured['queries']} held-out clips "
        f"({measured['parameter']} {measured['effort']})"
    )


def _disk(summary: DatabaseSummary) -> str:
    total = sum(summary.size_bytes.values())
    each = f", {readable_size(total / summary.clips)} a clip" if summary.clips else ""
    return f"{readable_size(total)}{each} ({_listed({k: readable_size(v) for k, v in summary.size_bytes.items()})})"


def _listed(values: Mapping[str, object]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items()) or "none"
