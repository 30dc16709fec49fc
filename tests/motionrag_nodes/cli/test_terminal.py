"""The terminal's border: text of others as text, in any encoding, and one sentence where a path cannot be written."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.table import Table

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli.picture_file import check_picture_file, save_picture
from motionrag_nodes.cli.terminal import Console, escape
from tests.index_builder.sample_rows import write_database
from tests.motionrag_nodes.cli.one_process import run_commands

ROOT = Path(__file__).resolve().parents[3]
HOSTILE = "\x1b[2J\x1b]0;owned\x07 [bold]x[/] \x9b31m\u202egpj.exe"


def printed(renderable: object) -> str:
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, width=100, color_system=None).print(renderable)
    return stream.getvalue()


def test_nothing_that_a_terminal_obeys_comes_through() -> None:
    table = Table(title="t")
    table.add_column("caption", overflow="fold")
    table.add_row(escape(HOSTILE))
    table.add_row(HOSTILE)  # though somebody forgot
    for text in (printed(table), printed(escape(HOSTILE)), printed(HOSTILE)):
        assert not {"\x07", "\x9b", "\u202e"} & set(text) and "\x1b" not in text
        assert "\\u001b[2J" in text and "\\u202e" in text


def test_columns_stay_straight() -> None:
    table = Table()
    for name in ("caption", "other"):
        table.add_column(name)
    table.add_row(escape("\x1b[2J" * 3), "x")
    assert len({len(line) for line in printed(table).splitlines()}) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_encoding_of_the_terminal(tmp_path: Path, encoding: str) -> None:
    database = write_database(tmp_path / "数据库 ☃")
    *shown, missing = run_commands(
        ["index", "inspect", database],
        ["index", "inspect", database, "--json"],
        ["index", "verify", database],
        ["index", "inspect", tmp_path / "дома ☃"],
        PYTHONIOENCODING=encoding,
        PYTHONUTF8="0",
    )
    for done in shown:
        assert done.code == 0 and b"Traceback" not in done.stderr, done.stderr[-1500:]
    assert json.loads(shown[1].stdout.decode(encoding))["database"] == str(database)
    assert missing.code == 2 and b"Error:" in missing.stderr and b"Traceback" not in missing.stderr


def test_an_error_about_a_hostile_name_is_one_sentence_of_text() -> None:
    (done,) = run_commands(["index", "verify", "no\x1b[2J\x1b[31m[bold]such"])
    assert done.code == 2 and b"\x1b[2J" not in done.stderr and b"\\u001b[2J" in done.stderr


@pytest.mark.parametrize("option", ["--sheet", "--atlas"])
def test_a_picture_that_cannot_be_written_is_one_sentence(tmp_path: Path, option: str) -> None:
    database = write_database(tmp_path / "db")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    targets = [tmp_path / name for name in ("file/x.png", "folder.png", "x.exe")]
    *unwritable, misnamed = run_commands(*(["index", "inspect", database, option, target] for target in targets))
    for done in unwritable:
        assert done.code == 2 and b"Expected to write the picture" in done.stderr, done.stderr[-1500:]
    assert misnamed.code == 2 and b"Expected a .png or .jpg file" in misnamed.stderr


def test_pictures(tmp_path: Path) -> None:
    from PIL import Image

    check_picture_file(None, "--sheet")
    save_picture(Image.new("RGB", (4, 4)), tmp_path / "new" / "a.png", "--sheet")
    assert (tmp_path / "new" / "a.png").is_file()
    with pytest.raises(InvalidSetting, match="Expected to write the picture"):
        save_picture(Image.new("RGB", (70_000, 1)), tmp_path / "wide.jpg", "--sheet")


def test_no_command_goes_around_the_border() -> None:
    """Another console, another escape or a print would let text of others through."""
    folder = ROOT / "motionrag_nodes" / "cli"
    around = re.compile(r"from rich\.(console|markup) import|rich\.print|typer\.echo\(json")
    found = [path.name for path in folder.glob("*.py") if around.search(path.read_text(encoding="utf-8"))]
    assert found == []
