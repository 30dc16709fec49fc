"""The atlas: clips that move alike lie side by side, none over another, and each shows its motion."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from index_builder.clips.decode import decode_clip
from index_builder.database.format.manifest import newest_manifest
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InvalidSetting, TokensNotStored
from index_builder.report.atlas import (
    chronophotograph,
    crosses_a_still_background,
    draw_atlas,
    map_motions,
    region_words,
    snap_to_grid,
)
from index_builder.report.drawing import BACKGROUND, EMPTY
from tests.index_builder.sample_rows import write_database
from tests.index_builder.sample_videos import real_clips, write_video


def share_of(picture, colour: tuple[int, int, int]) -> float:
    return float((np.asarray(picture) == colour).all(axis=-1).mean())


def test_every_clip_is_on_the_map(built: Path) -> None:
    atlas = draw_atlas(MotionDatabase.open(built), side_pixels=1000)
    assert atlas.size == (1000, 1000) and atlas.mode == "RGB"
    # Five clips, each no larger than it is stored: 128 x 96 px.
    assert share_of(atlas, BACKGROUND) == pytest.approx(1 - 5 * 128 * 96 / 1000**2, abs=0.02)
    few = draw_atlas(MotionDatabase.open(built), side_pixels=1000, max_clips=1)
    assert share_of(few, BACKGROUND) == pytest.approx(1 - 128 * 96 / 1000**2, abs=0.01)


def test_the_same_database_gives_the_same_map(built: Path) -> None:
    first, second = (draw_atlas(MotionDatabase.open(built), side_pixels=256) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_unreadable_thumbnails_and_empty_databases_still_give_a_picture(tmp_path: Path) -> None:
    path = write_database(tmp_path / "db")
    assert share_of(draw_atlas(MotionDatabase.open(path), side_pixels=300), EMPTY) > 0.05
    empty = MotionDatabase(path, replace(newest_manifest(path)[0], segments=(), indexes=()))
    assert share_of(draw_atlas(empty, side_pixels=300), BACKGROUND) > 0.98


def test_impossible_sizes_and_missing_tokens_are_named(tmp_path: Path) -> None:
    path = write_database(tmp_path / "db")
    database = MotionDatabase.open(path)
    for arguments in ({"side_pixels": 100}, {"max_clips": 0}):
        with pytest.raises(InvalidSetting, match="side_pixels of at least 128 and max_clips of at least 1"):
            draw_atlas(database, **arguments)
    bare = tuple(replace(segment, tokens=()) for segment in database.manifest.segments)
    with pytest.raises(TokensNotStored, match="motion tokens of one encoder"):
        draw_atlas(MotionDatabase(path, replace(database.manifest, segments=bare)))


def test_alike_motions_lie_together() -> None:
    drawn = np.random.default_rng(0)
    group = np.repeat(np.arange(4), 20)
    features = (drawn.normal(size=(4, 50)) * 5)[group] + drawn.normal(size=(80, 50))
    places, per_side = snap_to_grid(map_motions(features.astype(np.float32)))
    assert len({tuple(place) for place in places}) == 80 and places.min() >= 0 and places.max() < per_side == 10
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1) + 100 * np.eye(80)
    nearest = distance.argmin(axis=1)
    assert (group[nearest] == group).mean() > 0.7  # by chance: 0.25


@pytest.mark.parametrize("features", [np.ones((1, 3)), np.ones((6, 3)), np.arange(4.0)[:, None]])
def test_few_or_equal_clips_have_places_too(features: np.ndarray) -> None:
    points = map_motions(features.astype(np.float32))
    assert np.isfinite(points).all() and points.min() >= 0 and points.max() <= 1
    assert len({tuple(place) for place in snap_to_grid(points)[0]}) == len(features)


def test_words_are_of_their_region_and_stand_once() -> None:
    captions = ["the red cat jumps"] * 5 + ["the red dog turns left"] * 5 + ["the red dog"] * 2
    points = np.array([[0.1, 0.1]] * 5 + [[0.9, 0.9]] * 5 + [[0.5, 0.1]] * 2)
    labels = dict(region_words(captions, points))
    assert set(labels) == {"jumps", "turns"} and labels["jumps"] == pytest.approx((0.1, 0.1))
    assert region_words([""] * 12, points) == []


def test_a_chronophotograph_shows_the_way_over_its_background() -> None:
    frames = np.full((8, 8, 32, 3), 40, np.uint8)
    for time in range(8):
        frames[time, 2:6, 4 * time : 4 * time + 4] = 240
    row = chronophotograph(frames)[4, ::4, 0].astype(int)
    assert (np.diff(row) > 0).all() and row[0] > 80 and row[-1] == 240
    assert (chronophotograph(frames)[0] == 40).all()


def test_no_region_is_called_by_a_word_of_every_sentence() -> None:
    captions = ["the camera is slowly shown"] * 6 + ["die Kamera und das Bild"] * 6
    points = np.array([[0.1, 0.1]] * 6 + [[0.9, 0.9]] * 6)
    assert {word for word, _ in region_words(captions, points)} <= {"kamera", "bild"}
    assert region_words(["the of and with"] * 6 + [""] * 6, points) == []


def strip_frames(path: Path) -> list[Image.Image]:
    decoded = decode_clip(path, frames=16, seconds=2.0, short_side=96).frames
    return [Image.fromarray(decoded[round(place * 15 / 7)]) for place in range(8)]


def test_real_footage_is_a_still_and_a_thing_that_crosses_is_a_chronophotograph(tmp_path: Path) -> None:
    for path in real_clips():
        frames = np.stack([np.asarray(frame) for frame in strip_frames(path)])
        assert not crosses_a_still_background(frames), path
    crossing = strip_frames(write_video(tmp_path / "v.mp4", seed=1))
    assert crosses_a_still_background(np.stack([np.asarray(frame) for frame in crossing]))
    assert not crosses_a_still_background(np.full((8, 48, 64, 3), 7, np.uint8))
