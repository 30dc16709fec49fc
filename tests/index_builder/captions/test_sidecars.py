"""Captions beside videos: what lies there may be anything; it costs that caption at most, and nothing else is read."""

import os
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.captions.sidecars import read_sidecar
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "videos").mkdir()
    return tmp_path / "videos" / "clip.mp4"


def test_text_beside_a_video(video: Path) -> None:
    assert read_sidecar(video) is None
    video.with_suffix(".txt").write_text("a dog\n runs ")
    assert read_sidecar(video) == "a dog runs"
    (video.parent / "other.txt").write_text("of another name")
    video.with_suffix(".txt").unlink()
    video.with_suffix(".txt").symlink_to("other.txt")
    assert read_sidecar(video) == "of another name"


def test_a_name_of_255_bytes_leaves_no_room_for_another_ending(video: Path) -> None:
    longest = video.with_name("x" * 251 + ".mp4")
    assert read_sidecar(longest) is None
    longest.with_suffix(".txt").write_text("a dog runs")
    assert read_sidecar(longest) == "a dog runs"


@pytest.mark.parametrize("name", ["clip.txt", "clip.mp4.txt", "clip.json"])
def test_a_link_that_leads_out_is_not_read(video: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text('{"caption": "private"}')
    (video.parent / name).symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="leads out of the folder"):
        read_sidecar(video)


@pytest.mark.parametrize(("content", "reason"), [("x " * 60_000, "100000 characters"), ("x" * (2 << 20), "bytes")])
def test_what_is_over_long_is_no_caption(video: Path, content: str, reason: str) -> None:
    video.with_suffix(".txt").write_text(content)
    with pytest.raises(OSError, match=reason):
        read_sidecar(video)
    video.with_suffix(".txt").write_text("y" * 100_000)
    assert read_sidecar(video) == "y" * 100_000


def test_pipes_devices_and_folders_are_no_text(video: Path) -> None:
    os.mkfifo(video.with_suffix(".txt"))
    video.with_name("clip.mp4.txt").mkdir()
    video.with_suffix(".json").symlink_to("/dev/zero")
    assert read_sidecar(video) is None


def test_a_build_goes_on_without_the_captions_that_cannot_be_read(tmp_path: Path, encoder) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for seed, name in enumerate(("good", "long", "link", "pipe")):
        write_video(videos / f"{name}.mp4", seed=seed)
    (videos / "good.txt").write_text("a ball \x1b[2J rolls")
    (videos / "long.txt").write_text("x" * 200_000)
    (tmp_path / "secret").write_text("private")
    (videos / "link.txt").symlink_to(tmp_path / "secret")
    os.mkfifo(videos / "pipe.txt")
    report = build_database([videos], output=tmp_path / "db", encoder=encoder, workers=1)
    assert len(report.indexed) == 4 and not report.failed
    captions = {
        Path(source).stem: caption
        for source, caption in MotionDatabase.open(tmp_path / "db").each_row("source", "caption")
    }
    assert captions == {"good": "a ball \x1b[2J rolls", "long": None, "link": None, "pipe": None}
    assert sum("cannot be read" in problem for problem in report.captions.problems) == 2
