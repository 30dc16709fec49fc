"""The sample sheet: clips from all over the database, their frames and captions."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.format.manifest import newest_manifest
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting
from index_builder.report.drawing import EMPTY
from index_builder.report.sample_sheet import COLUMN_WIDTH, FRAME_HEIGHT, MARGIN, TEXT_HEIGHT, draw_sample_sheet
from tests.index_builder.sample_rows import write_database
from tests.index_builder.sample_videos import picture

BLOCK = TEXT_HEIGHT + FRAME_HEIGHT + MARGIN


def test_clips_stand_in_two_columns_with_their_frames(built: Path) -> None:
    database = MotionDatabase.open(built)
    sheet = np.asarray(draw_sample_sheet(database))
    assert sheet.shape == (MARGIN + 3 * BLOCK, MARGIN + 2 * (COLUMN_WIDTH + MARGIN), 3)
    # 64 x 48 videos: five frames of 107 px fill a column.
    for place, (source,) in enumerate(database.each_row("source")):
        seed = int(Path(source).stem.split("_")[1])
        below = MARGIN + place // 2 * BLOCK + TEXT_HEIGHT + FRAME_HEIGHT - 5
        right = MARGIN + place % 2 * (COLUMN_WIDTH + MARGIN) + 5 * 107 - 8
        due = picture(29, size=(64, 48), seed=seed)[-1, -1].astype(int)
        assert np.abs(sheet[below, right].astype(int) - due).max() < 16


def test_fewer_clips_make_a_smaller_sheet(built: Path) -> None:
    assert draw_sample_sheet(MotionDatabase.open(built), count=1).size == (COLUMN_WIDTH + 2 * MARGIN, MARGIN + BLOCK)


def test_unreadable_thumbnails_and_empty_databases_still_give_a_picture(tmp_path: Path) -> None:
    path = write_database(tmp_path / "db")
    sheet = np.asarray(draw_sample_sheet(MotionDatabase.open(path)))
    assert (sheet[MARGIN + TEXT_HEIGHT + 4, MARGIN + 4] == EMPTY).all()
    empty = MotionDatabase(path, replace(newest_manifest(path)[0], segments=(), indexes=()))
    assert np.asarray(draw_sample_sheet(empty)).max() > 100


def test_a_count_below_one_is_refused(built: Path) -> None:
    with pytest.raises(InvalidSetting, match="at least 1 clip, received 0"):
        draw_sample_sheet(MotionDatabase.open(built), count=0)
