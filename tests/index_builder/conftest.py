"""Fixtures of the index builder's tests: a tiny real encoder, a folder of videos, and a database built of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from index_builder.build import build_database
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


@pytest.fixture(scope="session")
def encoder() -> ProjectionEncoder:
    return ProjectionEncoder()


@pytest.fixture(scope="session")
def video_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos, three of them with captions beside them."""
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(5):
        video = write_video(folder / f"clip_{seed}.mp4", seed=seed)
        if seed < 3:
            video.with_suffix(".txt").write_text(f"a square of kind {seed} moves right\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def built(video_folder: Path, encoder: ProjectionEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of the five videos in three segments; to be read only."""
    output = tmp_path_factory.mktemp("built") / "db"
    build_database([video_folder], output=output, encoder=encoder, workers=2, batch_clips=2, commit_clips=2)
    return output


@pytest.fixture
def database(built: Path, tmp_path: Path) -> Path:
    """A copy of `built` that a test may spoil."""
    return Path(shutil.copytree(built, tmp_path / "db"))
