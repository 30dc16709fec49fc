"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from index_builder.whole_file import whole_file


@pytest.mark.parametrize("synced", [False, True])
def test_the_new_file_takes_the_place_of_the_old_one(tmp_path: Path, synced: bool) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with whole_file(path, synced=synced) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old" and temporary.parent == tmp_path
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_what_raises_leaves_the_old_one_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ValueError, match="halfway"), whole_file(path) as temporary:
        temporary.write_text("ne")
        raise ValueError("halfway")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "error"), [("none/x", FileNotFoundError), ("file/x", NotADirectoryError), ("folder", IsADirectoryError)]
)
def test_errors_name_the_file_that_was_asked_for(tmp_path: Path, name: str, error: type[OSError]) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder" / "x").mkdir(parents=True)
    with pytest.raises(error, match=f"'{tmp_path / name}'$") as caught, whole_file(tmp_path / name) as temporary:
        temporary.write_bytes(b"x")
    assert caught.value.filename == str(tmp_path / name)


def test_errors_about_other_files_stay_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="other"), whole_file(tmp_path / "file.txt"):
        (tmp_path / "other").read_bytes()
