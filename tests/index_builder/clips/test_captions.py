"""Captions: tables by any of their names, sidecars, and their absence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from index_builder.clips.captions import load_captions
from index_builder.clips.find import find_videos
from index_builder.errors import CaptionTableInvalid


@pytest.fixture
def videos(tmp_path: Path) -> dict:
    for name in ("one.mp4", "sub/two.mp4", "日本.mp4"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return {entry.path.name: entry for entry in find_videos([tmp_path / "videos"])}


@pytest.mark.parametrize("column", ["path", "video", "file", "Video"])
def test_csv_by_relative_path_file_name_and_stem(tmp_path: Path, videos: dict, column: str) -> None:
    table = tmp_path / "captions.csv"
    table.write_text(
        f'{column},Caption,extra\none.mp4,"rolls,\n right ",1\n./sub/two.mp4,jumps,2\n日本,飛ぶ,3\n',
        encoding="utf-8-sig",
    )
    captions = load_captions(table)
    assert captions.of(videos["one.mp4"]) == "rolls, right"
    assert captions.of(videos["two.mp4"]) == "jumps"
    assert captions.of(videos["日本.mp4"]) == "飛ぶ"


def test_parquet_by_absolute_path_and_path_relative_to_the_table(tmp_path: Path, videos: dict) -> None:
    table = tmp_path / "captions.parquet"
    paths = [str(videos["one.mp4"].path), "videos/sub/two.mp4"]
    pa.parquet.write_table(pa.table({"path": paths, "caption": ["a", "b"]}), table)
    captions = load_captions(table)
    assert [captions.of(videos[name]) for name in ("one.mp4", "two.mp4", "日本.mp4")] == ["a", "b", None]


def test_a_name_with_two_captions_counts_for_neither(tmp_path: Path, videos: dict) -> None:
    table = tmp_path / "captions.csv"
    table.write_text("path,caption\nx/one.mp4,first\ny/one.mp4,second\n", encoding="utf-8")
    assert load_captions(table).of(videos["one.mp4"]) is None


def test_sidecars_serve_without_a_table_and_the_table_wins(tmp_path: Path, videos: dict) -> None:
    videos["one.mp4"].path.with_suffix(".txt").write_text("\ufeff  from\n the side ", encoding="utf-8")
    videos["two.mp4"].path.with_name("two.mp4.txt").write_text("long name", encoding="utf-8")
    captions = load_captions(None)
    assert captions.of(videos["one.mp4"]) == "from the side"
    assert captions.of(videos["two.mp4"]) == "long name"
    assert captions.of(videos["日本.mp4"]) is None
    table = tmp_path / "captions.csv"
    table.write_text("path,caption\none.mp4,from the table\n", encoding="utf-8")
    assert load_captions(table).of(videos["one.mp4"]) == "from the table"
    assert load_captions(table).of(videos["two.mp4"]) == "long name"


def test_bad_tables_say_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(CaptionTableInvalid, match="is no file"):
        load_captions(tmp_path / "nowhere.csv")
    for name, content, message in (
        ("a.csv", b"name,text\n1,2\n", "received name, text"),
        ("b.csv", b"", "received none"),
        ("c.csv", b"path,caption\n\xff\xfe,x\n", "UTF-8"),
        ("d.parquet", b"PAR1 no", "expected a parquet file"),
        ("e.xlsx", b"", r"expected a \.csv or \.parquet"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CaptionTableInvalid, match=message):
            load_captions(tmp_path / name)
