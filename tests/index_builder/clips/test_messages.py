"""Messages: what comes back is what was sent, and no malformed answer passes."""

import io

import numpy as np
import pytest

from index_builder.clips.decode import DecodedClip
from index_builder.clips.messages import (
    BrokenAnswer,
    Decoded,
    Failed,
    Inspected,
    InspectTask,
    receive_answer,
    receive_task,
    send_answer,
    send_task,
)
from index_builder.clips.timeline import DecodeLimits

FRAMES = np.random.default_rng(0).integers(0, 255, (2, 4, 6, 3), dtype=np.uint8)
CLIP = DecodedClip(
    frames=FRAMES, start_sec=0.5, end_sec=2.5, fps=29.97, width=6, height=4, rotation=90, decoder="decord"
)


def sent(answer) -> bytes:
    stream = io.BytesIO()
    send_answer(stream, answer)
    return stream.getvalue()


@pytest.mark.parametrize("answer", [Failed(reason="é\n日本"), Inspected(content_sha256="ab" * 32, duration_sec=1.25)])
def test_plain_answers_come_back(answer) -> None:
    assert receive_answer(io.BytesIO(sent(answer))) == answer


def test_clips_come_back_to_the_pixel() -> None:
    back = receive_answer(io.BytesIO(sent(Decoded(clip=CLIP, thumbnail=b"jpeg"))))
    assert isinstance(back, Decoded) and back.thumbnail == b"jpeg"
    assert np.array_equal(back.clip.frames, FRAMES)
    assert {**vars(back.clip), "frames": 0} == {**vars(CLIP), "frames": 0}


def test_tasks_come_back() -> None:
    stream, task = io.BytesIO(), InspectTask(path="/a/é.mp4", size_bytes=3, mtime_ns=4)
    send_task(stream, task, DecodeLimits(max_pixels=5))
    stream.seek(0)
    assert receive_task(stream) == (task, DecodeLimits(max_pixels=5))
    assert receive_task(stream) is None


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"chatter of a library\n",
        b"[1]\n",
        b'{"kind": "Decoded"}\n',
        b'{"kind": "Decoded", "shape": [1000000, 1000, 1000, 3], "thumbnail_bytes": 3, "clip": {}}\n',
        b'{"kind": "Decoded", "shape": [1, 1, 1, 4], "thumbnail_bytes": 0, "clip": {}}\n1234',
        b'{"kind": "Decoded", "shape": [-1, 4, 6, 3], "thumbnail_bytes": 3, "clip": {}}\n',
        sent(Decoded(clip=CLIP, thumbnail=b"jpeg"))[:-1],
        sent(Decoded(clip=CLIP, thumbnail=b"jpeg"))[:-40],
    ],
)
def test_malformed_answers_are_broken(answer: bytes) -> None:
    with pytest.raises(BrokenAnswer, match=r"malformed|bytes came|a clip of shape|without an answer"):
        receive_answer(io.BytesIO(answer))
