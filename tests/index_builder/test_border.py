"""Where data of others comes in: surprises become the border's own error, and only regular files are read."""

import os
from pathlib import Path

import pytest

from index_builder.border import border, read_regular
from index_builder.errors import DatabaseDamaged, InvalidSetting

TRIPS = (lambda: [][1], lambda: {}["x"], lambda: int("x"), lambda: None.x, lambda: 1 / 0, lambda: len(5))


@pytest.mark.parametrize("trip", TRIPS)
def test_surprises_become_the_border_s_error(trip) -> None:
    refusal = lambda reason: DatabaseDamaged(f"no database ({reason})")  # noqa: E731
    with pytest.raises(DatabaseDamaged, match=r"no database \(\w+"), border(refusal):
        trip()


def test_named_errors_and_faults_of_the_program_pass() -> None:
    for error in (InvalidSetting("named"), AssertionError("ours")):
        with pytest.raises(type(error), match=str(error)), border(DatabaseDamaged):
            raise error


def test_regular_files_up_to_a_length(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_regular(tmp_path / "a", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_regular(tmp_path / "a", most_bytes=4)
    os.truncate(tmp_path / "a", 1 << 40)  # takes no room on the disk
    with pytest.raises(OSError, match="more than 1000 bytes"):
        read_regular(tmp_path / "a", most_bytes=1000)


def test_nothing_else_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", Path("/dev/zero")):
        with pytest.raises(OSError, match="no regular file"):
            read_regular(path, most_bytes=10)
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(OSError, match="directory"):
            read_regular(path, most_bytes=10)
