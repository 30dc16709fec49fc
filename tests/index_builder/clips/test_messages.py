"""Messages: what comes back is what was sent, and no malformed answer passes."""

import io
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.decode import DecodedClip
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import (
    BrokenAnswer,
    Decoded,
    DecodeTask,
    Failed,
    Inspected,
    InspectTask,
    receive_answer,
    receive_task,
    send_answer,
    send_headway,
    send_task,
)
from index_builder.clips.orientation import Orientation
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits, Timeline
from index_builder.clips.windows import ClipWindow, PlannedClip

FRAMES = np.random.default_rng(0).integers(0, 255, (2, 4, 6, 3), dtype=np.uint8)
CLIP = DecodedClip(
    frames=FRAMES, start_sec=0.5, end_sec=2.5, fps=29.97, width=6, height=4, rotation=90, decoder="decord"
)
VIDEO = VideoFile(path=Path("/a/é.mp4"), root=Path("/a"), size_bytes=3, mtime_ns=4)
PLANNED = tuple(PlannedClip(video=VIDEO, window=ClipWindow(w, w + 2000), row_id=f"x@{w}") for w in (0, 4000))
TIMELINE = Timeline(
    ticks=np.array([0, 40, 81, 120]),
    tick_sec=1e-3,
    origin_ticks=-7,
    duration_sec=0.16,
    fps=25.0,
    width=4,
    height=6,
    coded_width=6,
    coded_height=4,
    orientation=Orientation(rotation=90, mirrored=True),
    stream=1,
    indexed=True,
    timed=True,
)
INSPECT = InspectTask(video=VIDEO)
READING = Reading(frames=16, short_side=64)
DECODE = DecodeTask(clips=PLANNED, timeline=TIMELINE, reading=READING, decoders=("pyav",))


def sent(answer, place=None) -> bytes:
    stream = io.BytesIO()
    send_answer(stream, answer, place)
    return stream.getvalue()


def same(first: Timeline, second: Timeline) -> bool:
    rest = [{**vars(timeline), "ticks": None} for timeline in (first, second)]
    return np.array_equal(first.ticks, second.ticks) and rest[0] == rest[1]


def test_reasons_come_back_with_whom_they_are_about() -> None:
    about_video = Failed(video=VIDEO, reason="é\n日本")
    assert receive_answer(io.BytesIO(sent(about_video)), INSPECT) == about_video
    about_clip = Failed(video=VIDEO, planned=PLANNED[1], reason="no")
    assert receive_answer(io.BytesIO(sent(about_clip, 1)), DECODE) == about_clip


def test_inspections_come_back() -> None:
    answer = Inspected(video=VIDEO, content_sha256="ab" * 32, timeline=TIMELINE, cuts_ms=(5, 9))
    back = receive_answer(io.BytesIO(sent(answer)), INSPECT)
    assert (back.video, back.content_sha256, back.cuts_ms) == (VIDEO, "ab" * 32, (5, 9))
    assert same(back.timeline, TIMELINE)


def test_clips_come_back_to_the_pixel() -> None:
    back = receive_answer(io.BytesIO(sent(Decoded(planned=PLANNED[1], clip=CLIP, thumbnail=b"jpeg"), 1)), DECODE)
    assert isinstance(back, Decoded) and back.thumbnail == b"jpeg" and back.planned == PLANNED[1]
    assert np.array_equal(back.clip.frames, FRAMES)
    assert {**vars(back.clip), "frames": 0} == {**vars(CLIP), "frames": 0}


def test_headway_is_no_answer() -> None:
    stream = io.BytesIO()
    send_headway(stream)
    stream.seek(0)
    assert receive_answer(stream, DECODE) is None


def test_tasks_come_back() -> None:
    stream = io.BytesIO()
    send_task(stream, InspectTask(video=VIDEO, scene_threshold=27.0), DecodeLimits(max_pixels=5))
    send_task(stream, DECODE, DecodeLimits())
    stream.seek(0)
    assert receive_task(stream) == (InspectTask(video=VIDEO, scene_threshold=27.0), DecodeLimits(max_pixels=5))
    back, _ = receive_task(stream)
    assert [clip.window for clip in back.clips] == [clip.window for clip in PLANNED] and back.video == VIDEO
    assert (back.reading, back.decoders) == (READING, ("pyav",))
    assert same(back.timeline, TIMELINE)
    assert receive_task(stream) is None


def test_the_timeline_of_a_long_film_is_a_short_message() -> None:
    hours = Timeline(**{**vars(TIMELINE), "ticks": np.arange(12 * 3600 * 60)})
    assert len(sent(Inspected(video=VIDEO, content_sha256="a", timeline=hours))) < 200_000


GOOD = sent(Decoded(planned=PLANNED[0], clip=CLIP, thumbnail=b"jpeg"), 0)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"chatter of a library\n",
        b"[1]\n",
        b'{"kind": "Decoded"}\n',
        b'{"kind": "Decoded", "place": 0, "shape": [1000000, 1000, 1000, 3], "thumbnail_bytes": 3, "clip": {}}\n',
        b'{"kind": "Decoded", "place": 0, "shape": [1, 1, 1, 4], "thumbnail_bytes": 0, "clip": {}}\n1234',
        b'{"kind": "Decoded", "place": 0, "shape": [-1, 4, 6, 3], "thumbnail_bytes": 3, "clip": {}}\n',
        GOOD[:-1],
        GOOD[:-40],
        GOOD.replace(b'"place": 0', b'"place": 2'),
        sent(Inspected(video=VIDEO, content_sha256="a", timeline=TIMELINE)).replace(b'"place": null', b'"place": 0'),
    ],
)
def test_malformed_answers_are_broken(answer: bytes) -> None:
    with pytest.raises(BrokenAnswer, match=r"malformed|bytes came|a clip of shape|a clip 2 of 2|without an answer"):
        receive_answer(io.BytesIO(answer), DECODE)


@pytest.mark.parametrize("ticks", ["", "AAAA", "eJwDAAAAAAE="])
def test_malformed_timelines_are_broken(ticks: str) -> None:
    good = sent(Inspected(video=VIDEO, content_sha256="a", timeline=TIMELINE))
    packed = good.split(b'"ticks": "')[1].split(b'"')[0]
    with pytest.raises(BrokenAnswer, match="malformed"):
        receive_answer(io.BytesIO(good.replace(packed, ticks.encode())), INSPECT)
