from pathlib import Path

import numpy as np

from training.evaluation.videos.store import VideoStore


def test_frames_come_back_as_they_were(tmp_path: Path) -> None:
    store, frames = VideoStore(tmp_path), np.random.default_rng(0).integers(0, 256, (8, 16, 24, 3), dtype=np.uint8)
    assert not store.has("noisy rag", 3)
    store.save("noisy rag", 3, frames, seconds=1.25)
    assert store.has("noisy rag", 3)
    loaded, seconds = store.load("noisy rag", 3)
    np.testing.assert_array_equal(loaded, frames)
    assert seconds == 1.25


def test_half_a_file_is_never_taken_for_a_video(tmp_path: Path) -> None:
    store = VideoStore(tmp_path)
    path = store.path("rag", 0)
    path.parent.mkdir(parents=True)
    path.with_suffix(".123.tmp").write_bytes(b"half")
    assert not store.has("rag", 0)
