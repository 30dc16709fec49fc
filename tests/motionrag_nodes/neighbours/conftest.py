"""A database of clips whose captions, first frames and motions differ, encoded by the tests' projection encoder."""

from __future__ import annotations

from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video

CAPTIONS = [
    "a red ball rolls right",
    "a red ball rolls right",
    "a blue ball jumps high",
    "a dog runs away",
    None,
    "a green kite falls",
]


@pytest.fixture(scope="session")
def encoder() -> ProjectionEncoder:
    return ProjectionEncoder()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("neighbours")
    for seed, caption in enumerate(CAPTIONS):
        video = write_video(folder / f"clip_{seed}.mp4", seed=seed)
        if caption:
            video.with_suffix(".txt").write_text(caption)
    return folder


@pytest.fixture(scope="session")
def database(folder: Path, encoder: ProjectionEncoder, tmp_path_factory: pytest.TempPathFactory) -> MotionDatabase:
    output = tmp_path_factory.mktemp("databases") / "db"
    build_database([folder], output=output, encoder=encoder, workers=2)
    return MotionDatabase.open(output)
