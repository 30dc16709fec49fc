"""Encoding: in parts where there is no memory for all, with the same rows in the same order."""

from pathlib import Path

import numpy as np
import pytest
import torch

from index_builder.clips.decode import DecodedClip
from index_builder.clips.find import VideoFile
from index_builder.clips.messages import Decoded
from index_builder.clips.windows import ClipWindow, PlannedClip
from index_builder.engines.encode import encode_clips
from tests.index_builder.projection_encoder import ProjectionEncoder


class Small(ProjectionEncoder):
    """Of a device that holds few pixels at a time."""

    def __init__(self, *, room: int) -> None:
        super().__init__()
        self.room, self.sizes = room, []

    def encode(self, clips, captions):
        self.sizes.append(len(clips))
        if sum(clip.size for clip in clips) > self.room:
            raise torch.cuda.OutOfMemoryError("no memory left")
        return super().encode(clips, captions)


def decoded(number: int, *, side: int = 32) -> Decoded:
    video = VideoFile(path=Path(f"/v/{number}.mp4"), root=Path("/v"), size_bytes=1, mtime_ns=1)
    frames = np.random.default_rng(number).integers(0, 255, (4, side, side, 3), dtype=np.uint8)
    size = {"width": side, "height": side, "rotation": 0, "decoder": "pyav"}
    clip = DecodedClip(frames=frames, start_sec=0.0, end_sec=2.0, fps=8.0, **size)
    planned = PlannedClip(video=video, window=ClipWindow(0, 2000), row_id=str(number), captions=(f"clip {number}",))
    return Decoded(planned=planned, clip=clip, thumbnail=b"jpeg")


def test_clips_that_do_not_fit_together_are_encoded_in_parts() -> None:
    clips = [decoded(number) for number in range(7)]
    encoder = Small(room=2 * clips[0].clip.frames.size)
    parts, failed = encode_clips(encoder, clips)
    whole, _ = encode_clips(ProjectionEncoder(), clips)
    assert not failed and encoder.sizes[0] == 7 and max(encoder.sizes[1:]) < 7
    assert [row.id for row in parts.rows] == [str(number) for number in range(7)]
    assert parts.rows == whole.rows and np.array_equal(parts.frame, whole.frame)
    assert np.array_equal(parts.tokens.motion_tokens, whole.tokens.motion_tokens)


def test_a_clip_that_does_not_fit_alone_fails_alone() -> None:
    clips = [decoded(0), decoded(1, side=64), decoded(2)]
    batch, failed = encode_clips(Small(room=2 * clips[0].clip.frames.size), clips)
    assert [row.id for row in batch.rows] == ["0", "2"]
    assert [clip.planned.row_id for clip in failed] == ["1"] and "more memory than the device has" in failed[0].reason
    nothing, failed = encode_clips(Small(room=0), clips)
    assert nothing is None and len(failed) == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_an_accelerator_gives_the_rows_of_the_processor() -> None:
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    clips = [decoded(number, side=64) for number in range(3)]
    rows = [encode_clips(PackClipEncoder(load_pack("tiny", device=device)), clips)[0] for device in ("cpu", "cuda")]
    assert np.allclose(rows[0].frame, rows[1].frame, atol=1e-3)
    assert np.allclose(rows[0].tokens.motion_tokens, rows[1].tokens.motion_tokens, atol=2e-2)
