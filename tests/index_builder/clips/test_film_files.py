"""Films as files that others read."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

from index_builder.clips.film_files import write_mp4, write_webp

FILM = np.repeat(np.linspace(40, 200, 5).astype(np.uint8)[:, None, None, None], 3, axis=3).repeat(32, 1).repeat(48, 2)


def test_mp4(tmp_path: Path) -> None:
    write_mp4(tmp_path / "film.mp4", FILM, fps=8)
    with av.open(str(tmp_path / "film.mp4")) as container:
        assert container.streams.video[0].average_rate == 8
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert frames.shape == FILM.shape and np.abs(frames.astype(int) - FILM).max() < 8
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


def test_webp(tmp_path: Path) -> None:
    write_webp(tmp_path / "film.webp", FILM, fps=8)
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames == 5 and film.size == (48, 32)
