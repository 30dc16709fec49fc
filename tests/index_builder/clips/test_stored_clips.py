"""Reading the clips of rows once more: the right file, the right content, within limits, and stopped when asked."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import Reading
from index_builder.clips.stored_clips import read_stored_clips
from index_builder.clips.timeline import DecodeLimits
from index_builder.clips.workers import DecodePool
from index_builder.database.format.rows import ClipRow
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.sample_videos import write_video

SIZE = {"reading": Reading(frames=16, short_side=48)}


class Stopped(Exception):
    pass


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, encoder) -> list[ClipRow]:
    folder = tmp_path_factory.mktemp("stored")
    for seed in range(2):
        write_video(folder / f"clip_{seed}.mp4", seed=seed, frames=60)
    build_database([folder], output=folder / "db", encoder=encoder, workers=1)
    opened = MotionDatabase.open(folder / "db")
    return opened.rows(opened.ids())


def folder_of(rows: list[ClipRow]) -> AllowedFolders:
    return AllowedFolders((Path(rows[0].source).parent,))


def test_the_clip_that_was_indexed(rows: list[ClipRow]) -> None:
    heard = []
    clips = read_stored_clips(rows, allowed=folder_of(rows), progress=lambda *counts: heard.append(counts), **SIZE)
    for row, clip in zip(rows, clips, strict=True):
        direct = decode_clip(Path(row.source), start_sec=row.start_sec, end_sec=row.end_sec, **SIZE)
        assert np.array_equal(clip.frames, direct.frames)
    assert heard[0] == (0, 2) and heard[-1] == (2, 2)


def test_another_file_of_that_name_is_another_clip(rows: list[ClipRow]) -> None:
    other = replace(rows[0], source=rows[1].source)
    first, second = read_stored_clips([other, rows[1]], allowed=folder_of(rows), **SIZE)
    assert first == "its content is not what was indexed" and not isinstance(second, str)


def test_reasons_stand_in_the_places_of_clips(rows: list[ClipRow]) -> None:
    odd = [replace(rows[0], source="http://127.0.0.1:9/x"), rows[0], replace(rows[1], start_sec=50.0, end_sec=52.0)]
    first, second, third = read_stored_clips(odd, allowed=folder_of(rows), **SIZE)
    assert "no absolute path" in first and not isinstance(second, str) and "its span begins behind" in third


def test_a_fifo_in_the_place_of_a_video_is_given_up(rows: list[ClipRow], tmp_path: Path, monkeypatch) -> None:
    """Put there between looking and opening; whoever opens it waits for ever."""
    os.mkfifo(tmp_path / "clip.mp4")
    monkeypatch.setattr(AllowedFolders, "checked", lambda *_, **__: tmp_path / "clip.mp4")
    limits = DecodeLimits(stalled_sec=1.0)
    (reason,) = read_stored_clips(rows[:1], allowed=folder_of(rows), limits=limits, **SIZE)
    assert isinstance(reason, str)


def test_asked_to_stop_it_stops_while_a_video_hangs(rows: list[ClipRow], monkeypatch) -> None:
    """A worker that never answers; the pool is asked again and again."""
    monkeypatch.setattr(DecodePool, "next_answer", lambda self: None)
    calls = []

    def stop(*_: int) -> None:
        calls.append(threading.active_count())
        if len(calls) > 2:
            raise Stopped

    with pytest.raises(Stopped):
        read_stored_clips(rows[:1], allowed=folder_of(rows), progress=stop, **SIZE)
    assert not [thread for thread in threading.enumerate() if thread.name == "decode-watcher"]
