"""Finding videos: recursive, in one order, never outside the input folder."""

import os
from pathlib import Path

import pytest

from index_builder.clips.find import Unusable, VideoFile, find_videos
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
