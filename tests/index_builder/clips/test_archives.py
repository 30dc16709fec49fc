"""WebDataset archives: their videos are indexed with their captions; unpacked once, whole, and nowhere else."""

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.clips.archives import archives_in, unpacked
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


def write_archive(path: Path, members: dict[str, bytes], *, mode: str = "w") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(content), 1_600_000_000
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    videos = [write_video(tmp_path / f"{seed}.mp4", seed=seed).read_bytes() for seed in range(3)]
    members = {
        "0001.mp4": videos[0],
        "0001.txt": b"a dog runs",
        "shard/0002.video.mp4": videos[1],
        "shard/0002.json": b'{"caption": "a cat jumps"}',
        "0003.mp4": videos[2],
        "0003.npy": b"numbers",
    }
    return write_archive(tmp_path / "wds" / "00000.tar", members)


@pytest.mark.parametrize("named", ["folder", "file"])
def test_videos_of_an_archive_are_indexed_with_their_captions(
    archive: Path, tmp_path: Path, encoder: ProjectionEncoder, named: str
) -> None:
    given = archive if named == "file" else archive.parent
    settings = {"output": tmp_path / "db", "encoder": encoder, "workers": 1}
    report = build_database([given], **settings)
    rows = MotionDatabase.open(tmp_path / "db").each_row("source", "caption")
    assert {Path(source).name: caption for source, caption in rows} == {
        "0001.mp4": "a dog runs",
        "0002.mp4": "a cat jumps",
        "0003.mp4": None,
    }
    assert report.captions.by_source["sidecar"] == 2
    again = build_database([given], **settings)
    assert not again.indexed and len(again.skipped) == 3
    assert len(list((tmp_path / "db-unpacked").iterdir())) == 1 and not list(archive.parent.glob("*.mp4"))


ODD_MEMBERS = {
    "time beyond every clock": ({"mtime": "1e300"}, None),
    "no time": ({"mtime": "nan"}, None),
    "time before all": ({"mtime": "-1e18"}, None),
    "name of 300 characters": ({"path": "b" * 300 + ".mp4"}, "File name too long"),
    "path of 8,000 characters": ({"path": ("x" * 200 + "/") * 40 + "a.mp4"}, "File name too long"),
    "below a file": ({"path": "0001.mp4/a.mp4"}, "File exists"),
    "in the place of a folder": ({"path": "shard.mp4"}, "Is a directory"),
    "name that ends early": ({"path": "a\0b.mp4"}, "null byte"),
}


@pytest.mark.parametrize(("headers", "reason"), ODD_MEMBERS.values(), ids=ODD_MEMBERS)
def test_a_member_that_no_file_can_be_made_of_is_told_and_the_others_are_unpacked(
    tmp_path: Path, headers: dict[str, str], reason: str | None
) -> None:
    path = write_archive(tmp_path / "wds" / "a.tar", {"0001.mp4": b"one", "shard.mp4/0002.mp4": b"two"})
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        odd = tarfile.TarInfo("odd.mp4")
        odd.pax_headers, odd.size = headers, 3
        archive.addfile(odd, io.BytesIO(b"odd"))
        last = tarfile.TarInfo("0003.mp4")
        archive.addfile(last)
    (folder,), broken = unpacked([path], folder=tmp_path / "unpacked")
    names = {file.name for file in folder.rglob("*") if file.is_file()}
    assert names - {"odd.mp4"} == {"0001.mp4", "0002.mp4", "0003.mp4"}
    assert [reason in told.reason and len(told.path) < 400 for told in broken] == ([True] if reason else [])
    assert unpacked([path], folder=tmp_path / "unpacked") == ([folder], broken)  # and so they are told the next time
    assert all(0 <= file.stat().st_mtime < 2**34 for file in folder.rglob("*"))


DAMAGED = [b"", b"{", b"\xff", b"[[1]]", b"[3]", b"null", b"[" * 100_000, b'[["a", "b", "c"]]']


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_note_of_what_was_left_out_is_told_and_ends_nothing(tmp_path: Path, content: bytes) -> None:
    path = write_archive(tmp_path / "wds" / "a.tar", {"0001.mp4": b"one", "a\0b.mp4": b"two", "b" * 300 + ".mp4": b"x"})
    (folder,), told = unpacked([path], folder=tmp_path / "unpacked")
    (note,) = (tmp_path / "unpacked").glob("*.left_out.json")
    note.write_bytes(content)
    (again,), (damaged,) = unpacked([path], folder=tmp_path / "unpacked")
    assert again == folder and damaged.failed and f"remove {folder}, and it is unpacked again" in damaged.reason
    shutil.rmtree(folder)  # the remedy
    assert unpacked([path], folder=tmp_path / "unpacked") == ([folder], told)


def test_of_two_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "wds" / "a.tar", {"0001.mp4": b"old"})
    with tarfile.open(path, "a") as archive:
        newer = tarfile.TarInfo("0001.mp4")
        newer.size = 3
        archive.addfile(newer, io.BytesIO(b"new"))
    (folder,), broken = unpacked([path], folder=tmp_path / "unpacked")
    assert not broken and (folder / "0001.mp4").read_bytes() == b"new"


def test_an_archive_that_cannot_be_read_is_one_failed_input(
    archive: Path, tmp_path: Path, encoder: ProjectionEncoder
) -> None:
    (archive.parent / "broken.tar").write_bytes(b"no archive at all")
    write_archive(archive.parent / "packed.tar", {"a.mp4": b"x"}, mode="w:gz")
    write_archive(archive.parent / "texts.tar", {"a.npy": b"x"})
    report = build_database([archive.parent], output=tmp_path / "db", encoder=encoder, workers=1)
    assert {Path(entry.source).name for entry in report.failed} == {"broken.tar", "packed.tar"}
    assert all("not a readable archive" in entry.reason for entry in report.failed)
    assert [entry.reason for entry in report.skipped] == ["the archive holds no video"] and len(report.indexed) == 3


def test_names_that_lead_out_and_links_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("../out.mp4", "/abs.mp4", "a/../../up.mp4"):
            member = tarfile.TarInfo(name)
            member.size = 1
            archive.addfile(member, io.BytesIO(b"x"))
        link = tarfile.TarInfo("link.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    ready, broken = unpacked([path], folder=tmp_path / "into" / "here")
    assert broken == [] and [file.name for file in ready[0].rglob("*")] == ["abs.mp4"]
    assert not list(tmp_path.rglob("out.mp4")) + list(tmp_path.rglob("up.mp4"))


def test_one_that_was_cut_short_while_unpacking_is_unpacked_again(archive: Path, tmp_path: Path) -> None:
    ready, _ = unpacked([archive], folder=tmp_path / "into")
    half = ready[0].with_name(f"{ready[0].name}.unfinished")
    ready[0].rename(half)
    (half / "0001.mp4").write_bytes(b"half")
    again, _ = unpacked([archive], folder=tmp_path / "into")
    assert again == ready and (ready[0] / "0001.mp4").stat().st_size > 100 and not half.exists()
    assert archives_in([archive.parent]) == [archive]
