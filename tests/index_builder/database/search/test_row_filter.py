"""Sources are literal names before they are patterns."""

from dataclasses import replace
from pathlib import Path

import pytest

from index_builder.database.maintain.remove import remove_rows
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from tests.index_builder.sample_rows import batch, open_writer

NAMES = ["walk [a1].mp4", "walk a.mp4", "walk 1.mp4", "walk [2024-01-02].mp4", "why?.mp4", "whys.mp4", "5 * 3.mp4"]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    rows = batch(range(len(NAMES)))
    named = [replace(row, source=f"/v/{name}") for row, name in zip(rows.rows, NAMES, strict=True)]
    with open_writer(tmp_path / "db") as writer:
        writer.commit_rows(replace(rows, rows=named))
    return tmp_path / "db"


def matching(database: Path, *sources: str) -> list[str]:
    opened = MotionDatabase.open(database)
    return [Path(row.source).name for row in opened.rows(opened.matching(RowFilter(sources=sources)))]


@pytest.mark.parametrize("name", [NAMES[0], NAMES[3], NAMES[4], NAMES[6]])
def test_a_name_with_the_signs_of_a_pattern_means_itself(database: Path, name: str) -> None:
    for written in (name, f"/v/{name}", f"v/{name}", Path(name).stem):
        assert matching(database, written) == [name]


def test_what_names_no_video_is_a_pattern(database: Path) -> None:
    assert matching(database, "walk [a-z].mp4") == ["walk a.mp4"]
    assert matching(database, "walk [!a].mp4") == ["walk 1.mp4"]
    assert matching(database, "*.mp4") == NAMES
    assert matching(database, "wh*", NAMES[0]) == [NAMES[0], "why?.mp4", "whys.mp4"]


def test_a_name_of_a_removed_video_still_means_that_one(database: Path) -> None:
    for _ in range(2):
        remove_rows(database, RowFilter(sources=(NAMES[0],)))
    assert len(MotionDatabase.open(database)) == len(NAMES) - 1
