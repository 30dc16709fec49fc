"""Finding videos: recursive, in one order, never outside the input folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from index_builder.clips.find import MAX_NS, Unusable, VideoFile, find_videos, stamp
from index_builder.errors import InputNotFound


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_finds_recursively_in_byte_order_and_leaves_other_files(tmp_path: Path) -> None:
    names = ["b/z.MP4", "a/é日本.mov", "a/b/deep.webm", "top.mkv"]
    for name in [*names, "a/notes.txt", "picture.jpg"]:
        touch(tmp_path / name)
    found = find_videos([tmp_path])
    assert [entry.path.relative_to(tmp_path).as_posix() for entry in found] == [
        "top.mkv",
        "a/é日本.mov",
        "a/b/deep.webm",
        "b/z.MP4",
    ]
    assert all(isinstance(entry, VideoFile) and entry.size_bytes == 1 for entry in found)


def test_overlapping_inputs_give_each_video_once(tmp_path: Path) -> None:
    video = touch(tmp_path / "a" / "v.mp4")
    assert [entry.path for entry in find_videos([tmp_path, tmp_path / "a", video])] == [video]


def test_a_file_named_outright_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    assert [entry.path.name for entry in find_videos([touch(tmp_path / "clip.bin")])] == ["clip.bin"]


def test_symlinks_out_of_the_folder_are_skipped_with_a_reason(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    secret = touch(outside / "secret.mp4")
    touch(inside / "own.mp4")
    (inside / "link.mp4").symlink_to(secret)
    (inside / "own_again.mp4").symlink_to(inside / "own.mp4")
    (inside / "folder").symlink_to(outside)
    (inside / "broken.mp4").symlink_to(inside / "nowhere.mp4")
    found = {Path(entry.path).name: entry for entry in find_videos([inside])}
    assert isinstance(found["own.mp4"], VideoFile) and isinstance(found["own_again.mp4"], VideoFile)
    assert "out of the input folder" in found["link.mp4"].reason and not found["link.mp4"].failed
    assert "not followed" in found["folder"].reason
    assert found["broken.mp4"].failed
    assert "secret.mp4" not in found


def test_a_pipe_and_a_name_that_is_not_utf8_are_accounted_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    raw = os.path.join(os.fsencode(tmp_path), b"bad\xff.mp4")
    with open(raw, "wb") as stream:
        stream.write(b"x")
    reasons = {entry.reason for entry in find_videos([tmp_path]) if isinstance(entry, Unusable)}
    assert reasons == {"not a regular file", "its name is not valid UTF-8: rename the file"}


def test_missing_and_empty_inputs_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="does not exist"):
        find_videos([tmp_path / "nowhere"])
    with pytest.raises(InputNotFound, match="found none"):
        find_videos([tmp_path])
    with pytest.raises(InputNotFound, match="at least one folder"):
        find_videos([])


def test_what_systems_leave_among_videos_is_passed_by(tmp_path: Path) -> None:
    for folder in (
        ".Trash-1000/files",
        "@eaDir/a.mp4",
        "#recycle",
        "$RECYCLE.BIN",
        ".thumbnails",
        "__MACOSX",
        "x/@eaDir",
    ):
        touch(tmp_path / folder / "junk.mp4")
    touch(tmp_path / "._a.mp4")
    touch(tmp_path / "a.mp4")
    touch(tmp_path / "recycle" / "b.mp4")
    assert [entry.path.name for entry in find_videos([tmp_path])] == ["a.mp4", "b.mp4"]
    # Named outright, even such a folder is meant.
    assert [entry.path.name for entry in find_videos([tmp_path / ".thumbnails"])] == ["junk.mp4"]


def test_pictures_that_move_are_videos_and_others_are_not(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "webp"):
        frames[0].save(tmp_path / f"moves.{suffix}", save_all=True, append_images=frames[1:], duration=100)
        frames[0].save(tmp_path / f"still.{suffix}")
        (tmp_path / f"broken.{suffix}").write_bytes(b"nothing of the kind")
    names = [entry.path.name for entry in find_videos([tmp_path])]
    assert names == ["broken.gif", "broken.webp", "moves.gif", "moves.webp"]


def test_other_suffixes_of_videos(tmp_path: Path) -> None:
    names = ["a.asf", "b.DV", "c.qt", "d.f4v", "e.m2ts"]
    for name in names:
        touch(tmp_path / name)
    assert [entry.path.name for entry in find_videos([tmp_path])] == names


def test_a_pattern_means_videos(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.txt", "captions.csv", "._a.mp4", "sub/b.mp4", "sub/b.txt"):
        touch(tmp_path / name)
    assert [entry.path.name for entry in find_videos([tmp_path / "*"])] == ["a.mp4", "b.mp4"]
    with pytest.raises(InputNotFound, match="found none"):
        find_videos([tmp_path / "*.txt"])


def test_times_that_no_database_holds_become_ones_that_it_does(tmp_path: Path) -> None:
    far = os.stat_result((0, 0, 0, 0, 0, 0, 5, 0, 0, 0), {"st_mtime_ns": 2**64})
    assert stamp(far) == (5, MAX_NS)
    past = os.stat_result((0, 0, 0, 0, 0, 0, 5, 0, 0, 0), {"st_mtime_ns": -(2**64)})
    assert stamp(past) == (5, -MAX_NS)


FIND = """
import sys
from pathlib import Path
from index_builder.clips.find import Unusable, find_videos
for entry in find_videos([Path(name) for name in sys.argv[1:]]):
    print(Path(entry.path).name, entry.reason if isinstance(entry, Unusable) else "found")
"""


def test_folders_without_permission_are_accounted_for(tmp_path: Path) -> None:
    for name in ("open/a.mp4", "listed/b.mp4", "listed/sub/c.mp4", "closed/d.mp4"):
        touch(tmp_path / "v" / name)
    (tmp_path / "v" / "listed").chmod(0o444)
    (tmp_path / "v" / "closed").chmod(0o000)
    # Root may do everything, unless it gives that up.
    plain = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    inputs = [str(tmp_path / "v"), str(tmp_path / "v" / "closed" / "d.mp4")]
    command = [*plain, sys.executable, "-c", FIND, *inputs]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    finally:
        for name in ("listed", "closed"):
            (tmp_path / "v" / name).chmod(0o755)
    assert sorted(said) == [
        "a.mp4 found",
        "b.mp4 the file cannot be opened: Permission denied",
        "closed the folder cannot be read: Permission denied",
        "d.mp4 it cannot be read: Permission denied",
        "sub the folder cannot be read: Permission denied",
    ]
