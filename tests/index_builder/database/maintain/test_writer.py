"""Writing: the order of a commit, several builders, other encoders, damaged and foreign manifests."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.database.commit import durable_files
from index_builder.database.commit.segment_files import RowBatch
from index_builder.database.format.manifest import list_generations, manifest_path, read_manifest
from index_builder.database.format.tokens import StoredTokens
from index_builder.database.maintain.verify import verify_database
from index_builder.database.maintain.writer import DatabaseWriter
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import CommitConflict, DatabaseMismatch, InvalidSetting
from tests.index_builder.kill_points import CALLS
from tests.index_builder.sample_rows import SAMPLING, TEMPLATE, batch, open_writer, row_id, write_database


def test_what_is_committed_is_read(tmp_path: Path) -> None:
    opened = MotionDatabase.open(write_database(tmp_path / "db"))
    assert opened.ids() == [row_id(number) for number in range(6)]
    assert opened.generation == 4 and len(opened.manifest.segments) == 3
    assert {index.field for index in opened.manifest.indexes} == {"text", "frame"}


def test_the_order_of_a_commit_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a manifest names is on the disk, names included, before the manifest has its final name."""
    calls: list[tuple[str, tuple]] = []
    for name in CALLS:
        original = getattr(durable_files, name)

        def record(*arguments, name=name, original=original):
            calls.append((name, arguments))
            return original(*arguments)

        monkeypatch.setattr(durable_files, name, record)
    write_database(tmp_path / "db", segments=[(0, 1)])
    dirty_files, dirty_folders = set(), set()
    published = 0
    for name, arguments in calls:
        path = arguments[0]
        if name == "write_new" and path.parent.name != ".builders":
            dirty_files.add(path)
            dirty_folders.add(path.parent)
        elif name == "fsync_file":
            dirty_files.discard(path)
        elif name == "fsync_folder":
            dirty_folders.discard(path)
        elif name == "rename":
            assert not {file for file in dirty_files if file == path or path in file.parents}
            assert path not in dirty_folders
            if arguments[1].name.startswith("manifest-"):
                published += 1
                folders = {tmp_path / "db" / name for name in ("segments", "indexes")}
                assert not dirty_files and not dirty_folders & folders
            dirty_folders.add(arguments[1].parent)
    assert published == 2 and not dirty_files
    assert not dirty_folders & {tmp_path / "db", tmp_path / "db" / "segments"}


def test_rows_that_are_there_are_left_out(tmp_path: Path) -> None:
    with open_writer(tmp_path / "db") as writer:
        assert writer.commit_rows(batch([0, 1])) == set()
        assert writer.commit_rows(batch([1, 2])) == {row_id(1)}
        assert writer.commit_rows(batch([0, 2])) == {row_id(0), row_id(2)}
    opened = MotionDatabase.open(tmp_path / "db")
    assert sorted(opened.ids()) == [row_id(number) for number in range(3)]
    assert opened.tokens([row_id(2)], fingerprint="tokens-1").motion_tokens[0, 0, 0] == 2


def test_builders_at_the_same_time_lose_nothing_and_store_nothing_twice(tmp_path: Path) -> None:
    committed: dict[int, set[str]] = {}

    def work(builder: int) -> None:
        with open_writer(tmp_path / "db") as writer:
            for first in range(0, 40, 4):
                numbers = [(first + builder * 20 + step) % 40 for step in range(4)]
                left_out = writer.commit_rows(batch(numbers))
                committed.setdefault(builder, set()).update({row_id(n) for n in numbers} - left_out)
            writer.commit_indexes()

    builders = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join()
    opened = MotionDatabase.open(tmp_path / "db")
    assert sorted(opened.ids()) == sorted(row_id(number) for number in range(40))
    assert opened.manifest.row_count == 40
    assert sum(len(ids) for ids in committed.values()) == 40
    report = verify_database(tmp_path / "db")
    assert report.sound and report.notes == ()


def test_other_encoders_are_refused_with_the_remedy(tmp_path: Path) -> None:
    write_database(tmp_path / "db")
    space = replace(TEMPLATE.tokens[0], fingerprint="tokens-2", encoder_name="others")
    for template, message in (
        (
            replace(TEMPLATE, retrieval_fingerprint="x", retrieval_description="words (8)"),
            r"encoded by words \(8\) \(x\)",
        ),
        (replace(TEMPLATE, tokens=(space,)), r"motion tokens of others \(tokens-2\) in"),
        (replace(TEMPLATE, clips={**TEMPLATE.clips, "seconds": 3.0}), "decoded as"),
    ):
        with pytest.raises(DatabaseMismatch, match=message):
            DatabaseWriter(tmp_path / "db", template=template, sampling=SAMPLING)
    assert list((tmp_path / "db" / ".builders").iterdir()) == []
    renamed = replace(TEMPLATE, tokens=(replace(TEMPLATE.tokens[0], encoder_name="renamed pack"),))
    DatabaseWriter(tmp_path / "db", template=renamed, sampling=SAMPLING).presence.release()


def test_a_damaged_newest_manifest_does_not_stop_the_next_build(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db", segments=[(0,), (1,)])
    newest = list_generations(database)[0]
    manifest_path(database, newest).write_bytes(b"torn")
    with open_writer(database) as writer:
        writer.commit_rows(batch([2]))
    opened = MotionDatabase.open(database)
    assert opened.generation == newest + 1
    assert opened.ids() == [row_id(0), row_id(1), row_id(2)]


def test_a_builder_that_slept_through_many_commits_does_not_hide_its_rows(tmp_path: Path) -> None:
    """Its number may be free again, since old manifests are removed; publishing there alone would lose the rows."""
    database = write_database(tmp_path / "db", segments=[(0,)])
    sleeper = open_writer(database)
    original, slept = sleeper.current, []

    def sleep_once(generations=None):
        manifest = original(generations)
        if generations and not slept:
            slept.append(generations)
            write_database(database, segments=[(number,) for number in range(1, 4)])
            for generation in list_generations(database)[1:]:
                manifest_path(database, generation).unlink()
        return manifest

    sleeper.current = sleep_once
    sleeper.commit_rows(batch([9]))
    sleeper.presence.release()
    assert slept and slept[0][0] + 1 not in list_generations(database)
    assert set(MotionDatabase.open(database).ids()) == {row_id(number) for number in (0, 1, 2, 3, 9)}


def test_a_commit_between_reading_and_publishing_is_built_upon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = write_database(tmp_path / "db", segments=[(0,)])
    with open_writer(database) as writer:
        original = durable_files.fsync_file

        def interfere(path: Path) -> None:
            original(path)
            if writer.presence.temporary("manifest") in path.parent.name:
                monkeypatch.undo()
                write_database(database, segments=[(1,)])

        monkeypatch.setattr(durable_files, "fsync_file", interfere)
        writer.commit_rows(batch([2]))
    assert set(MotionDatabase.open(database).ids()) == {row_id(number) for number in range(3)}


def test_giving_up_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = durable_files.rename

    def too_late(source: Path, target: Path) -> None:
        if target.name.startswith("claim-"):
            number = int(target.name.removeprefix("claim-"))
            manifest_path(tmp_path / "db", number).write_bytes(b"of another builder")
        rename(source, target)

    monkeypatch.setattr("index_builder.database.commit.publisher.PUBLISH_TRIES", 3)
    with open_writer(tmp_path / "db") as writer:
        writer.commit_rows(batch([1]))
        monkeypatch.setattr(durable_files, "rename", too_late)
        with pytest.raises(CommitConflict, match="3 times in a row"):
            writer.commit_rows(batch([0]))
        monkeypatch.undo()
    assert not list((tmp_path / "db" / ".builders").iterdir())
    assert MotionDatabase.open(tmp_path / "db").ids() == [row_id(1)]


def test_indexes_are_built_once_and_again_when_gone(tmp_path: Path) -> None:
    database = write_database(tmp_path / "db")
    before = list_generations(database)[0]
    with open_writer(database) as writer:
        writer.commit_indexes()
    assert list_generations(database)[0] == before
    (database / read_manifest(database, before).indexes[0].path).unlink()
    with open_writer(database) as writer:
        writer.commit_indexes()
    assert list_generations(database)[0] == before + 1
    assert verify_database(database).notes == () or all("listed by no" in n for n in verify_database(database).notes)


def test_a_graph_of_nearly_all_rows_is_not_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for constant, rows in (("FLAT_ROWS", 8), ("MAX_UNCOVERED_ROWS", 2)):
        monkeypatch.setattr(f"index_builder.database.search.index_commit.{constant}", rows)
    database = write_database(tmp_path / "db", segments=[range(10)])
    indexed = list_generations(database)[0]
    write_database(database, segments=[(10, 11)])
    assert list_generations(database)[0] == indexed + 1
    assert len(MotionDatabase.open(database).search(np.ones(8), field="text", k=12)) == 12
    write_database(database, segments=[(12,)])
    assert list_generations(database)[0] == indexed + 3
    assert {index.row_count for index in MotionDatabase.open(database).manifest.indexes} == {13}


def test_batches_check_their_shapes() -> None:
    good = batch([0, 1])
    with pytest.raises(InvalidSetting, match="as many embeddings and tokens as rows"):
        RowBatch(rows=good.rows, text=good.text[:1], frame=good.frame, tokens=good.tokens)
    with pytest.raises(InvalidSetting, match="at least one"):
        empty = np.empty((0, 8), np.float32)
        RowBatch(rows=[], text=empty, frame=empty, tokens=StoredTokens(np.empty((0, 2, 3)), np.empty((0, 2, 3))))
