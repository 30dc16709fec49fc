"""The books of a build: each video ends once, and the counts add up."""

import pytest

from index_builder.build_report import BuildReport, Ledger
from index_builder.errors import InvalidSetting


def test_videos_end_when_all_their_clips_have() -> None:
    ledger = Ledger(["a", "b"])
    ledger.expect("a", 2)
    ledger.end("a", "indexed", row_id="a@1")
    assert ledger.done_videos == 0 and ledger.open_sources == ["a", "b"]
    ledger.end("a", "failed", row_id="a@2", reason="torn")
    ledger.end("b", "skipped", reason="known")
    assert ledger.done_videos == 2 and not ledger.open_sources
    with pytest.raises(InvalidSetting, match="to end once"):
        ledger.end("b", "indexed")


def test_a_video_counts_once_by_its_best_end() -> None:
    ledger = Ledger(["a", "b", "c"])
    ledger.expect("a", 2)
    ledger.end("a", "indexed", row_id="a@1")
    ledger.end("a", "failed", row_id="a@2", reason="torn")
    ledger.expect("b", 2)
    ledger.end("b", "failed", row_id="b@1", reason="torn")
    ledger.end("b", "skipped", row_id="b@2", reason="known")
    ledger.end("c", "skipped", reason="known")
    report = BuildReport(
        database="db",
        generation=1,
        rows=1,
        found_videos=ledger.found_videos,
        indexed=ledger.sorted("indexed"),
        skipped=ledger.sorted("skipped"),
        failed=ledger.sorted("failed"),
        seconds=1.0,
        interrupted=False,
    )
    assert report.as_dict()["videos"] == {"found": 3, "indexed": 1, "skipped": 1, "failed": 1}
    assert report.as_dict()["clips"] == {"indexed": 1, "skipped": 2, "failed": 2}
