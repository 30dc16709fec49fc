"""Facts in words: what `inspect` and the build's page say of a database."""

from dataclasses import replace
from pathlib import Path

import pytest

from index_builder.database.maintain.summary import summarise
from index_builder.database.search.reader import MotionDatabase
from index_builder.report.facts import describe, readable_duration, readable_size


def test_facts_of_a_database(built: Path) -> None:
    summary = summarise(MotionDatabase.open(built))
    facts = dict(describe(summary))
    assert facts["clips"] == "5" and facts["with caption"] == "3 of 5" and facts["frame sizes"] == "64x48: 5"
    assert facts["text and first frames by"].startswith("fixed projection 0 (32)")
    assert facts["motion tokens by"] == "projection-0 (projection-tokens-0): 4 x 6"
    assert facts["search by text"] == "flat (every row is compared, recall 1)" == facts["search by frame"]
    graph = {"recall_at_10": 0.97, "parameter": "efSearch", "effort": 64, "queries": 200}
    measured = replace(summary, search={"frame": "hnsw32_sqfp16"}, search_measured={"frame": graph})
    shown = "hnsw32_sqfp16, recall@10 0.970 on 200 held-out clips (efSearch 64)"
    assert dict(describe(measured))["search by frame"] == shown
    older = replace(measured, search_measured={"frame": {}})
    assert dict(describe(older))["search by frame"] == "hnsw32_sqfp16, recall not measured"
    total = sum(file.size_bytes for file in MotionDatabase.open(built).manifest.files)
    assert facts["disk"].startswith(f"{readable_size(total)}, {readable_size(total / 5)} a clip (rows: ")
    assert dict(describe(replace(summary, removed=1200)))["clips"] == "5 (1,200 removed)"


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")])
def test_sizes(size: int, shown: str) -> None:
    assert readable_size(size) == shown


@pytest.mark.parametrize(("seconds", "shown"), [(3.21, "3.2 s"), (600, "10 min"), (2_000_040, "555 h 34 min")])
def test_durations(seconds: float, shown: str) -> None:
    assert readable_duration(seconds) == shown
