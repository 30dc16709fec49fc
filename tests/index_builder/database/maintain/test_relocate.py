"""Videos that were moved are found by their content; what is still in its place, or nowhere, is told apart."""

import shutil
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.database.maintain.relocate import relocate_videos
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import InputNotFound
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def moved(tmp_path: Path, encoder: ProjectionEncoder) -> tuple[Path, Path]:
    """A database of four videos: one in its place, one renamed, one in another folder, one gone."""
    for seed, name in enumerate(("stays", "renamed", "elsewhere", "gone")):
        write_video(tmp_path / "v" / f"{name}.mp4", seed=seed, frames=75)
    build_database([tmp_path / "v"], output=tmp_path / "db", encoder=encoder, workers=1, clips_per_video=None)
    (tmp_path / "v" / "renamed.mp4").rename(tmp_path / "v" / "日本.mov")
    (tmp_path / "other").mkdir()
    shutil.copy(tmp_path / "v" / "elsewhere.mp4", tmp_path / "other" / "x.mp4")
    (tmp_path / "v" / "elsewhere.mp4").unlink()
    (tmp_path / "v" / "gone.mp4").unlink()
    return tmp_path / "db", tmp_path


def test_moved_videos_are_found_by_content(moved: tuple[Path, Path], encoder: ProjectionEncoder) -> None:
    database, folder = moved
    foreseen = relocate_videos(database, [folder / "v", folder / "other"], dry_run=True)
    assert len(foreseen.moved) == 2 and MotionDatabase.open(database).has_source("renamed.mp4")
    heard: list[tuple[int, int]] = []
    before = MotionDatabase.open(database).search_kind("text")
    report = relocate_videos(database, [folder / "v", folder / "other"], progress=lambda *counts: heard.append(counts))
    assert {(Path(video.before).name, Path(video.after).name, video.rows) for video in report.moved} == {
        ("renamed.mp4", "日本.mov", 2),
        ("elsewhere.mp4", "x.mp4", 2),
    }
    assert [Path(source).name for source in report.missing] == ["gone.mp4"] and report.present == 1
    opened = MotionDatabase.open(database)
    assert opened.has_source("x.mp4") and not opened.has_source("elsewhere.mp4") and verify_database(database).sound
    assert opened.search_kind("text") == before and heard[-1][0] == heard[-1][1]
    # A build takes them for what they are: indexed already.
    settings = {"output": database, "encoder": encoder, "workers": 1, "clips_per_video": None}
    again = build_database([folder / "v", folder / "other"], **settings)
    assert {entry.reason for entry in again.skipped} == {"already indexed"} and not again.indexed
    assert not relocate_videos(database, [folder / "v"]).moved


def test_a_build_over_moved_videos_names_the_remedy(moved: tuple[Path, Path], encoder: ProjectionEncoder) -> None:
    database, folder = moved
    report = build_database([folder / "other"], output=database, encoder=encoder, workers=1, clips_per_video=None)
    assert all("which is gone: motionrag index relocate" in entry.reason for entry in report.skipped)


def test_a_folder_that_is_not_there(moved: tuple[Path, Path]) -> None:
    with pytest.raises(InputNotFound, match="does not exist"):
        relocate_videos(moved[0], [moved[1] / "nowhere"])
