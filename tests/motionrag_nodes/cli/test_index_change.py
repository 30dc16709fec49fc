"""`motionrag index remove|restore|merge|compact|rebuild-index|export` and search's filters, as their users see them."""

import json
from pathlib import Path

import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from index_builder.build import build_database
from index_builder.database.search import certified_index
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import MotionRAGError, RecallBelowTarget, SelectionEmpty
from motionrag_nodes.cli import index, index_options
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_rows import write_database
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())

    def invoke(*arguments: object):
        return CliRunner().invoke(index.app, [str(argument) for argument in arguments])

    return invoke


def told(result) -> dict:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "db")


def test_remove_dry_run_remove_and_restore(run, database: Path) -> None:
    foreseen = told(run("remove", database, "--source", "v1", "--dry-run", "--json"))
    assert (foreseen["count"], foreseen["clips"], foreseen["dry_run"]) == (2, 4, True)
    assert len(MotionDatabase.open(database)) == 6
    shown = run("remove", database, "--source", "v1", "--caption-words", "CAPTION 2")
    assert "1 clips removed, 5 clips left" in " ".join(shown.stdout.split())
    again = told(run("remove", database, "--source", "v1", "--caption-words", "caption", "--json"))
    assert (again["count"], again["clips"]) == (0, 5)
    assert "1 clips would be restored" in " ".join(run("restore", database, "--dry-run").stdout.split())
    assert told(run("restore", database, "--json"))["clips"] == 6


def test_remove_asks_what_to_remove(run, database: Path) -> None:
    result = run("remove", database)
    assert isinstance(result.exception, SelectionEmpty) and "received nothing" in str(result.exception)


def test_merge_compact_and_rebuild_index(run, database: Path, tmp_path: Path) -> None:
    write_database(tmp_path / "two", segments=[(4, 8, 9)])
    merged = told(run("merge", database, tmp_path / "two", "--output", tmp_path / "all", "--json"))
    assert merged["clips"] == 8
    assert [source["added"] for source in merged["sources"]] == [6, 2]
    assert "already there" in run("merge", database, "-o", tmp_path / "all").stdout
    run("remove", tmp_path / "all", "--source", "v0.mp4")
    foreseen = told(run("compact", tmp_path / "all", "--dry-run", "--json"))
    assert foreseen["removed_rows_left_out"] == 2 and foreseen["bytes_after"] is None
    assert "left out 2 removed; segments 4 to 1" in " ".join(run("compact", tmp_path / "all").stdout.split())
    rebuilt = told(run("rebuild-index", tmp_path / "all", "--json"))
    assert {facts["kind"] for facts in rebuilt["indexes"].values()} == {"flat"}
    assert "1.000" in run("rebuild-index", tmp_path / "all", "--kind", "flat").stdout


def test_a_recall_below_target_is_an_error_that_loses_nothing(
    run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(certified_index.EFFORTS, "efSearch", (1,))
    monkeypatch.setattr(certified_index, "HNSW_LINKS", 2)
    write_database(database, segments=[range(10, 600)])
    generation = MotionDatabase.open(database).generation
    result = run("rebuild-index", database, "--kind", "hnsw", "--target-recall", 1.0)
    assert isinstance(result.exception, RecallBelowTarget) and "--kind flat" in str(result.exception)
    opened = MotionDatabase.open(database)
    assert opened.generation == generation and opened.search_kind("text") == "flat"


def test_export_writes_what_is_asked_for(run, database: Path, tmp_path: Path) -> None:
    assert "6 clips" in run("export", database, tmp_path / "plain.parquet").stdout
    report = told(run("export", database, tmp_path / "all.pq", "--embeddings", "--thumbnails", "--tokens", "--json"))
    assert report["rows"] == 6 and set(report["columns"]) >= {"text_embedding", "thumbnail", "motion_tokens"}
    assert "motion_tokens" not in pyarrow.parquet.read_schema(tmp_path / "plain.parquet").names
    wrong = run("export", database, tmp_path / "all.csv")
    assert isinstance(wrong.exception, MotionRAGError) and "a .parquet file" in str(wrong.exception)


def test_search_filters(run, tmp_path: Path) -> None:
    for seed, (frames, caption) in enumerate([(30, "a ball rolls"), (15, "a kite falls"), (30, "the ball falls")]):
        write_video(tmp_path / "v" / f"clip{seed}.mp4", frames=frames, seed=seed).with_suffix(".txt").write_text(
            caption
        )
    build_database([tmp_path / "v"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1)

    def captions(*arguments: object) -> set[str]:
        found = json.loads(run("search", tmp_path / "db", "--prompt", "x", *arguments, "--json").stdout)
        return {item["caption"] for item in found}

    assert captions("--caption-words", "Ball") == {"a ball rolls", "the ball falls"}
    assert captions("--caption-words", "ball", "--caption-words", "falls") == {"the ball falls"}
    assert captions("--max-seconds", 1.5) == {"a kite falls"}
    assert captions("--min-seconds", 1.5, "--source", "clip[01]*") == {"a ball rolls"}


@pytest.mark.parametrize("command", ["remove", "restore", "merge", "compact", "rebuild-index", "export", "search"])
def test_every_command_explains_itself(run, command: str) -> None:
    text = run(command, "--help").output
    assert "--json" in text and len(text.splitlines()) > 10
    assert ("--dry-run" in text) == (command in ("remove", "restore", "compact"))
