"""The comparison with LanceDB, at a tiny size: both give the same clips and tokens."""

from pathlib import Path

from benchmarks import query


def test_both_databases_answer_alike(tmp_path: Path) -> None:
    line = query.measure(300, tmp_path, dim=32, repeats=1)
    assert line["ours_recall"] == line["lance_recall"] == 1.0 and line["first_query_same_tokens"]
    assert line["ours_ms"] > 0 and line["lance_ms"] > 0
