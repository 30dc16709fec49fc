"""Five hundred damaged videos end as indexed or failed with a reason; none crashes a worker, hangs or ends a build."""

from pathlib import Path

import numpy as np

from index_builder.build import build_database
from index_builder.clips.timeline import DecodeLimits
from index_builder.database.maintain.verify import verify_database
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video

VIDEOS = 500
KINDS = ((".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"), (".webm", "libvpx"), (".ts", "mpeg2video"))


def mutate(content: bytes, kind: int, generator: np.random.Generator) -> bytes:
    """Cut out, cut off, overwritten, repeated, or with zeros in it."""
    spoiled, start = bytearray(content), int(generator.integers(0, len(content)))
    length = int(generator.integers(1, max(2, len(content) // 3)))
    if kind == 0:
        del spoiled[start : start + length]
    elif kind == 1:
        del spoiled[start:]
    elif kind == 2:
        for place in generator.integers(0, len(content), 12):
            spoiled[place] = int(generator.integers(0, 256))
    elif kind == 3:
        spoiled[start:start] = spoiled[start : start + length]
    else:
        spoiled[start : start + length] = bytes(length)
    return bytes(spoiled)


def test_damaged_videos_are_all_accounted_for(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    originals = [
        write_video(tmp_path / f"whole{suffix}", codec=codec, size=(32, 16), frames=6) for suffix, codec in KINDS
    ]
    (tmp_path / "v").mkdir()
    for number in range(VIDEOS):
        original = originals[number % len(originals)]
        content = mutate(original.read_bytes(), number // len(originals) % 5, generator)
        (tmp_path / "v" / f"{number:03}{original.suffix}").write_bytes(content)
    encoder, limits = ProjectionEncoder(short_side=16), DecodeLimits(stalled_sec=30)
    report = build_database([tmp_path / "v"], output=tmp_path / "db", encoder=encoder, workers=2, limits=limits)
    counts = report.as_dict()["videos"]
    assert counts["found"] == VIDEOS == counts["indexed"] + counts["skipped"] + counts["failed"]
    assert counts["indexed"] > 100 and counts["failed"] > 50
    assert all(entry.reason for entry in (*report.skipped, *report.failed))
    assert not [entry for entry in report.failed if "crashed" in entry.reason or "hung" in entry.reason]
    assert verify_database(tmp_path / "db").sound
