"""Which clip gets which caption: matching by path, files beside videos, folder metadata, windows, several rows."""

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest

from index_builder.captions.captions import CaptionPlan, Captions
from index_builder.captions.counts import CaptionCounts, caption_lines
from index_builder.clips.find import VideoFile, find_videos
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionTableInvalid, InvalidSetting

WHOLE = ClipWindow(0, 2000)


def videos_in(folder: Path, *names: str) -> dict[str, VideoFile]:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return {entry.path.relative_to(folder.resolve()).as_posix(): entry for entry in find_videos([folder])}


def table_of(path: Path, rows: Sequence[tuple[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("path,caption\n" + "".join(f'"{name}","{caption}"\n' for name, caption in rows), encoding="utf-8")
    return path


def said(videos: dict[str, VideoFile], table: Path | None, **options) -> dict[str, str | None]:
    captions = Captions(CaptionPlan(table=table, **options), list(videos.values()))
    found = {name: captions.of(video, WHOLE) for name, video in videos.items()}
    return {name: " | ".join(caption.texts) if caption else None for name, caption in found.items()}


def counts_of(videos: dict[str, VideoFile], table: Path) -> CaptionCounts:
    return Captions(CaptionPlan(table=table), list(videos.values())).counts()


@pytest.mark.parametrize(
    "name",
    [
        "day1/0001.mp4",
        "./day1/0001.mp4",
        "day1\\0001.mp4",
        "v/day1/0001.mp4",
        "D:\\shoot\\v\\day1\\0001.mp4",
        "/mnt/old/day1/0001.mp4",
        "day1/0001",
        "other/../day1/0001.mp4",
    ],
)
def test_a_row_that_names_a_folder_means_the_video_in_it_alone(tmp_path: Path, name: str) -> None:
    videos = videos_in(tmp_path / "v", "day1/0001.mp4", "day2/0001.mp4", "0001.mp4")
    found = said(videos, table_of(tmp_path / "t" / "c.csv", [(name, "turns")]))
    assert found == {"day1/0001.mp4": "turns", "day2/0001.mp4": None, "0001.mp4": None}


def test_a_row_with_another_folder_means_no_video(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "day2/0001.mp4")
    table = table_of(tmp_path / "t" / "c.csv", [("day1/0001.mp4", "turns"), ("2.mp4", "x")])
    assert said(videos, table) == {"day2/0001.mp4": None}
    counts = counts_of(videos, table)
    assert (counts.rows, counts.matched, counts.unmatched) == (2, 0, ("day1/0001.mp4", "2.mp4"))


def test_names_as_addresses_are_decoded_where_no_file_is_called_so(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "d/a clip é.mp4", "d/b%20.mp4", "d/100%.mp4")
    names = ["d/a%20clip%20%C3%A9.mp4", "d/b%20.mp4", "d/100%.mp4", "d/c%20.mp4"]
    table = table_of(tmp_path / "c.csv", [(name, f"row {place}") for place, name in enumerate(names)])
    assert said(videos, table) == {"d/a clip é.mp4": "row 0", "d/b%20.mp4": "row 1", "d/100%.mp4": "row 2"}
    assert counts_of(videos, table).unmatched == ("d/c%20.mp4",)
    address = (tmp_path / "v" / "d" / "a clip é.mp4").as_uri()
    assert said(videos, table_of(tmp_path / "e.csv", [(address, "x")]))["d/a clip é.mp4"] == "x"


def test_a_bare_name_means_the_one_video_so_called(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "day1/a.mp4", "day1/b.mp4", "day2/b.mp4")
    table = table_of(tmp_path / "t" / "c.csv", [("a.mp4", "runs"), ("b.mp4", "whose?")])
    assert said(videos, table) == {"day1/a.mp4": "runs", "day1/b.mp4": None, "day2/b.mp4": None}
    assert counts_of(videos, table).ambiguous == ("b.mp4",)
    # Beside one of them the table means that one: a path from its own folder is whole.
    beside = table_of(tmp_path / "v" / "day2" / "c.csv", [("b.mp4", "this")])
    assert said(videos, beside) == {"day1/a.mp4": None, "day1/b.mp4": None, "day2/b.mp4": "this"}


def test_the_longest_tail_decides(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "x/cam/1.mp4", "y/cam/1.mp4")
    table = table_of(tmp_path / "t" / "c.csv", [("/old/x/cam/1.mp4", "left"), ("/old/z/cam/1.mp4", "whose?")])
    assert said(videos, table) == {"x/cam/1.mp4": "left", "y/cam/1.mp4": None}
    assert counts_of(videos, table).ambiguous == ("/old/z/cam/1.mp4",)


def test_a_name_is_whole_before_it_is_a_stem(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4", "a.mp4.mkv", "b.mp4", "b.mov")
    table = table_of(tmp_path / "t" / "c.csv", [("a.mp4", "first"), ("b", "whose?")])
    assert said(videos, table) == {"a.mp4": "first", "a.mp4.mkv": None, "b.mp4": None, "b.mov": None}
    assert counts_of(videos, table).ambiguous == ("b",)


@pytest.mark.parametrize("in_files", ["NFC", "NFD"])
def test_composed_and_decomposed_names_are_equal(tmp_path: Path, in_files: str) -> None:
    videos = videos_in(tmp_path / "v", unicodedata.normalize(in_files, "été/café_が.mp4"))
    for in_table in ("NFC", "NFD"):
        rows = [(unicodedata.normalize(in_table, "été/café_が.mp4"), "falls")]
        assert list(said(videos, table_of(tmp_path / "c.csv", rows)).values()) == ["falls"]


def test_links_are_resolved_on_both_sides(tmp_path: Path) -> None:
    videos_in(tmp_path / "real", "a.mp4")
    (tmp_path / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    videos = {entry.path.name: entry for entry in find_videos([tmp_path / "linked"])}
    for folder in ("linked", "real"):
        table = table_of(tmp_path / "t" / "c.csv", [(str(tmp_path / folder / "a.mp4"), "runs")])
        assert said(videos, table) == {"a.mp4": "runs"} and counts_of(videos, table).matched == 1


def test_table_then_file_beside_then_metadata_of_the_folder(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", *(f"{name}.mp4" for name in "abcde"))
    (tmp_path / "v" / "b.txt").write_text("\ufeff beside\nit ", encoding="utf-8")
    (tmp_path / "v" / "c.mp4.txt").write_text("by its long name")
    (tmp_path / "v" / "d.json").write_text(json.dumps({"caption": "downloaded", "status": "success"}))
    (tmp_path / "v" / "metadata.csv").write_text("file_name,text\na.mp4,m\nb.mp4,m\ne.mp4,of the folder\n")
    table = table_of(tmp_path / "c.csv", [("a.mp4", "of the table"), ("b.mp4", "")])
    captions = Captions(CaptionPlan(table=table), list(videos.values()))
    found = {name[0]: captions.of(video, WHOLE) for name, video in videos.items()}
    assert {name: (caption.texts[0], caption.source) for name, caption in found.items()} == {
        "a": ("of the table", "table"),
        "b": ("beside it", "sidecar"),
        "c": ("by its long name", "sidecar"),
        "d": ("downloaded", "sidecar"),
        "e": ("of the folder", "metadata"),
    }
    assert captions.counts().empty == 1


def test_metadata_of_other_things_and_broken_files_beside_stop_nothing(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4", "b.mp4")
    (tmp_path / "v" / "metadata.csv").write_text("album,year\nx,1\n")
    (tmp_path / "v" / "a.json").write_text("{broken")
    (tmp_path / "v" / "b.json").write_text("[1, 2]")
    assert said(videos, None) == {"a.mp4": None, "b.mp4": None}
    problems = Captions(CaptionPlan(), list(videos.values())).counts().problems
    assert len(problems) == 1 and "received album, year" in problems[0]


def test_several_rows_of_a_clip(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4")
    table = table_of(tmp_path / "c.csv", [("a.mp4", "one"), ("a.mp4", "two"), ("v/a.mp4", "one"), ("a.mp4", "")])
    assert said(videos, table) == {"a.mp4": "one"}
    assert said(videos, table, several="all") == {"a.mp4": "one | two"}
    with pytest.raises(
        CaptionTableInvalid, match=r"received 2 for .*a\.mp4 in c\.csv \(line 2, line 3, line 4, line 5\)"
    ):
        said(videos, table, several="error")
    assert counts_of(videos, table).several == 1
    with pytest.raises(InvalidSetting, match="Expected first, all or error"):
        CaptionPlan(several="last")
    with pytest.raises(InvalidSetting, match="a caption table beside --caption-column"):
        CaptionPlan(column="x")


def test_rows_with_windows_caption_their_own_clips(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4", "b.mp4")
    (tmp_path / "c.csv").write_text("video,start_sec,end_sec,caption\na,3,5,stops\na,0,2,turns\na,,,whole\nb,,,runs\n")
    captions = Captions(CaptionPlan(table=tmp_path / "c.csv"), list(videos.values()))
    a, b = videos["a.mp4"], videos["b.mp4"]
    assert captions.windows(a) == (ClipWindow(0, 2000), ClipWindow(3000, 5000)) and captions.windows(b) == ()
    assert [captions.of(a, window).texts[0] for window in captions.windows(a)] == ["turns", "stops"]
    assert captions.of(a, ClipWindow(1000, 3000)).texts == ("whole",) and captions.has_windows


def test_the_account_names_what_found_nothing(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4", "x/b.mp4", "y/b.mp4")
    rows = [("a.mp4", "runs"), ("b.mp4", "?"), *((f"clip_{number}.mp4", "x") for number in range(7))]
    lines = list(caption_lines(counts_of(videos, table_of(tmp_path / "c.csv", rows)), database="db"))
    assert (True, f"caption table {tmp_path / 'c.csv'}: 9 rows, 1 matched, 1 ambiguous, 7 matching nothing "
            "(column caption)") in lines  # fmt: skip
    assert any("clip_0.mp4, clip_1.mp4, clip_2.mp4, clip_3.mp4, clip_4.mp4 and 2 more" in line for _, line in lines)
    assert any("ambiguous, several videos are called so: give their folders: b.mp4" in line for _, line in lines)


def test_rows_that_cannot_be_used_are_counted_apart(tmp_path: Path) -> None:
    videos = videos_in(tmp_path / "v", "a.mp4")
    counts = counts_of(videos, table_of(tmp_path / "c.csv", [("a.mp4", "runs"), ("", "whose?"), ("a.mp4", "")]))
    assert (counts.rows, counts.matched, counts.unusable, counts.empty) == (3, 2, 1, 1)
    assert counts.problems == ("line 3 names no video",)
