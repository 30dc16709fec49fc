"""Single clips by a worker that can be killed: the same pixels, and an end of whatever hangs or asks for too much."""

import os
import re
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.workers import DecodePool
from index_builder.content_hash import sha256_of
from index_builder.errors import ClipUnreadable
from tests.index_builder.clips.pool_processes import process_ids
from tests.index_builder.sample_videos import write_garbage, write_video

ROOT = Path(__file__).resolve().parents[3]
READING = Reading(frames=16, short_side=48)


class Stopped(Exception):
    pass


def test_the_middle_of_one_video_after_the_other(tmp_path: Path) -> None:
    videos = [write_video(tmp_path / f"{seed}.mp4", seed=seed, frames=60) for seed in range(2)]
    asked = []
    with ClipReader(waiting=lambda: asked.append(1)) as reader:
        for video in videos:
            inspected = reader.inspect(video)
            assert inspected.content_sha256 == sha256_of(video)
            clip = reader.middle(inspected, seconds=2.0, reading=READING)
            assert np.array_equal(clip.frames, decode_clip(video, reading=READING).frames)
        with pytest.raises(ClipUnreadable, match="not a readable video"):
            reader.inspect(write_garbage(tmp_path / "broken.mp4"))
    assert len(asked) >= 5


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """Whoever opens a FIFO waits for ever, and a device has no end."""
    os.mkfifo(tmp_path / "fifo.mp4")
    (tmp_path / "link.mp4").symlink_to("/dev/zero")
    (tmp_path / "folder.mp4").mkdir()
    with ClipReader() as reader:
        for name in ("fifo.mp4", "link.mp4", "folder.mp4"):
            with pytest.raises(ClipUnreadable, match="is no regular file"):
                reader.inspect(tmp_path / name)
        for name in ("nowhere.mp4", "x" * 5000, "nul\0"):
            with pytest.raises(ClipUnreadable, match="gone or cannot be reached"):
                reader.inspect(tmp_path / name)
        assert process_ids(reader._pool) == []


def test_a_video_over_a_limit_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "large.mp4")
    with ClipReader(limits=DecodeLimits(max_pixels=64)) as reader, pytest.raises(ClipUnreadable, match="pixels"):
        reader.inspect(video)


def test_while_a_video_hangs_the_caller_is_asked_and_may_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video, asked = write_video(tmp_path / "v.mp4"), []
    monkeypatch.setattr(DecodePool, "next_answer", lambda self: None)

    def stop() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Stopped

    with pytest.raises(Stopped), ClipReader(waiting=stop) as reader:
        reader.inspect(video)
    assert process_ids(reader._pool) == [] or not _runs(process_ids(reader._pool)[0])


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_no_video_is_decoded_in_the_program_itself() -> None:
    """But for what the workers run, the clip that the doctor makes for itself, and videos that are written."""
    reading = r"\b(decode_clip|decode_windows|read_timeline|open_video|VideoReader)\("
    opening = re.compile(reading + r"|\bav\.open\((?![^\n]*\"w\")")
    found = [
        path.relative_to(ROOT).as_posix()
        for package in ("index_builder", "motionrag_nodes")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.parent != ROOT / "index_builder" / "clips" and opening.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["motionrag_nodes/doctor/machine.py"]
