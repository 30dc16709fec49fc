"""What a build does with captions: counts, windows from rows, alternatives, what is old."""

import json
from pathlib import Path

import numpy as np

from index_builder.build import build_database
from index_builder.captions.captions import CaptionPlan
from index_builder.captions.counts import caption_lines
from index_builder.database.search.reader import MotionDatabase
from index_builder.report.build_page import build_page
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


def captions_of(database: Path) -> dict[str, str | None]:
    return {
        Path(source).name: caption for source, caption in MotionDatabase.open(database).each_row("source", "caption")
    }


def test_a_build_counts_captions_by_where_they_come_from(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    for seed, name in enumerate("abcd"):
        write_video(tmp_path / "v" / f"{name}.mp4", seed=seed)
    (tmp_path / "v" / "b.txt").write_text("beside")
    (tmp_path / "v" / "metadata.jsonl").write_text('{"file_name": "c.mp4", "text": "of the folder"}\n')
    (tmp_path / "c.csv").write_text("path,caption\na.mp4,of the table\nclip_7.mp4,lost\n")
    report = build_database(
        [tmp_path / "v"], output=tmp_path / "db", encoder=encoder, captions=tmp_path / "c.csv", workers=1
    )
    assert captions_of(tmp_path / "db") == {
        "a.mp4": "of the table",
        "b.mp4": "beside",
        "c.mp4": "of the folder",
        "d.mp4": None,
    }
    told = json.loads(json.dumps(report.as_dict()))["captions"]
    assert told["by_source"] == {"table": 1, "sidecar": 1, "metadata": 1} and told["clips_without"] == 1
    assert (told["rows"], told["matched"], told["unmatched"]) == (2, 1, ["clip_7.mp4"])
    page = build_page(MotionDatabase.open(tmp_path / "db"), report)
    assert "clips with a caption: 3 (1 from table, 1 from sidecar, 1 from metadata); without: 1" in page
    assert "no video that was found is called so: clip_7.mp4" in page


def test_a_table_that_comes_later_is_not_passed_over_in_silence(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    for seed, name in enumerate("ab"):
        write_video(tmp_path / "v" / f"{name}.mp4", seed=seed)
    (tmp_path / "v" / "b.txt").write_text("as it was")
    settings = {"output": tmp_path / "db", "encoder": encoder, "workers": 1}
    build_database([tmp_path / "v"], **settings)
    (tmp_path / "c.csv").write_text("path,caption\na.mp4,runs\nb.mp4,as it was\n")
    for clips_per_video in (1, None):
        report = build_database(
            [tmp_path / "v"], **settings, captions=tmp_path / "c.csv", clips_per_video=clips_per_video
        )
        assert not report.indexed and report.captions.outdated == 1
    lines = [line for _, line in caption_lines(report.captions, database=report.database)]
    assert f"motionrag index caption {tmp_path / 'db'} {tmp_path / 'c.csv'} corrects them" in lines[-1]


def test_rows_with_windows_become_clips_of_these_windows(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    write_video(tmp_path / "v" / "a.mp4", seed=1, frames=75)
    write_video(tmp_path / "v" / "b.mp4", seed=2, frames=75)
    rows = "a.mp4,0.5,1.25,turns\na.mp4,4,9,stops\na.mp4,7,8,never\nb.mp4,,,runs\n"
    (tmp_path / "c.csv").write_text(f"video,start_sec,end_sec,motion_caption\n{rows}")
    settings = {"output": tmp_path / "db", "encoder": encoder, "workers": 1}
    plan = CaptionPlan(table=tmp_path / "c.csv", column="motion_caption")
    report = build_database([tmp_path / "v"], **settings, captions=plan)
    rows = MotionDatabase.open(tmp_path / "db").each_row("start_sec", "end_sec", "caption")
    assert sorted(rows) == [(0.5, 1.25, "turns"), (1.5, 3.5, "runs"), (4.0, 5.0, "stops")]
    assert [entry.reason for entry in report.failed] == ["its window of 7 to 8 s begins behind its end at 5 s"]
    again = build_database([tmp_path / "v"], **settings, captions=plan)
    assert not again.indexed and len(again.skipped) == 3 and again.captions.outdated == 0


def test_alternatives_are_kept_and_found_by_any_of_them(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    write_video(tmp_path / "v" / "a.mp4", seed=1)
    (tmp_path / "c.csv").write_text("path,caption\na.mp4,red car\na.mp4,blue boat\n")
    plan = CaptionPlan(table=tmp_path / "c.csv", several="all")
    build_database([tmp_path / "v"], output=tmp_path / "db", encoder=encoder, captions=plan, workers=1)
    database = MotionDatabase.open(tmp_path / "db")
    assert captions_of(tmp_path / "db") == {"a.mp4": "red car | blue boat"}
    stored, asked = database.embeddings(database.ids(), "text")[0], encoder.encode_text(["red car", "blue boat"])
    assert abs(np.linalg.norm(stored) - 1) < 1e-5
    assert np.allclose(asked @ stored, (asked @ stored)[0], atol=1e-5) and (asked @ stored)[0] > 0.6
