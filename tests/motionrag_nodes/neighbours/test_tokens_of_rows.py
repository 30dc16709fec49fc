"""Tokens on demand: a pack whose tokens are not stored encodes the neighbours' videos, says so, and remembers."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.neighbours import tokens_of_rows as module
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from tests.index_builder.projection_encoder import ProjectionEncoder


class OtherTokens(ProjectionEncoder):
    """The same retrieval space, another resampler."""

    def __init__(self) -> None:
        super().__init__()
        self.name, self.tokens_fingerprint, self.encoded = "other", "other-tokens", 0

    def encode(self, clips, captions):
        self.encoded += len(clips)
        features = super().encode(clips, captions)
        features.motion_tokens[:] *= 2
        return features


@pytest.fixture(autouse=True)
def forget():
    module._encoded.clear()


def test_encodes_on_demand_says_so_and_remembers(database: MotionDatabase, encoder, caplog) -> None:
    other = OtherTokens()
    stored = retrieve_neighbours(database, encoder=encoder, prompt="a ball", top_k=3)
    found = retrieve_neighbours(database, encoder=other, prompt="a ball", top_k=3)
    assert "encoding 3 neighbours on demand" in caplog.text and "stores those of projection-tokens-0" in caplog.text
    assert found.tokens_fingerprint == "other-tokens"
    assert np.allclose(found.motion_tokens, 2 * stored.motion_tokens, atol=1e-3)
    assert np.array_equal(found.appearance_tokens, stored.appearance_tokens)
    retrieve_neighbours(database, encoder=other, prompt="a ball", top_k=3)
    assert other.encoded == 3


def test_a_video_that_is_gone_counts_as_mid_grey(tmp_path: Path, folder: Path, encoder, caplog) -> None:
    videos = Path(shutil.copytree(folder, tmp_path / "videos"))
    build_database([videos], output=tmp_path / "db", encoder=encoder, workers=1)
    (videos / "clip_3.mp4").unlink()
    other = OtherTokens()
    found = retrieve_neighbours(
        MotionDatabase.open(tmp_path / "db"), encoder=other, prompt="a dog runs away", min_score=0.99
    )
    assert "clip_3.mp4 cannot be read" in caplog.text and "mid-grey" in caplog.text
    grey = np.full((16, 48, 48, 3), 128, np.uint8)
    assert np.array_equal(
        found.appearance_tokens.numpy(), other.encode([grey], [None]).appearance_tokens.astype(np.float32)
    )
