"""Neighbours played backwards: the tokens of the reversed frames, or why there are none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.clips.decode import decode_clip
from index_builder.clips.reading import first_frame_of, frames_of, in_eight_bits
from motionrag_nodes.errors import NeighbourClipMissing
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.backwards import played_backwards
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def found(tiny_pack, tmp_path: Path):
    return encode_reference_videos(tiny_pack, [write_video(tmp_path / f"{seed}.mp4", seed=seed) for seed in (1, 2)])


def test_they_are_what_the_reversed_frames_give(tiny_pack, found, tmp_path: Path) -> None:
    encoder = PackClipEncoder(tiny_pack)
    turned = played_backwards(found, encoder=encoder, sources=AllowedFolders((tmp_path,)))
    clips = []
    for item in found.items:
        clip = decode_clip(Path(item.source), start_sec=item.start_sec, end_sec=item.end_sec, reading=encoder.reading)
        clips.append(np.ascontiguousarray(frames_of(clip.pixels)[::-1]))
        assert first_frame_of(clip.pixels) is not None
    np.testing.assert_array_equal(turned.motion_tokens, encoder.motion_tokens(clips))
    firsts = [in_eight_bits(clip)[0] for clip in clips]
    np.testing.assert_array_equal(turned.appearance_tokens, encoder.appearance_tokens(firsts))
    assert turned.items == found.items and not np.allclose(turned.motion_tokens, found.motion_tokens)


def test_a_video_that_is_gone(tiny_pack, found, tmp_path: Path) -> None:
    gone = replace(found, items=(replace(found.items[0], source=str(tmp_path / "gone.mp4")), found.items[1]))
    with pytest.raises(NeighbourClipMissing, match=r"neighbour #1 at .*gone.mp4 to play it backwards"):
        played_backwards(gone, encoder=PackClipEncoder(tiny_pack), sources=AllowedFolders((tmp_path,)))
