"""Demo clips on disk are real videos of two seconds, and writing again keeps them."""

import csv
from pathlib import Path

import av

from training.demo_world.captions import MOTION_PHRASES
from training.demo_world.motions import MOTIONS
from training.demo_world.write_videos import write_clips


def test_clips_are_videos_with_captions(tmp_path: Path) -> None:
    table = write_clips(tmp_path, count=9)
    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    assert len(rows) == 9
    for row in rows:
        with av.open(str(tmp_path / row["path"])) as container:
            frames = list(container.decode(video=0))
            assert float(container.streams.video[0].average_rate) == 8
        assert len(frames) == 16
        assert row["caption"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_second_run_keeps_what_is_there(tmp_path: Path) -> None:
    write_clips(tmp_path, count=3)
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.mp4")}
    write_clips(tmp_path, count=3)
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.mp4")} == before


def test_motions_are_as_frequent_as_asked(tmp_path: Path) -> None:
    phrases, shares = MOTION_PHRASES[next(iter(MOTIONS))], []
    for steepness in (0.0, 3):
        table = write_clips(tmp_path / str(steepness), count=20, steepness=steepness)
        captions = [row["caption"] for row in csv.DictReader(table.open(encoding="utf-8"))]
        shares.append(sum(any(phrase in caption for phrase in phrases) for caption in captions) / len(captions))
    assert shares[0] < 0.3 and shares[1] > 0.5
