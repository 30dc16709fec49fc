"""What the kill harness disturbs: each job prepares a folder and then does one thing to the database in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet

from index_builder.database.commit.publisher import Publisher, writing
from index_builder.database.maintain.compact import compact_database
from index_builder.database.maintain.export import export_database
from index_builder.database.maintain.merge import merge_databases
from index_builder.database.maintain.remove import remove_rows, restore_rows
from index_builder.database.maintain.rewrite_rows import RowChange, rewrite_rows
from index_builder.database.search.index_commit import rebuild_indexes
from index_builder.database.search.row_filter import RowFilter
from tests.index_builder.sample_rows import row_id, unit_vector, write_database

Act = Callable[[Path], object]


@dataclass(frozen=True, kw_only=True)
class Job:
    """`prepare` and `act` take the folder; the database is `db` in it. `problems` looks at what else an act leaves."""

    act: Act
    prepare: Act = lambda folder: None
    problems: Callable[[Path], list[str]] = lambda folder: []


def used_database(folder: Path) -> None:
    """Six rows in three segments, one of them removed, with indexes."""
    write_database(folder / "db")
    remove_rows(folder / "db", RowFilter(ids=(row_id(4),)))


def and_others(folder: Path) -> None:
    """`used_database`, and beside it two that overlap with it and with each other."""
    used_database(folder)
    write_database(folder / "one", segments=[(5, 6), (7,)])
    write_database(folder / "two", segments=[(4, 7, 8)])


def add(*segments: tuple[int, ...]) -> Act:
    def act(folder: Path) -> None:
        with writing(folder / "db", remedy="run it again"):
            write_database(folder / "db", segments=segments)

    return act


def remove(*names: str) -> Act:
    return lambda folder: remove_rows(folder / "db", RowFilter(sources=names))


def merge(folder: Path) -> None:
    merge_databases([folder / "one", folder / "two"], output=folder / "db")


def caption(folder: Path) -> None:
    """Two rows of two segments get other captions."""
    changes = {row_id(number): RowChange(values={"caption": "new"}, text=unit_vector(0, 9)) for number in (1, 5)}
    with writing(folder / "db", remedy="run it again"), Publisher.open(folder / "db") as publisher:
        rewrite_rows(publisher, changes)


def export(folder: Path) -> None:
    export_database(folder / "db", folder / "out.parquet", tokens=True)


def half_an_export(folder: Path) -> list[str]:
    """An exported file is there whole, or not at all."""
    path = folder / "out.parquet"
    if path.exists() and pyarrow.parquet.read_table(path).num_rows != 5:
        return [f"{path} is not whole"]
    return []


JOBS: Mapping[str, Job] = {
    "new": Job(act=add((0, 1), (2,))),
    "add": Job(prepare=used_database, act=add((10, 11), (12,))),
    "remove": Job(prepare=used_database, act=remove("v0")),
    "restore": Job(prepare=used_database, act=lambda folder: restore_rows(folder / "db", RowFilter())),
    "merge": Job(prepare=and_others, act=merge),
    "compact": Job(prepare=used_database, act=lambda folder: compact_database(folder / "db")),
    "caption": Job(prepare=used_database, act=caption),
    "rebuild-index": Job(prepare=used_database, act=lambda folder: rebuild_indexes(folder / "db")),
    "export": Job(prepare=used_database, act=export, problems=half_an_export),
    # What others do meanwhile.
    "add-other": Job(act=add((11, 13))),
    "remove-other": Job(act=remove("v1")),
}


def video_job(videos: Path) -> Job:
    """A whole build, decode workers included.

    It alone needs torch: a process that has loaded it starts in seconds, and its forks take long.
    """
    from index_builder.build import build_database
    from tests.index_builder.projection_encoder import ProjectionEncoder

    encoder = ProjectionEncoder()

    def build(folder: Path) -> None:
        build_database([videos], output=folder / "db", encoder=encoder, workers=1, batch_clips=1, commit_clips=2)

    return Job(act=build)
