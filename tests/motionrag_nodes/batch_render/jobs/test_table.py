"""Job tables as spreadsheets, scripts and data frames write them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionrag_nodes.batch_render.errors import JobTableError
from motionrag_nodes.batch_render.jobs.table import TableRow, read_job_table


def _rows(folder: Path, content: str | bytes, *, name: str = "jobs.csv", encoding: str | None = None) -> list[TableRow]:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_job_table(path, encoding=encoding)


@pytest.mark.parametrize("letter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_separators_and_line_ends(tmp_path: Path, letter: str, ends: str) -> None:
    text = ends.join(
        letter.join(cells) for cells in (["name", "3.seed", "6.text"], ["a", "1", '"x, y; z"'], ["b", "2"])
    )
    first, second = _rows(tmp_path, text)
    assert (first.number, first.name, first.values) == (2, "a", {"3.seed": "1", "6.text": "x, y; z"})
    assert (second.number, second.name, second.values) == (3, "b", {"3.seed": "2"})
    assert first.decimal_comma == (letter == ";")


def test_separators_inside_a_quoted_header_do_not_count(tmp_path: Path) -> None:
    (row,) = _rows(tmp_path, '"Cut; fade; end.text",3.seed\nx,1\n')
    assert row.values == {"Cut; fade; end.text": "x", "3.seed": "1"}


def test_an_announced_separator(tmp_path: Path) -> None:
    (row,) = _rows(tmp_path, "sep=;\r\nname;3.seed\r\na;1\r\n")
    assert (row.number, row.name, row.values) == (3, "a", {"3.seed": "1"})
    (row,) = _rows(tmp_path, "sep=^\nname^3.seed\na^1\n")
    assert row.values == {"3.seed": "1"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings_that_a_file_tells(tmp_path: Path, encoding: str) -> None:
    (row,) = _rows(tmp_path, "name;6.text\nMüller;naïve Łódź\n".encode(encoding))
    assert (row.name, row.values) == ("Müller", {"6.text": "naïve Łódź"})


def test_an_encoding_that_it_does_not_tell_is_named_and_can_be_given(tmp_path: Path) -> None:
    data = "name,6.text\né,ö\n".encode("cp1252")
    with pytest.raises(
        JobTableError, match=r"Expected a CSV table in UTF-8 in .*\(byte 12 is 0xe9\).*cp1252.*--jobs-encoding"
    ):
        _rows(tmp_path, data)
    assert _rows(tmp_path, data, encoding="cp1252")[0].name == "é"
    with pytest.raises(JobTableError, match="Expected ascii in"):
        _rows(tmp_path, data, encoding="ascii")
    with pytest.raises(JobTableError, match="Expected the name of an encoding, received 'klingon'"):
        _rows(tmp_path, data, encoding="klingon")


def test_cells_of_several_lines_keep_them_and_lines_are_counted_by_the_file(tmp_path: Path) -> None:
    first, second = _rows(tmp_path, '6.text\r\n"one\r\n\r\ntwo ""quoted"""\r\nplain\r\n')
    assert (first.number, first.values["6.text"]) == (2, 'one\n\ntwo "quoted"')
    assert second.number == 5


def test_names_remarks_and_empty_cells(tmp_path: Path) -> None:
    first, second = _rows(tmp_path, "Name , #who, 3.seed ,\n a , me, 1 ,\n,,2,\n,later,,\n")
    assert (first.name, first.values) == ("a", {"3.seed": "1"})
    assert (second.name, second.values) == (None, {"3.seed": "2"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expected rows under the header"),
        ("3.seed\n", "Expected rows under the header"),
        ("3.seed\n,\n", "Expected rows under the header"),
        ("seed\n1\n", r"Expected distinct columns of the form NODE\.INPUT.*Rename 'seed'"),
        ("3.seed,3.seed\n1,2\n", "Rename the doubled ones"),
        ("name,NAME,3.seed\na,b,2\n", "Rename the doubled ones"),
        (
            "3.seed\n1,2\n",
            "line 2: Expected as many cells as in the header, received more: quote values that hold commas",
        ),
        ("3.seed;3.steps\n1;2;3\n", "quote values that hold semicolons"),
        ("3.seed,\n1,2\n", "line 2: Expected a column name above each cell, found none above '2'"),
        ("3.seed\n1\0\n", "found a zero byte"),
        ('6.text\nfine\n"open\n', "line 3: Expected a row of CSV"),
    ],
)
def test_bad_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(JobTableError, match=message):
        _rows(tmp_path, text)


def test_unreadable_tables(tmp_path: Path) -> None:
    with pytest.raises(JobTableError, match=r"Expected a job table at .*No such file"):
        read_job_table(tmp_path / "none.csv")
    with pytest.raises(JobTableError, match="received the spreadsheet"):
        _rows(tmp_path, b"PK", name="jobs.xlsx")
    with pytest.raises(JobTableError, match="Expected a Parquet file at"):
        _rows(tmp_path, b"PK", name="jobs.parquet")


def test_json_lines_keep_types_and_digits(tmp_path: Path) -> None:
    record = '{"name": "a", "3.seed": 18446744073709551615, "3.cfg": 6.50, "4.on": true, "5.x": null, "6.text": ""}\n\n'
    first, second = _rows(tmp_path, record + '{"7.list": [1, {"a": [2]}]}', name="jobs.jsonl")
    assert first.values == {"3.seed": "18446744073709551615", "3.cfg": "6.50", "4.on": "true", "6.text": ""}
    assert (second.number, second.name, json.loads(second.values["7.list"])) == (3, None, [1, {"a": [2]}])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: Expected JSON"),
        ("[1]", "line 1: Expected an object"),
        ("7", "line 1: Expected an object"),
        ('{"3.seed": 1, "3.seed": 2}', "line 1, received .* Rename the doubled ones"),
    ],
)
def test_bad_json_lines(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(JobTableError, match=message):
        _rows(tmp_path, line, name="jobs.jsonl")


def test_parquet(tmp_path: Path) -> None:
    columns = {"name": ["a", None], "3.seed": [2**63, 1], "3.cfg": [float("nan"), 0.5], "4.on": [True, None]}
    pq.write_table(pa.table({**columns, "3.seed": pa.array(columns["3.seed"], pa.uint64())}), tmp_path / "jobs.parquet")
    first, second = read_job_table(tmp_path / "jobs.parquet")
    assert (first.name, first.values) == ("a", {"3.seed": str(2**63), "4.on": "true"})
    assert (second.name, second.values) == (None, {"3.seed": "1", "3.cfg": "0.5"})
