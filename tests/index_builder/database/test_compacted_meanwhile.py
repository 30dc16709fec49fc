"""A database that is compacted between any two looks at it: nobody takes its old files for damage."""

from collections.abc import Callable
from pathlib import Path

import pytest

from index_builder.database.format import manifest, stored_hash
from index_builder.database.maintain import known_rows, merge
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.merge import merge_databases
from index_builder.database.maintain.remove import remove_rows, restore_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search import reader
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from tests.index_builder.sample_rows import batch, open_writer, row_id, write_database

ALL = {row_id(number) for number in (0, 1, 2, 3, 5)}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Compacting replaces its segments: they are small, and one row is removed."""
    write_database(tmp_path / "db")
    remove_rows(tmp_path / "db", RowFilter(ids=(row_id(4),)))
    return tmp_path / "db"


def compact_before_call(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, database: Path, number: int = 1
) -> Callable[[], int]:
    """Another process compacts `database` before the call of that number; gives back how many calls there were."""
    original, calls = getattr(module, name), []

    def disturbed(*arguments, **settings):
        calls.append(name)
        if len(calls) == number:
            compact_database(database)
        return original(*arguments, **settings)

    monkeypatch.setattr(module, name, disturbed)
    return lambda: len(calls)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_while_a_writer_opens(database: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = compact_before_call(monkeypatch, known_rows, "check_size", database, number)
    with open_writer(database) as writer:
        assert calls() >= number
        writer.commit_rows(batch([9]))
    assert set(MotionDatabase.open(database).ids()) == {*ALL, row_id(9)}


@pytest.mark.parametrize("number", [1, 2])
def test_between_listing_and_reading_manifests(database: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    compact_before_call(monkeypatch, manifest, "read_manifest", database, number)
    assert set(MotionDatabase.open(database).ids()) == ALL
    with open_writer(database):
        pass


@pytest.mark.parametrize("number", [1, 3, 5])
def test_while_a_reader_opens(database: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = compact_before_call(monkeypatch, reader, "check_size", database, number)
    assert set(MotionDatabase.open(database).ids()) == ALL and calls() >= number


@pytest.mark.parametrize("number", [1, 2, 4])
def test_while_it_is_verified(database: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    calls = compact_before_call(monkeypatch, stored_hash, "check_size", database, number)
    assert verify_database(database).problems == () and calls() >= number


@pytest.mark.parametrize("number", [1, 2])
def test_while_it_is_merged_into_another(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    write_database(tmp_path / "other", segments=[(0,)])
    calls = compact_before_call(monkeypatch, merge, "read_rows", database, number)
    report = merge_databases([database], output=tmp_path / "other")
    assert calls() > number and set(MotionDatabase.open(tmp_path / "other").ids()) == ALL
    (merged,) = report.sources
    assert (merged.added, merged.already_there) == (4, 1)


def test_before_a_restore_reads_what_it_restores(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from index_builder.database.maintain import remove

    compact_before_call(monkeypatch, remove, "_described", database)
    report = restore_rows(database, RowFilter())
    assert [row.row_id for row in report.rows] == [row_id(4)]


def test_real_damage_is_still_reported(database: Path) -> None:
    next((database / "segments").glob("*/rows.arrow")).write_bytes(b"x")
    assert verify_database(database).problems
