"""Captions corrected later: rows get other words and embeddings, tokens stay, indexes follow."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.captions.captions import CaptionPlan
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.recaption import recaption_database
from index_builder.database.maintain.remove import remove_rows, restore_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.errors import CaptionTableInvalid, InvalidSetting
from tests.index_builder.projection_encoder import ProjectionEncoder


def stored(database: Path) -> dict[str, str | None]:
    return {Path(source).name: text for source, text in MotionDatabase.open(database).each_row("source", "caption")}


def table(path: Path, rows: str, header: str = "path,caption") -> CaptionPlan:
    path.write_text(f"{header}\n{rows}", encoding="utf-8")
    return CaptionPlan(table=path)


def test_captions_change_and_everything_else_stays(tmp_path: Path, database: Path, encoder: ProjectionEncoder) -> None:
    before = MotionDatabase.open(database)
    ids = before.ids()
    tokens, frames = before.tokens(ids, fingerprint=before.tokens_fingerprints[0]), before.embeddings(ids, "frame")
    same = stored(database)["clip_0.mp4"]
    plan = table(tmp_path / "c.csv", f"clip_0.mp4,{same}\nclip_1.mp4,a dog barks\nclip_4.mp4,a cat sleeps\nx.mp4,y\n")
    foreseen = recaption_database(database, plan, encoder=encoder, dry_run=True)
    assert stored(database)["clip_4.mp4"] is None and len(foreseen.changed) == 2
    report = recaption_database(database, plan, encoder=encoder)
    assert {(Path(row.source).name, row.before, row.after) for row in report.changed} == {
        ("clip_1.mp4", "a square of kind 1 moves right", "a dog barks"),
        ("clip_4.mp4", None, "a cat sleeps"),
    }
    assert (report.same, report.unnamed, report.table.unmatched) == (1, 2, ("x.mp4",))
    after = MotionDatabase.open(database)
    assert stored(database)["clip_1.mp4"] == "a dog barks" and after.ids() == ids and verify_database(database).sound
    now = after.tokens(ids, fingerprint=after.tokens_fingerprints[0])
    assert np.array_equal(now.motion_tokens, tokens.motion_tokens)
    assert np.array_equal(now.appearance_tokens, tokens.appearance_tokens)
    assert np.array_equal(after.embeddings(ids, "frame"), frames)
    best = after.search(encoder.encode_text(["a cat sleeps"])[0], field="text", k=1)[0]
    assert Path(after.rows([best.row_id])[0].source).name == "clip_4.mp4" and best.score > 0.999
    assert after.search_kind("text") == "flat" and after.search_kind("frame") == "flat"
    again = recaption_database(database, plan, encoder=encoder)
    assert not again.changed and again.generation == report.generation


def test_only_segments_with_changed_rows_are_written_and_their_tokens_are_linked(
    tmp_path: Path, database: Path, encoder: ProjectionEncoder
) -> None:
    before = MotionDatabase.open(database).manifest
    recaption_database(database, table(tmp_path / "c.csv", "clip_4.mp4,x\n"), encoder=encoder)
    after = MotionDatabase.open(database).manifest
    changed = [(old, new) for old, new in zip(before.segments, after.segments, strict=True) if old != new]
    assert len(changed) == 1
    old, new = changed[0]
    assert old.tokens[0].sha256 == new.tokens[0].sha256
    assert (database / old.tokens[0].path).samefile(database / new.tokens[0].path)
    # The index over frames goes on serving.
    assert {index.path for index in before.indexes if index.field == "frame"} < {index.path for index in after.indexes}


def test_a_table_of_windows_captions_the_clips_of_these_windows(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder
) -> None:
    plan = table(tmp_path / "c.csv", "clip_0,0,1,a\nclip_0,1,9,b\n", "video,start_sec,end_sec,caption")
    build_database([video_folder / "clip_0.mp4"], output=tmp_path / "db", encoder=encoder, captions=plan, workers=1)
    plan = table(tmp_path / "c.csv", "clip_0,0,1,first\nclip_0,1,9,second\n", "video,start_sec,end_sec,caption")
    report = recaption_database(tmp_path / "db", plan, encoder=encoder)
    assert sorted((row.before, row.after) for row in report.changed) == [("a", "first"), ("b", "second")]


def test_removed_rows_come_back_with_their_new_caption(
    tmp_path: Path, database: Path, encoder: ProjectionEncoder
) -> None:
    remove_rows(database, RowFilter(sources=("clip_1.mp4",)))
    recaption_database(database, table(tmp_path / "c.csv", "clip_1.mp4,x\n"), encoder=encoder)
    assert "clip_1.mp4" not in stored(database)
    restore_rows(database, RowFilter())
    assert stored(database)["clip_1.mp4"] == "x"
    compact_database(database)
    assert stored(database)["clip_1.mp4"] == "x" and verify_database(database).sound


def test_alternatives_and_what_cannot_be_read(tmp_path: Path, database: Path, encoder: ProjectionEncoder) -> None:
    plan = table(tmp_path / "c.csv", "clip_4.mp4,one\nclip_4.mp4,two\n")
    with pytest.raises(CaptionTableInvalid, match="one caption for each clip"):
        recaption_database(database, replace(plan, several="error"), encoder=encoder)
    recaption_database(database, replace(plan, several="all"), encoder=encoder)
    assert stored(database)["clip_4.mp4"] == "one | two"
    with pytest.raises(InvalidSetting, match="Expected a caption table"):
        recaption_database(database, CaptionPlan(), encoder=encoder)
