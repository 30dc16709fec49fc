"""From neighbours to the ways of moving: each of its own clips, the note of the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from index_builder.clips.allowed_folders import AllowedFolders
from motionrag_nodes.frames.motions_to_compare import motions_to_compare
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from tests.index_builder.sample_videos import write_video

IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_all_ways_at_once(tiny_pack, tmp_path: Path) -> None:
    own, other = (encode_reference_videos(tiny_pack, [write_video(tmp_path / f"{n}.mp4", seed=n)]) for n in (1, 2))
    ways = motions_to_compare(
        tiny_pack,
        image=IMAGE,
        own=own,
        other=other,
        strengths=(0.5, 1.0),
        backwards=True,
        fusion="mean",
        sources=AllowedFolders((tmp_path,)),
    )
    assert [(way.title, way.note) for way in ways] == [
        ("no motion", ""),
        ("as found × 0.5", "1.mp4"),
        ("as found × 1", "1.mp4"),
        ("played backwards", "1.mp4"),
        ("what if", "2.mp4"),
    ]
    motions = [way.motion for way in ways]
    assert motions[0] is None and motions[1] is motions[2] and motions[1] is not None
    assert torch.equal(motions[1].tokens, own.motion_tokens)
    assert motions[4] is not None and torch.equal(motions[4].tokens, other.motion_tokens)
