"""Which files a database may have read: whatever a stranger writes for a source is refused with its reason."""

import os
import socket
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.clips.allowed_folders import NOTES, AllowedFolders, note_folders
from index_builder.errors import ClipUnreadable
from tests.index_builder.sample_videos import write_video

NO_PATHS = [
    "http://127.0.0.1:9/x.mp4", "https://example.org/x.mp4", "file:///etc/passwd", "pipe:0", "concat:/a|/b", "fd:0",
    "tcp://127.0.0.1:1", "", "clip.mp4", "../clip.mp4", "~/clip.mp4", "-i", "\0", "/a\0b", "/" + "a" * 5000,
]  # fmt: skip


@pytest.fixture
def allowed(tmp_path: Path) -> AllowedFolders:
    (tmp_path / "videos").mkdir()
    return AllowedFolders((tmp_path / "videos",))


@pytest.mark.parametrize("source", NO_PATHS)
def test_what_is_no_absolute_path(allowed: AllowedFolders, source: str) -> None:
    with pytest.raises(ClipUnreadable, match="no absolute path"):
        allowed.checked(source)


@pytest.mark.parametrize("source", ["/etc/passwd", "/dev/zero", "/proc/self/environ", "//server/share/x.mp4", "/"])
def test_what_lies_elsewhere_is_not_even_looked_at(
    allowed: AllowedFolders, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: object, **__: object) -> None:
        pytest.fail("the file system was asked about it")

    monkeypatch.setattr(Path, "resolve", touched)
    monkeypatch.setattr(Path, "stat", touched)
    with pytest.raises(ClipUnreadable, match="no folder that was indexed here"):
        allowed.checked(source)


def test_dots_that_lead_out(allowed: AllowedFolders, tmp_path: Path) -> None:
    (tmp_path / "secret.mp4").write_bytes(b"x")
    with pytest.raises(ClipUnreadable, match="no folder that was indexed here"):
        allowed.checked(f"{tmp_path}/videos/../secret.mp4")


def test_relative_sources_begin_at_declared_roots(allowed: AllowedFolders, tmp_path: Path) -> None:
    """Which bring nobody out of the allowed folders."""
    folder = tmp_path / "videos"
    (folder / "deep").mkdir()
    (folder / "deep" / "a.mp4").write_bytes(b"x")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (folder / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    roots = (tmp_path / "elsewhere", folder)
    assert allowed.checked("deep/a.mp4", roots=roots) == (folder / "deep" / "a.mp4").resolve()
    assert allowed.checked("a.mp4", roots=(folder / "deep",)).name == "a.mp4"
    for source in ("../secret.mp4", "deep/../../secret.mp4", "http://127.0.0.1:9/x", "a\0b"):
        with pytest.raises(ClipUnreadable, match="no absolute path"):
            allowed.checked(source, roots=roots)
    with pytest.raises(ClipUnreadable, match="no folder that was indexed here"):
        allowed.checked("secret.mp4", roots=(tmp_path,))
    with pytest.raises(ClipUnreadable, match="a link leads out"):
        allowed.checked("out.mp4", roots=(folder,))
    with pytest.raises(ClipUnreadable, match="gone or cannot be reached"):
        allowed.checked("none.mp4", roots=(folder,))


def test_links_sockets_fifos_and_folders(allowed: AllowedFolders, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (folder / "out.mp4").symlink_to(tmp_path / "secret.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s.mp4"))
    for name, reason in {
        "out.mp4": "a link leads out",
        "loop.mp4": "cannot be reached",
        "gone.mp4": "is gone",
        "folder.mp4": "no regular file",
        "fifo.mp4": "no regular file",
        "s.mp4": "no regular file",
    }.items():
        with pytest.raises(ClipUnreadable, match=reason):
            allowed.checked(str(folder / name))


def test_files_and_links_inside_may_be_read(allowed: AllowedFolders, tmp_path: Path) -> None:
    clip = tmp_path / "videos" / "clip.mp4"
    clip.write_bytes(b"x")
    (tmp_path / "videos" / "link.mp4").symlink_to(clip)
    (tmp_path / "other").symlink_to(tmp_path / "videos")
    assert allowed.checked(str(clip)) == allowed.checked(str(clip.with_name("link.mp4"))) == clip.resolve()
    assert AllowedFolders((tmp_path / "other",)).checked(str(tmp_path / "other" / "clip.mp4")) == clip.resolve()


def test_what_was_indexed_here_is_remembered(no_state: Path, tmp_path: Path, encoder) -> None:
    (tmp_path / "films").mkdir()
    clip = write_video(tmp_path / "films" / "a.mp4")
    with pytest.raises(ClipUnreadable, match="indexed here"):
        AllowedFolders.of_user().checked(str(clip))
    for _ in range(2):
        build_database([tmp_path / "films"], output=tmp_path / "db", encoder=encoder, workers=1)
    assert AllowedFolders.of_user().checked(str(clip)) == clip.resolve()
    assert len((no_state / NOTES).read_text().splitlines()) == 1


def test_notes_that_are_damaged_or_cannot_be_written_cost_nothing_else(
    no_state: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    no_state.mkdir()
    (no_state / NOTES).write_bytes(b'\xff\n{"a": 1}\n"relative"\n[[[\n"/good"\n')
    assert AllowedFolders.of_user().folders == (Path("/good"),)
    (no_state / NOTES).unlink()
    (no_state / NOTES).mkdir()
    note_folders([tmp_path])
    assert "cannot note which folders were indexed" in caplog.text
    assert AllowedFolders.of_user([tmp_path]).folders == (tmp_path,)
