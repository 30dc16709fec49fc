"""Proxies: small copies that the rows then speak of, whatever the clips looked like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from index_builder.build import build_database
from index_builder.clips.allowed_folders import AllowedFolders
from index_builder.database.maintain.proxies import FOLDER, MOST_FPS, SHORT_SIDE_PIXELS, add_proxies
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


def built(folder: Path, **video: Any) -> Path:
    write_video(folder / "clips" / "a.mkv", **video)
    build_database([folder / "clips"], output=folder / "db", encoder=ProjectionEncoder(), workers=1)
    return folder / "db"


@pytest.mark.parametrize(
    "video",
    [{}, {"size": (33, 17), "codec": "ffv1"}, {"size": (640, 480), "fps": 30, "frames": 60}, {"fps": 1, "frames": 4}],
    ids=["small", "odd sides", "large", "slow"],
)
def test_a_proxy_is_small_slow_and_known_by_its_content(tmp_path: Path, video: dict[str, Any]) -> None:
    database = built(tmp_path, **video)
    before = MotionDatabase.open(database)
    (old,) = before.rows(before.ids())
    heard: list[tuple[int, int]] = []
    told = lambda done, total: heard.append((done, total))  # noqa: E731
    assert add_proxies(database, sources=AllowedFolders((tmp_path / "clips",)), progress=told) == []
    assert heard[0] == (0, 1)
    opened = MotionDatabase.open(database)
    (row,) = opened.rows(opened.ids())
    assert opened.roots == (database / FOLDER,) and row.id.startswith(Path(row.source).stem)
    with av.open(str(database / FOLDER / row.source)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (row.width, row.height) and not container.streams.audio
        assert min(stream.width, stream.height) <= SHORT_SIDE_PIXELS and stream.average_rate <= MOST_FPS
        assert stream.width % 2 == stream.height % 2 == 0
        assert stream.frames == round((old.end_sec - old.start_sec) * row.fps)
    assert verify_database(database).sound
    assert [path.suffix for path in (database / FOLDER).iterdir()] == [".mp4"]


def test_clips_that_look_alike_stay_two(tmp_path: Path) -> None:
    write_video(tmp_path / "clips" / "long.mp4", frames=120)
    build_database(
        [tmp_path / "clips"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1, clips_per_video=None
    )
    count = len(MotionDatabase.open(tmp_path / "db"))
    assert count > 1
    add_proxies(tmp_path / "db", sources=AllowedFolders((tmp_path / "clips",)))
    assert len(set(MotionDatabase.open(tmp_path / "db").ids())) == count
    assert len(list((tmp_path / "db" / FOLDER).iterdir())) == count
