"""Caption tables: every dialect gives the same rows, and what cannot be read is named with its place."""

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from index_builder.captions.table import read_table
from index_builder.captions.text import MAX_CAPTION_CHARACTERS
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionTableInvalid

ROWS = [("one.mp4", "rolls, right"), ("sub/two.mp4", "jumps; lands"), ("日本.mp4", "飛ぶ")]


def pairs(path: Path, **options) -> list[tuple[str, str]]:
    return [(row.name, row.caption) for row in read_table(path, **options).rows]


def quoted(delimiter: str, *, header: str = "path,caption", end: str = "\n") -> str:
    lines = [header.replace(",", delimiter), *(f'{name}{delimiter}"{caption}"' for name, caption in ROWS)]
    return end.join(lines) + end


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimited_text_of_every_delimiter_and_encoding(
    tmp_path: Path, delimiter: str, encoding: str, end: str
) -> None:
    table = tmp_path / "c.csv"
    table.write_bytes(quoted(delimiter, end=end).encode(encoding))
    assert pairs(table) == ROWS


def test_a_spreadsheet_may_declare_its_delimiter_and_quote_line_ends(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text('sep=;\r\nFile_Name;Caption;note\r\na.mp4;"two\nlines";\r\n;;\r\nb.mp4;x;y\r\n', newline="")
    assert [(row.name, row.caption, row.place) for row in read_table(table).rows] == [
        ("a.mp4", "two lines", "line 3"),
        ("b.mp4", "x", "line 6"),
    ]


def test_a_line_separator_of_unicode_ends_no_row(tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text("path,caption\na.mp4,one\u2028two\x0bthree\n", encoding="utf-8")
    assert pairs(table) == [("a.mp4", "one two three")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,caption\na.mp4,fine\nb.mp4,runs, then jumps\n", r"2 fields in line 3 .* received 3: put a caption"),
        ("path;caption\na.mp4;runs; jumps\n", r"2 fields in line 2"),
        ('path,caption\na.mp4,"never closed\nb.mp4,x\n', r"line 2 cannot be read"),
        ('path,caption\na.mp4,"closed" early\n', r"line 2 cannot be read"),
        ("name,words\n1,2\n", "received name, words"),
        ("", "received none"),
        ("a.mp4,a dog runs\n", r"received a\.mp4, a dog runs"),
    ],
)
def test_delimited_text_that_cannot_be_read_says_where(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "c.csv").write_text(content, encoding="utf-8")
    with pytest.raises(CaptionTableInvalid, match=message):
        read_table(tmp_path / "c.csv")


def test_another_encoding_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_bytes("path,caption\na.mp4,x\nb.mp4,café\n".encode("cp1252"))
    with pytest.raises(CaptionTableInvalid, match=r"Expected UTF-8 in c\.csv, but line 3 holds the bytes e9"):
        read_table(tmp_path / "c.csv")


def test_fields_too_many_but_empty_and_too_few_are_no_harm(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("path,caption\na.mp4,x,,\nb.mp4\n")
    assert pairs(tmp_path / "c.csv") == [("a.mp4", "x"), ("b.mp4", "")]


@pytest.mark.parametrize("absent", ["NaN", "nan", "null", "None", "<NA>", " "])
def test_what_stands_for_no_value_is_no_caption(tmp_path: Path, absent: str) -> None:
    (tmp_path / "c.csv").write_text(f"path,caption\na.mp4,{absent}\n")
    assert pairs(tmp_path / "c.csv") == [("a.mp4", "")]
    (tmp_path / "c.jsonl").write_text('{"path": "a.mp4", "caption": NaN}\n{"path": NaN, "caption": "x"}\n')
    table = read_table(tmp_path / "c.jsonl")
    assert [row.caption for row in table.rows] == [""] and table.problems == ("line 2 names no video",)


def test_json_in_its_forms(tmp_path: Path) -> None:
    objects = [{"file_name": name, "text": caption, "other": [1]} for name, caption in ROWS]
    (tmp_path / "metadata.jsonl").write_text("".join(f"{json.dumps(entry)}\n\n" for entry in objects))
    (tmp_path / "list.json").write_text(json.dumps(objects), encoding="utf-8")
    (tmp_path / "map.json").write_text(json.dumps(dict(ROWS)))
    (tmp_path / "objects.json").write_text(json.dumps({name: {"caption": caption} for name, caption in ROWS}))
    for name in ("metadata.jsonl", "list.json", "map.json", "objects.json"):
        assert pairs(tmp_path / name) == ROWS
    for name, content, message in (
        ("a.jsonl", '{"path": "a"}\n{"path"\n', "line 2 cannot be read"),
        ("b.jsonl", '{"path": "a", "caption": "x"}\n[1]\n', "an object in line 2 of b.jsonl, received list"),
        ("c.json", "3", "a list of objects"),
        ("d.json", "[" * 100_000, "cannot be read"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(CaptionTableInvalid, match=message):
            read_table(tmp_path / name)


def test_the_published_annotations_give_clips_their_windows(tmp_path: Path) -> None:
    columns = {
        "id": ["a_0", "a_1", "b_0", "c_0"],
        "video": ["a.mp4", "a.mp4", "b.mp4", "c.mp4"],
        "start_sec": [0.0, 3.5, None, 5.0],
        "end_sec": [2.0, 5.5, None, 4.0],
        "caption": ["long"] * 4,
        "motion_caption": ["turns", "stops", "falls", "x"],
        "text_embedding": [[0.0] * 8] * 4,
    }
    pa.parquet.write_table(pa.table(columns), tmp_path / "openvid-1m.parquet")
    table = read_table(tmp_path / "openvid-1m.parquet", caption_column="motion_caption")
    assert [(row.name, row.caption, row.window) for row in table.rows] == [
        ("a.mp4", "turns", ClipWindow(0, 2000)),
        ("a.mp4", "stops", ClipWindow(3500, 5500)),
        ("b.mp4", "falls", None),
    ]
    assert table.column == "motion_caption"
    assert table.problems == ("row 4: expected seconds with 0 <= start_sec < end_sec, received 5.0 and 4.0",)
    assert read_table(tmp_path / "openvid-1m.parquet").column == "caption"
    with pytest.raises(CaptionTableInvalid, match="a column long_caption"):
        read_table(tmp_path / "openvid-1m.parquet", caption_column="long_caption")


def test_videos_that_are_stored_in_a_parquet_file_are_called_by_their_path(tmp_path: Path) -> None:
    videos = pa.array([{"path": "a.mp4", "bytes": b"x"}], pa.struct([("path", pa.string()), ("bytes", pa.binary())]))
    pa.parquet.write_table(pa.table({"video": videos, "text": ["runs"]}), tmp_path / "t.parquet")
    assert pairs(tmp_path / "t.parquet") == [("a.mp4", "runs")]


def test_a_webdataset_archive(tmp_path: Path) -> None:
    members = {
        "00/0001.mp4": b"video",
        "00/0001.txt": b" a dog\nruns ",
        "00/0001.json": b'{"caption": "another", "key": "elsewhere", "fps": 3}',
        "00/0002.json": b'{"caption": "a cat jumps"}',
        "00/0003.json": b"{broken",
    }
    with tarfile.open(tmp_path / "00000.tar", "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert pairs(tmp_path / "00000.tar") == [("00/0001", "a dog runs"), ("00/0002", "a cat jumps"), ("00/0003", "")]
    with tarfile.open(tmp_path / "packed.tar", "w:xz") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"))
    with pytest.raises(CaptionTableInvalid, match=r"uncompressed WebDataset archive in packed\.tar"):
        read_table(tmp_path / "packed.tar")
    (tmp_path / "bad.tar").write_bytes(b"no archive")
    with pytest.raises(CaptionTableInvalid, match=r"WebDataset archive in bad\.tar"):
        read_table(tmp_path / "bad.tar")


def test_one_caption_without_end_costs_only_itself(tmp_path: Path) -> None:
    limit = MAX_CAPTION_CHARACTERS
    (tmp_path / "c.csv").write_text(f"path,caption\na.mp4,{'x' * limit}\nb.mp4,{'x' * (limit + 1)}\nc.mp4,runs\n")
    table = read_table(tmp_path / "c.csv")
    assert [row.name for row in table.rows] == ["a.mp4", "c.mp4"]
    assert table.problems == ("line 3: the caption of b.mp4 has 100,001 characters, over the limit of 100,000",)


def test_files_that_are_no_table(tmp_path: Path) -> None:
    with pytest.raises(CaptionTableInvalid, match="is no file"):
        read_table(tmp_path / "nowhere.csv")
    (tmp_path / "e.xlsx").write_bytes(b"")
    with pytest.raises(CaptionTableInvalid, match=r"Expected a caption table of \.csv, \.tsv"):
        read_table(tmp_path / "e.xlsx")
    (tmp_path / "d.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(CaptionTableInvalid, match="Expected a parquet file"):
        read_table(tmp_path / "d.parquet")


@pytest.mark.parametrize("header", ["path,caption,caption", "path,caption,Caption", "path,path,caption"])
def test_two_columns_of_one_name_are_an_error(tmp_path: Path, header: str) -> None:
    (tmp_path / "c.csv").write_text(f"{header}\na.mp4,one,two\n")
    with pytest.raises(CaptionTableInvalid, match=r"one column (?i:caption|path) in c.csv, received 2: rename all but"):
        read_table(tmp_path / "c.csv")
    (tmp_path / "d.csv").write_text("path,note,note,caption\na.mp4,x,y,one\n")
    assert pairs(tmp_path / "d.csv") == [("a.mp4", "one")]


def test_cells_that_hold_lists_bytes_or_other_things(tmp_path: Path) -> None:
    """A list holds several captions, bytes hold text; whatever else a cell holds is no caption."""
    rows = [["runs", "", "jumps"], b"caf\xc3\xa9", [], None, {"en": "runs"}, [["runs"]], 5]
    lines = [json.dumps({"path": f"{place}.mp4", "caption": cell}) for place, cell in enumerate(rows) if place != 1]
    (tmp_path / "c.jsonl").write_text("\n".join(lines))
    table = read_table(tmp_path / "c.jsonl")
    assert [row.captions for row in table.rows] == [("runs", "jumps"), (), (), ("5",)]
    assert table.problems == (
        "line 4: the caption of 4.mp4 is no text but a dict",
        "line 5: the caption of 5.mp4 is no text but a list",
    )
    lists = pa.table({"path": ["a.mp4"], "caption": [["runs", "jumps"]]})
    pa.parquet.write_table(lists, tmp_path / "lists.parquet")
    assert read_table(tmp_path / "lists.parquet").rows[0].captions == ("runs", "jumps")
    pa.parquet.write_table(pa.table({"path": ["a.mp4"], "caption": [rows[1]]}), tmp_path / "bytes.parquet")
    assert pairs(tmp_path / "bytes.parquet") == [("a.mp4", "café")]
