"""Tickets: a segment written elsewhere comes in whole, in part where others were faster, or not at all."""

from pathlib import Path

from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.sample_rows import batch, open_writer, row_id


def ids(*numbers: int) -> set[str]:
    return {row_id(number) for number in numbers}


def test_a_segment_of_a_ticket_is_taken_in(tmp_path: Path) -> None:
    with open_writer(tmp_path / "db") as writer:
        segment = writer.new_ticket().write(batch([0, 1, 2]))
        assert writer.commit_segment(segment, ids(0, 1, 2)) == set()
    assert set(MotionDatabase.open(tmp_path / "db").ids()) == ids(0, 1, 2)


def test_rows_that_another_builder_had_are_left_out(tmp_path: Path) -> None:
    with open_writer(tmp_path / "db") as slow, open_writer(tmp_path / "db") as fast:
        segment = slow.new_ticket().write(batch([0, 1, 2]))
        fast.commit_rows(batch([1, 5]))
        assert slow.commit_segment(segment, ids(0, 1, 2)) == ids(1)
    database = MotionDatabase.open(tmp_path / "db")
    assert set(database.ids()) == ids(0, 1, 2, 5) and database.manifest.row_count == 4
    report = verify_database(tmp_path / "db")
    assert report.sound and not report.notes


def test_a_discarded_ticket_leaves_nothing(tmp_path: Path) -> None:
    with open_writer(tmp_path / "db") as writer:
        ticket = writer.new_ticket()
        ticket.discard()  # nothing was written yet
        ticket.write(batch([0]))
        ticket.discard()
        (tmp_path / "db" / "segments" / ticket.temporary).mkdir()
        ticket.discard()
        assert not list((tmp_path / "db" / "segments").iterdir())


def test_the_segment_of_a_ticket_is_safe_from_other_builders_while_its_own_lives(tmp_path: Path) -> None:
    with open_writer(tmp_path / "db") as writer:
        segment = writer.new_ticket().write(batch([0]))
        with open_writer(tmp_path / "db") as other:
            other.commit_rows(batch([1]))
        assert writer.commit_segment(segment, ids(0)) == set()
    assert verify_database(tmp_path / "db").sound
    with open_writer(tmp_path / "db") as writer:
        orphan = writer.new_ticket().write(batch([2]))
    with open_writer(tmp_path / "db"):
        assert not (tmp_path / "db" / "segments" / orphan.name).exists()
