"""Building: every video accounted for, whatever it is; a stopped build goes on; two builders share the work."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index_builder.build import build_database
from index_builder.build_report import BuildProgress, BuildReport
from index_builder.captions.sidecars import read_sidecar
from index_builder.clips.decode import decode_clip
from index_builder.clips.find import find_videos
from index_builder.clips.timeline import DecodeLimits
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import (
    CaptionTableInvalid,
    DatabaseMismatch,
    DatabaseNotWritable,
    InputNotFound,
    InvalidSetting,
)
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import (
    real_clips,
    rotate,
    truncate,
    write_audio,
    write_garbage,
    write_video,
)

ROOT = Path(__file__).resolve().parents[2]


def assert_adds_up(report: BuildReport) -> None:
    counts = report.as_dict()["videos"]
    assert counts["found"] == counts["indexed"] + counts["skipped"] + counts["failed"], counts
    ids = [entry.row_id for entry in report.indexed]
    assert len(ids) == len(set(ids)) and all(entry.reason for entry in (*report.skipped, *report.failed))


def test_every_kind_of_video_is_accounted_for(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    folder = tmp_path / "videos"
    write_video(folder / "good.mp4", seed=1)
    write_video(folder / "ünï 日本 🎬.mkv", seed=2)
    write_video(folder / "one_frame.mp4", frames=1, seed=3)
    rotate(write_video(folder / "rotated.mp4", seed=4), 90)
    shutil.copy(folder / "good.mp4", folder / "copy.mp4")
    write_garbage(folder / "garbage.mp4")
    shutil.copy(folder / "garbage.mp4", folder / "garbage_again.mp4")
    write_audio(folder / "sound.mp4")
    truncate(write_video(folder / "cut.mp4", seed=5), 0.6)
    (folder / "empty.mp4").touch()
    (folder / "away.mp4").symlink_to(tmp_path / "outside.mp4")
    write_video(tmp_path / "outside.mp4", seed=6)
    report = build_database([folder], output=tmp_path / "db", encoder=encoder, workers=2)
    assert_adds_up(report)
    ends = {
        outcome: {Path(entry.source).name for entry in getattr(report, outcome)}
        for outcome in ("indexed", "skipped", "failed")
    }
    # The copy sorts before the original, and the first of equal content is the one that is indexed.
    assert ends == {
        "indexed": {"copy.mp4", "ünï 日本 🎬.mkv", "one_frame.mp4", "rotated.mp4"},
        "skipped": {"good.mp4", "away.mp4"},
        "failed": {"garbage.mp4", "garbage_again.mp4", "sound.mp4", "cut.mp4", "empty.mp4"},
    }
    reasons = {Path(entry.source).name: entry.reason for entry in (*report.skipped, *report.failed)}
    assert "same content as" in reasons["good.mp4"] and "audio only" in reasons["sound.mp4"]
    assert "empty" in reasons["empty.mp4"] and "out of the input folder" in reasons["away.mp4"]
    assert report.rows == 4 and verify_database(tmp_path / "db").sound
    json.dumps(report.as_dict())


def test_rows_hold_what_the_video_and_the_encoder_say(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    for clip in real_clips():
        shutil.copy(clip, folder)
    table = tmp_path / "captions.csv"
    table.write_text("path,caption\nbikes.mp4,bikes ride past\nbigbuckbunny,a rabbit yawns\n", encoding="utf-8")
    report = build_database([folder], output=tmp_path / "db", encoder=encoder, captions=table, workers=2)
    assert_adds_up(report)
    assert len(report.indexed) == len(real_clips()) == 4
    database = MotionDatabase.open(tmp_path / "db")
    rows = {Path(row.source).name: row for row in database.rows(database.ids())}
    bikes = rows["bikes.mp4"]
    assert (bikes.width, bikes.height, bikes.fps) == (640, 272, 25.0)
    assert (bikes.start_sec, bikes.end_sec, bikes.caption) == (4.0, 6.0, "bikes ride past")
    assert rows["bigbuckbunny.mp4"].caption == "a rabbit yawns" and rows["carphone_pristine.mp4"].caption is None
    frames = decode_clip(folder / "bikes.mp4", start_sec=4.0, end_sec=6.0, reading=encoder.reading).frames
    features = encoder.encode([frames], ["bikes ride past"])
    stored = database.tokens([bikes.id], fingerprint=encoder.tokens_fingerprint)
    assert np.array_equal(stored.motion_tokens, features.motion_tokens)
    assert np.array_equal(stored.appearance_tokens, features.appearance_tokens)
    assert np.allclose(database.embeddings([bikes.id], "text"), features.text, atol=1e-6)
    assert np.allclose(database.embeddings([bikes.id], "frame"), features.frame, atol=1e-6)
    query = encoder.encode_text(["bikes ride past"])[0]
    assert database.search(query, field="text", k=1)[0].row_id == bikes.id


def test_a_second_run_repeats_nothing_and_takes_what_is_new(
    video_folder: Path, database: Path, encoder: ProjectionEncoder, tmp_path: Path
) -> None:
    more = tmp_path / "more"
    write_video(more / "new.mp4", seed=40)
    shutil.copy(video_folder / "clip_0.mp4", more / "moved.mp4")
    report = build_database([video_folder, more], output=database, encoder=encoder, workers=1)
    assert_adds_up(report)
    assert [Path(entry.source).name for entry in report.indexed] == ["new.mp4"]
    reasons = {Path(entry.source).name: entry.reason for entry in report.skipped}
    assert reasons["clip_1.mp4"] == "already indexed" and "same content as" in reasons["moved.mp4"]
    again = build_database([video_folder, more], output=database, encoder=encoder, workers=1)
    assert not again.indexed and len(again.skipped) == 7 and again.generation == report.generation + 0


def test_a_changed_video_is_indexed_anew(database: Path, video_folder: Path, encoder: ProjectionEncoder) -> None:
    folder = database.parent / "copies"
    shutil.copytree(video_folder, folder)
    write_video(folder / "clip_0.mp4", seed=77)
    report = build_database([folder], output=database, encoder=encoder, workers=1)
    assert [Path(entry.source).name for entry in report.indexed] == ["clip_0.mp4"]


@pytest.mark.parametrize(("count", "expected"), [(2, 2), (None, 3)])
def test_several_clips_of_a_video(tmp_path: Path, encoder: ProjectionEncoder, count: int | None, expected: int) -> None:
    write_video(tmp_path / "v" / "long.mp4", frames=100, fps=15)
    output = tmp_path / "db"
    one = build_database([tmp_path / "v"], output=output, encoder=encoder, workers=1)
    report = build_database([tmp_path / "v"], output=output, encoder=encoder, workers=1, clips_per_video=count)
    assert_adds_up(report)
    windows = {entry.row_id.split("@")[1] for entry in (*report.indexed, *report.skipped)}
    assert len(windows) == expected
    # With three windows, the middle one is the clip that is there already.
    assert len(report.skipped) == (1 if count is None else 0)
    assert report.rows == one.rows + len(report.indexed)
    again = build_database([tmp_path / "v"], output=output, encoder=encoder, workers=1, clips_per_video=count)
    assert not again.indexed and len(again.skipped) == expected


def test_a_video_over_the_limits_fails_and_the_rest_goes_on(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    write_video(tmp_path / "v" / "large.mp4", size=(320, 240))
    write_video(tmp_path / "v" / "small.mp4")
    limits = DecodeLimits(max_pixels=10_000)
    report = build_database([tmp_path / "v"], output=tmp_path / "db", encoder=encoder, workers=1, limits=limits)
    assert_adds_up(report)
    assert "over the limit of 10000" in report.failed[0].reason and len(report.indexed) == 1


def test_features_that_are_not_finite_fail_their_clip_only(tmp_path: Path) -> None:
    class Overflowing(ProjectionEncoder):
        def encode(self, clips, captions):
            features = super().encode(clips, captions)
            features.motion_tokens[[caption == "too much" for caption in captions]] = np.inf
            return features

    for seed in range(4):
        write_video(tmp_path / "v" / f"{seed}.mp4", seed=seed)
    (tmp_path / "v" / "2.txt").write_text("too much")
    report = build_database([tmp_path / "v"], output=tmp_path / "db", encoder=Overflowing(), workers=1)
    assert_adds_up(report)
    assert [Path(entry.source).name for entry in report.failed] == ["2.mp4"]
    assert "not finite" in report.failed[0].reason


def test_progress_counts_up_to_all(tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder) -> None:
    heard: list[BuildProgress] = []
    build_database(
        [video_folder], output=tmp_path / "db", encoder=encoder, workers=1, batch_clips=2, progress=heard.append
    )
    assert [progress.phase for progress in heard][:1] == ["reading"] and heard[-1].phase == "done"
    assert heard[-1].done_videos == heard[-1].found_videos == heard[-1].committed == 5
    assert all(a.indexed <= b.indexed for a, b in itertools.pairwise(heard))


def test_ctrl_c_commits_what_is_encoded_and_the_next_run_goes_on(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder
) -> None:
    def interrupt(progress: BuildProgress) -> None:
        if progress.indexed >= 2:
            raise KeyboardInterrupt

    report = build_database(
        [video_folder], output=tmp_path / "db", encoder=encoder, workers=1, batch_clips=1, progress=_once(interrupt)
    )
    assert_adds_up(report)
    assert report.interrupted and 2 <= len(report.indexed) < 5
    assert "run the build again" in report.skipped[0].reason
    rest = build_database([video_folder], output=tmp_path / "db", encoder=encoder, workers=1)
    assert len(rest.indexed) == 5 - len(report.indexed) and rest.rows == 5


def _once(interrupt):
    raised = []

    def callback(progress: BuildProgress) -> None:
        if not raised:
            try:
                interrupt(progress)
            except KeyboardInterrupt:
                raised.append(True)
                raise

    return callback


BUILDER = """
import json, sys
from pathlib import Path
from index_builder.build import build_database
from tests.index_builder.projection_encoder import ProjectionEncoder
report = build_database([Path(sys.argv[1])], output=Path(sys.argv[2]), encoder=ProjectionEncoder(), workers=1,
                        batch_clips=1, commit_clips=1)
sys.stdout.write(json.dumps(report.as_dict()))
"""


def start_builder(folder: Path, output: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", BUILDER, str(folder), str(output)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_two_builders_at_once_and_a_third_that_is_killed(
    tmp_path: Path, built: Path, encoder: ProjectionEncoder
) -> None:
    folder = tmp_path / "videos"
    for seed in range(14):
        write_video(folder / f"{seed:02}.mp4", seed=seed)
    output = tmp_path / "db"
    doomed = start_builder(folder, output)
    builders = [start_builder(folder, output) for _ in range(2)]
    while not list(output.glob("manifest-00000[2-9].json")):
        time.sleep(0.01)
    os.kill(doomed.pid, signal.SIGKILL)
    reports = [json.loads(builder.communicate(timeout=120)[0]) for builder in builders]
    doomed.wait()
    last = build_database([folder], output=output, encoder=encoder, workers=1)
    database = MotionDatabase.open(output)
    assert len(database.ids()) == database.manifest.row_count == 14
    for report in reports:
        counts = report["videos"]
        assert counts["found"] == 14 == counts["indexed"] + counts["skipped"] and not counts["failed"]
    assert sum(report["videos"]["indexed"] for report in reports) <= 14 and not last.failed
    report = verify_database(output)
    assert report.sound and not [note for note in report.notes if note.startswith("segments")]


def test_workers_that_outlive_a_killed_builder_end_by_themselves(tmp_path: Path) -> None:
    for seed in range(6):
        write_video(tmp_path / "v" / f"{seed}.mp4", seed=seed)
    builder = start_builder(tmp_path / "v", tmp_path / "db")
    children = Path(f"/proc/{builder.pid}/task/{builder.pid}/children")
    while not (workers := _children(builder.pid)):
        time.sleep(0.01)
    builder.kill()
    builder.wait()
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()] and not children.exists()


def _children(process: int) -> list[int]:
    """Of all its threads: the pool's threads start the workers."""
    found = []
    for listing in Path(f"/proc/{process}/task").glob("*/children"):
        found += [int(child) for child in listing.read_text().split()]
    return found


def test_bad_input_is_named_before_any_work(tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder) -> None:
    output = tmp_path / "db"
    for arguments, kind, message in (
        ({"inputs": [tmp_path / "nowhere"]}, InputNotFound, "does not exist"),
        ({"captions": tmp_path / "nowhere.csv"}, CaptionTableInvalid, "is no file"),
        ({"workers": 0}, InvalidSetting, "at least 1 worker"),
        ({"clips_per_video": 0}, InvalidSetting, "clips_per_video of at least 1"),
        ({"output": video_folder}, DatabaseNotWritable, "holds other files"),
        ({"output": video_folder / "clip_0.mp4"}, DatabaseNotWritable, "received the file"),
    ):
        with pytest.raises(kind, match=message):
            build_database(**{"inputs": [video_folder], "output": output, "encoder": encoder, **arguments})
    assert not output.exists()


def test_another_encoder_is_refused(video_folder: Path, database: Path) -> None:
    with pytest.raises(DatabaseMismatch, match=r"found fixed projection 0 \(32\)"):
        build_database([video_folder], output=database, encoder=ProjectionEncoder(seed=1))


def test_an_encoder_that_contradicts_itself_is_refused(tmp_path: Path, video_folder: Path) -> None:
    class Narrow(ProjectionEncoder):
        def encode(self, clips, captions):
            features = super().encode(clips, captions)
            return replace(features, motion_tokens=features.motion_tokens[..., :-1])

    with pytest.raises(InvalidSetting, match="Expected motion_tokens of shape"):
        build_database([video_folder], output=tmp_path / "db", encoder=Narrow(), workers=1)


def test_a_folder_that_cannot_be_written_is_an_error(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index_builder.database.commit import durable_files

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable_files, "write_new", full)
    with pytest.raises(DatabaseNotWritable, match="No space left on device"):
        build_database([video_folder], output=tmp_path / "db", encoder=encoder, workers=1)


def test_captions_come_from_sidecars(video_folder: Path, built: Path) -> None:
    database = MotionDatabase.open(built)
    captions = {Path(source).name: caption for source, caption in database.each_row("source", "caption")}
    assert captions == {video.path.name: read_sidecar(video.path) for video in find_videos([video_folder])}
    assert sum(caption is not None for caption in captions.values()) == 3
