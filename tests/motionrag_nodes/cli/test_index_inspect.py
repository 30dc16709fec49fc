"""`motionrag index inspect`: the table, the same for programs, and the pictures."""

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli import index
from tests.index_builder.sample_rows import write_database


def run(*arguments: object):
    return CliRunner().invoke(index.app, ["inspect", *map(str, arguments)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_database(tmp_path / "db")


def test_the_table_and_the_numbers_agree(database: Path) -> None:
    shown = " ".join(run(database).stdout.split())
    told = json.loads(run(database, "--json").stdout)
    assert told["clips"] == 6 and told["captioned"] == 4 and told["videos"] == 3
    assert "4 of 6" in shown and "numbers (8)" in shown and "12.0 s" in shown


def test_pictures_are_written_where_asked(database: Path, tmp_path: Path) -> None:
    sheet, atlas = tmp_path / "new" / "sheet.png", tmp_path / "atlas.jpg"
    assert run(database, "--sheet", sheet, "--samples", 2, "--atlas", atlas).exit_code == 0
    assert Image.open(sheet).height < 200 and Image.open(atlas).size == (1024, 1024)


@pytest.mark.parametrize("option", ["--sheet", "--atlas"])
def test_pictures_have_a_picture_s_suffix(database: Path, tmp_path: Path, option: str) -> None:
    done = run(database, option, tmp_path / "x.gif")
    assert isinstance(done.exception, InvalidSetting) and f"file for {option}" in str(done.exception)
