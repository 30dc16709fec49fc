"""Retrieval where captions have a space of their own: text, then image, and clips without a caption."""

from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseMismatch
from motionrag_nodes.errors import NeighboursNotFound
from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import picture, write_video


def names(found) -> list[str]:
    return [Path(item.source).stem for item in found.items]


@pytest.fixture(scope="module")
def two() -> ProjectionEncoder:
    return ProjectionEncoder(text_dim=20)


@pytest.fixture(scope="module")
def database_of_two(two: ProjectionEncoder, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> MotionDatabase:
    output = tmp_path_factory.mktemp("databases") / "two"
    build_database([folder], output=output, encoder=two, workers=2)
    return MotionDatabase.open(output)


def test_text_finds_only_clips_with_a_caption(database_of_two: MotionDatabase, two: ProjectionEncoder) -> None:
    found = retrieve_neighbours(database_of_two, encoder=two, prompt="a dog runs away", top_k=9)
    assert names(found)[0] == "clip_3" and found.items[0].score == pytest.approx(1, abs=1e-4)
    assert len(found) == 5 and "clip_4" not in names(found)
    varied = retrieve_neighbours(database_of_two, encoder=two, prompt="a dog runs away", top_k=9, diversity=0.5)
    assert sorted(names(varied)) == sorted(names(found))


def test_image_finds_every_clip(database_of_two: MotionDatabase, two: ProjectionEncoder) -> None:
    image = picture(0, size=(64, 48), seed=4)
    found = retrieve_neighbours(database_of_two, encoder=two, image=image, mode="image", top_k=9)
    assert names(found)[0] == "clip_4" and len(found) == 6


def test_text_then_image_ranks_again_across_spaces(database_of_two: MotionDatabase, two: ProjectionEncoder) -> None:
    query = {"encoder": two, "prompt": "a red ball rolls right", "mode": "text_then_image"}
    for seed, first in ((1, "clip_1"), (0, "clip_0")):
        image = picture(0, size=(64, 48), seed=seed)
        found = retrieve_neighbours(database_of_two, image=image, top_k=5, **query)
        assert names(found)[0] == first and found.items[0].text_score == pytest.approx(1, abs=1e-4)
        assert [item.score for item in found.items] == [item.frame_score for item in found.items]


def test_a_pinned_clip_without_a_caption_scores_nothing(database_of_two: MotionDatabase, two) -> None:
    found = retrieve_neighbours(database_of_two, encoder=two, prompt="a dog runs away", pin=["clip_4"], top_k=2)
    assert names(found) == ["clip_4", "clip_3"] and found.items[0].score == 0


def test_each_mode_needs_only_the_spaces_that_it_compares(database_of_two, database, two, encoder) -> None:
    image = picture(0, size=(64, 48), seed=4)
    # The frames' encoder is the same in all of them.
    assert retrieve_neighbours(database_of_two, encoder=encoder, image=image, mode="image")
    with pytest.raises(
        DatabaseMismatch, match=r"encoded by fixed proj.*, as pack projection-0 asks, found fixed words 0 \(20\)"
    ):
        retrieve_neighbours(database_of_two, encoder=encoder, prompt="a dog")
    with pytest.raises(DatabaseMismatch, match=r"encoded by fixed words.* asks, found fixed projection 0 \(32\)"):
        retrieve_neighbours(database, encoder=two, prompt="a dog", image=image, mode="text_then_image")


def test_no_caption_at_all_is_said(two: ProjectionEncoder, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    write_video(tmp_path / "clips" / "clip.mp4", seed=1)
    build_database([tmp_path / "clips"], output=tmp_path / "db", encoder=two, workers=1)
    with pytest.raises(NeighboursNotFound, match=r"no clip has a caption \(then ask by image\)"):
        retrieve_neighbours(MotionDatabase.open(tmp_path / "db"), encoder=two, prompt="a dog")
