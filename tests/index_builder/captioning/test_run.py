"""Captioning folders: what is there is kept, what is missing is added, and a run that was killed goes on."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest

from index_builder.captioning.caption_files import SidecarStore, TableStore
from index_builder.captioning.captioner import TimedFrame
from index_builder.captioning.run import HAS_ONE, caption_videos
from index_builder.captions.captions import CaptionPlan, TableCaptions
from index_builder.captions.table import read_table
from index_builder.clips.find import find_videos
from index_builder.clips.windows import ClipWindow
from index_builder.errors import CaptionerFailed, CaptionTableInvalid
from tests.index_builder.sample_videos import write_garbage, write_video


class Counting:
    """Implements Captioner: says how many frames it saw; fails at the clips it is told to."""

    name = "counting"

    def __init__(self, *, fail_at: Sequence[int] = (), stop_at: int | None = None) -> None:
        self.asked, self.fail_at, self.stop_at = 0, fail_at, stop_at

    def describe(self, frames: Sequence[TimedFrame], prompt: str) -> str:
        self.asked += 1
        if self.asked == self.stop_at:
            raise KeyboardInterrupt
        if self.asked in self.fail_at:
            raise CaptionerFailed("too dark")
        return f'"{len(frames)} frames, "{prompt}""'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, name in enumerate("abc"):
        write_video(tmp_path / "v" / f"{name}.mp4", seed=seed)
    (tmp_path / "v" / "b.txt").write_text("as a person says it")
    write_garbage(tmp_path / "v" / "broken.mp4")
    return tmp_path / "v"


def run(folder: Path, table: Path | None, captioner: Counting):
    found = find_videos([folder])
    store = SidecarStore() if table is None else TableStore(table, found)
    return caption_videos(found, captioner=captioner, store=store, prompt="say", short_side=48)


def names(found: dict[str, str]) -> dict[str, str]:
    return {Path(source).name: text for source, text in found.items()}


def test_a_table_is_written_that_a_build_reads(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    report = run(folder, table, Counting())
    assert names(report.captioned) == {name: '6 frames, "say' for name in ("a.mp4", "c.mp4")}
    assert names(report.skipped) == {"b.mp4": HAS_ONE} and "not a readable video" in names(report.failed)["broken.mp4"]
    assert next(csv.reader(table.open())) == ["path", "caption", "model"]
    said = TableCaptions(CaptionPlan(table=table), find_videos([folder]))
    assert said.of(str((folder / "a.mp4").resolve()), ClipWindow(0, 1)) == ('6 frames, "say',)
    again = run(folder, table, captioner := Counting())
    assert not again.captioned and captioner.asked == 0 and len(again.skipped) == 3


def test_a_persons_rows_stay_byte_for_byte(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    before = "Video,who,Caption\na.mp4,me,a square slides\nother.mp4,me,not here"
    table.write_text(before)
    report = run(folder, table, Counting())
    assert set(names(report.captioned)) == {"c.mp4"}
    assert table.read_text() == f'{before}\n"v/c.mp4","","6 frames, ""say"\n'
    assert read_table(table).rows[-1].name == "v/c.mp4"


@pytest.mark.parametrize("torn", ['"v/c.mp4","half a sent', '"v/c.mp4"', '"v/c.mp4","done","counting"'])
def test_a_line_that_a_kill_cut_is_written_again(folder: Path, tmp_path: Path, torn: str) -> None:
    table = tmp_path / "captions.csv"
    whole = '"path","caption","model"\n"v/a.mp4","slides","counting"\n'
    table.write_text(whole + torn)
    report = run(folder, table, Counting())
    finished = torn.endswith('"counting"')
    assert set(names(report.captioned)) == (set() if finished else {"c.mp4"})
    assert [row.name for row in read_table(table).rows] == ["v/a.mp4", "v/c.mp4"]


def test_interrupted_and_failed_clips_come_in_the_next_run(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "captions.csv"
    first = run(folder, table, Counting(stop_at=2))
    assert first.interrupted and set(names(first.captioned)) == {"a.mp4"}
    assert len(first.captioned) + len(first.skipped) + len(first.failed) == 4
    second = run(folder, table, Counting(fail_at=[1]))
    assert names(second.failed)["c.mp4"] == "too dark"
    assert set(names(run(folder, table, Counting()).captioned)) == {"c.mp4"}


def test_sidecars_never_take_the_place_of_a_file(folder: Path) -> None:
    (folder / "c.txt").write_text("")
    report = run(folder, None, Counting())
    assert set(names(report.captioned)) == {"a.mp4"}
    assert (folder / "a.txt").read_text() == '6 frames, "say\n'
    assert (folder / "b.txt").read_text() == "as a person says it" and (folder / "c.txt").read_text() == ""
    assert sorted(path.name for path in folder.glob("*.tmp")) == []


def refuse(path: Path) -> None:
    raise OSError(28, "No space left on device", str(path))


def test_what_a_stranger_put_in_the_way_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    """Links of the names under which files might be made; the video's folder came from somebody else."""
    (tmp_path / "mine").write_text("untouched")
    for name in ("c.txt.tmp", ".c.txt.tmp", ".captions.csv.tmp"):
        (folder / name).symlink_to(tmp_path / "mine")
    assert set(names(run(folder, None, Counting()).captioned)) == {"a.mp4", "c.mp4"}
    (folder / "captions.csv").write_text('"path","caption","model"\n"a.mp4","x')
    run(folder, folder / "captions.csv", Counting())
    assert (tmp_path / "mine").read_text() == "untouched"


def test_what_cannot_be_read_or_written_ends_no_run(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("a secret")
    (folder / "a.txt").symlink_to(tmp_path / "private.txt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("index_builder.captioning.caption_files._sync", refuse)
        report = run(folder, None, Counting())
    assert names(report.skipped)["a.mp4"] == HAS_ONE
    assert "its caption cannot be written" in names(report.failed)["c.mp4"] and not report.captioned
    (tmp_path / "file").write_text("x")
    with pytest.raises(CaptionTableInvalid, match="Expected to write captions to"):
        TableStore(tmp_path / "file" / "captions.csv", [])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.jsonl", b"", r"Expected a \.csv in UTF-8"),
        ("t.csv", "path,caption\n".encode("utf-16"), r"Expected a \.csv in UTF-8"),
        ("t.csv", b"path;caption\na.mp4;x\n", "parted by commas"),
        ("t.csv", b"name,text of it\n", "received name, text of it"),
    ],
)
def test_tables_that_nothing_can_be_added_to(
    folder: Path, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CaptionTableInvalid, match=message):
        TableStore(tmp_path / name, [])
    assert (tmp_path / name).read_bytes() == content
