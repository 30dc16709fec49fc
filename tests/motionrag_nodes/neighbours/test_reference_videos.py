"""The user's own clips as neighbours."""

import io
import os

import av
import numpy as np
import pytest
import torch
from PIL import Image

from index_builder.errors import InputNotFound, InvalidSetting
from motionrag_nodes.errors import ShapeMismatch
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos


def clip(seed, height=32, width=40, frames=16):
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def write_video(path, frames):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame)))
        container.mux(stream.encode())
    return path


def test_own_videos_and_frames_become_neighbours_in_their_order(tiny_pack, tmp_path):
    path = write_video(tmp_path / "übung.mp4", clip(3, 48, 64))
    frames = clip(4)
    neighbours = encode_reference_videos(tiny_pack, [path, frames])
    assert [item.rank for item in neighbours.items] == [1, 2]
    assert neighbours.items[0].source == str(path)
    assert neighbours.items[0].end_sec - neighbours.items[0].start_sec == pytest.approx(2)
    assert neighbours.tokens_fingerprint == tiny_pack.tokens_fingerprint
    assert neighbours.motion_tokens.shape == neighbours.appearance_tokens.shape == (2, 3, 32)
    expected = PackClipEncoder(tiny_pack).motion_tokens([frames])
    torch.testing.assert_close(neighbours.motion_tokens[1:], expected)
    assert not neighbours.motion_tokens.is_inference()
    strip = Image.open(io.BytesIO(neighbours.items[0].thumbnail))
    assert strip.height == 96 and strip.width == pytest.approx(8 * 128, abs=16)


def test_bad_references_are_refused(tiny_pack, tmp_path):
    with pytest.raises(InvalidSetting, match="at least one reference video, received none"):
        encode_reference_videos(tiny_pack, [])
    with pytest.raises(
        ShapeMismatch, match=r"Expected a clip as uint8 RGB \[T, H, W, 3\], received float64 \[2, 8, 8\]"
    ):
        encode_reference_videos(tiny_pack, [np.zeros((2, 8, 8))])
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with pytest.raises(InputNotFound, match="not a readable video"):
        encode_reference_videos(tiny_pack, [tmp_path / "broken.mp4"])


def test_what_hangs_or_is_no_file_ends_in_a_sentence(tiny_pack, tmp_path):
    os.mkfifo(tmp_path / "fifo.mp4")
    with pytest.raises(InputNotFound, match=r"a video that can be read, but fifo\.mp4 cannot be .*no regular file"):
        encode_reference_videos(tiny_pack, [tmp_path / "fifo.mp4"])


def test_reading_can_be_stopped(tiny_pack, tmp_path):
    path, heard = write_video(tmp_path / "a.mp4", clip(3)), []

    def stop(done, total):
        heard.append((done, total))
        if len(heard) == 3:  # while the video is waited for
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encode_reference_videos(tiny_pack, [clip(1), path], progress=stop)
    assert heard == [(0, 2), (1, 2), (1, 2)]
