"""Tokens on demand: a pack whose tokens are not stored encodes the neighbours' videos, says so, and remembers."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.database.search.reader import MotionDatabase
from motionrag_nodes.errors import NeighboursNotFound
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
    assert "encoding 3 neighbours on demand" in caplog.text and "those of projection-tokens-0" in caplog.text
    assert found.tokens_fingerprint == "other-tokens"
    assert np.allclose(found.motion_tokens, 2 * stored.motion_tokens, atol=1e-3)
    assert np.array_equal(found.appearance_tokens, stored.appearance_tokens)
    retrieve_neighbours(database, encoder=other, prompt="a ball", top_k=3)
    assert other.encoded == 3


def test_a_video_that_is_gone_is_left_out_with_its_reason(tmp_path: Path, folder: Path, encoder, caplog) -> None:
    videos = Path(shutil.copytree(folder, tmp_path / "videos"))
    build_database([videos], output=tmp_path / "db", encoder=encoder, workers=1)
    database = MotionDatabase.open(tmp_path / "db")
    (videos / "clip_3.mp4").unlink()
    found = retrieve_neighbours(database, encoder=OtherTokens(), prompt="a dog runs away", top_k=3)
    assert [item.rank for item in found.items] == [1, 2] and found.motion_tokens.shape[0] == 2
    assert not [item for item in found.items if "clip_3" in item.source]
    (reason,) = found.left_out
    assert "clip_3.mp4: the file is gone" in reason and "left out" in caplog.text
    with pytest.raises(NeighboursNotFound, match=r"none can \(.*clip_3.mp4: the file is gone"):
        retrieve_neighbours(database, encoder=OtherTokens(), prompt="a dog runs away", min_score=0.99)


def test_videos_of_folders_that_were_not_indexed_here_are_left_alone(
    database: MotionDatabase, folder: Path, no_state: Path
) -> None:
    """As of a database that came from somebody else."""
    with pytest.raises(NeighboursNotFound, match="allow its folder"):
        retrieve_neighbours(database, encoder=OtherTokens(), prompt="a ball", top_k=2)
    allowed = AllowedFolders.of_user([folder])
    assert len(retrieve_neighbours(database, encoder=OtherTokens(), prompt="a ball", top_k=2, sources=allowed)) == 2


def test_sources_relative_to_declared_roots(tmp_path: Path, folder: Path, encoder) -> None:
    """As another program may write them: the database lies beside its videos, wherever both were put."""
    videos = Path(shutil.copytree(folder, tmp_path / "videos"))
    build_database([videos], output=tmp_path / "db", encoder=encoder, workers=1)
    database = MotionDatabase.open(tmp_path / "db")
    rows = [replace(row, source=Path(row.source).name) for row in database.rows(database.ids()[:2])]
    with pytest.raises(NeighboursNotFound, match="no absolute path of a file"):
        module.tokens_of_rows(database, rows, encoder=OtherTokens())
    database.manifest = replace(database.manifest, roots=("../videos",))
    assert len(module.tokens_of_rows(database, rows, encoder=OtherTokens()).ids) == 2


def test_of_many_videos_that_cannot_be_read_an_error_names_a_few(database: MotionDatabase) -> None:
    found = database.rows(database.ids())
    hidden = len(found) - module.SHOWN_REASONS
    assert hidden > 0
    rows = [replace(row, source=f"gone_{number}.mp4") for number, row in enumerate(found)]
    with pytest.raises(NeighboursNotFound, match=rf"gone_2.mp4: [^;]*; and {hidden} more\): put the videos") as error:
        module.tokens_of_rows(database, rows, encoder=OtherTokens())
    assert "gone_3.mp4" not in str(error.value)


def test_reading_on_demand_can_be_stopped(database: MotionDatabase) -> None:
    def stop(done: int, total: int) -> None:
        assert total == 4
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retrieve_neighbours(database, encoder=OtherTokens(), prompt="a ball", top_k=2, progress=stop)
