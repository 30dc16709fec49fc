"""A database in numbers."""

import json
from pathlib import Path

from index_builder.database.maintain.summary import summarise
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.sample_rows import write_database


def test_counts_what_is_there(tmp_path: Path) -> None:
    summary = summarise(MotionDatabase.open(write_database(tmp_path / "db")))
    assert (summary.clips, summary.videos, summary.captioned, summary.removed, summary.segments) == (6, 3, 4, 0, 3)
    assert summary.clip_seconds_total == 12.0 and summary.frame_sizes == {"64x48": 6}
    assert summary.search == {"text": "flat", "frame": "flat"} and summary.tokens == {"numbers (tokens-1)": [2, 3]}
    assert all(size > 0 for size in summary.size_bytes.values())
    assert json.loads(json.dumps(summary.as_dict()))["generation"] == 4
