"""Whether a folder can be written is said before the work that fills it."""

from pathlib import Path

import pytest

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.output_folder import check_output_folder


def test_a_folder_that_is_there_or_can_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_output_folder(tmp_path)
    check_output_folder(tmp_path / "new" / "below")
    monkeypatch.chdir(tmp_path)
    check_output_folder(Path("new"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["file", "file/x", "file/x/y"])
def test_a_file_in_the_way_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidSetting, match=r"can be written at .*, received the file .*file: choose another one"):
        check_output_folder(tmp_path / place)


def test_so_is_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # whoever is root may write everywhere
    with pytest.raises(InvalidSetting, match="which may not be written: choose another one"):
        check_output_folder(tmp_path / "new")
