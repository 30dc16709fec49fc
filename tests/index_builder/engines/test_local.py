"""The local engine: plans in the order of the videos, and gives each planned clip exactly one event."""

from pathlib import Path

from index_builder.clips.find import find_videos
from index_builder.clips.messages import Decoded, Failed
from index_builder.clips.reading import Reading
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.clips.windows import ClipWindow, PlannedClip, clip_windows, row_id
from index_builder.engines.local import CLIPS_AT_A_TIME, LEAST_CLIPS, LocalEngine, decode_tasks, default_workers
from tests.index_builder.engines.sample_work import engine_work
from tests.index_builder.sample_videos import write_garbage, write_video


def test_plans_in_order_and_ends_every_clip_once(tmp_path: Path) -> None:
    for seed in range(6):
        write_video(tmp_path / f"{seed}.mp4", frames=15 * (1 + 4 * (seed % 2)), seed=seed)
    write_garbage(tmp_path / "2b.mp4")
    videos, planned_order, planned = find_videos([tmp_path]), [], []

    def plan(video, inspected):
        planned_order.append(video.path.name)
        windows = clip_windows(inspected.timeline.duration_sec, clips_per_video=None)
        clips = [PlannedClip(video=video, window=w, row_id=row_id(inspected.content_sha256, w)) for w in windows]
        planned.extend(clip.row_id for clip in clips)
        return clips

    events = list(LocalEngine(workers=2).clips(videos, plan, engine_work(tmp_path)))
    assert planned_order == ["0.mp4", "1.mp4", "2.mp4", "3.mp4", "4.mp4", "5.mp4"]
    ready = [event.planned.row_id for event in events if isinstance(event, Decoded)]
    failed = [event.video.path.name for event in events if isinstance(event, Failed)]
    assert sorted(ready) == sorted(planned) and len(ready) == 3 + 3 * 2
    assert failed == ["2b.mp4"]


def test_a_plan_that_wants_nothing_decodes_nothing(tmp_path: Path) -> None:
    write_video(tmp_path / "v.mp4")
    engine, work = LocalEngine(workers=1), engine_work(tmp_path)
    nothing = engine.clips(find_videos([tmp_path]), lambda video, inspected: [], work)
    assert [event for event in nothing if event is not None] == []
    assert list(engine.clips([], lambda video, inspected: [], work)) == []


def test_there_is_always_a_worker() -> None:
    assert 1 <= default_workers() <= 8


def test_only_what_can_be_sought_is_shared_by_the_workers(tmp_path: Path) -> None:
    counts = {}
    for name, codec in (("v.mp4", "libx264"), ("v.ts", "libx264")):
        path = write_video(tmp_path / name, frames=30, codec=codec)
        (video,) = find_videos([path])
        timeline = read_timeline(path, limits=DecodeLimits())
        planned = [PlannedClip(video=video, window=ClipWindow(w, w + 10), row_id=str(w)) for w in reversed(range(400))]
        tasks = decode_tasks(planned, timeline, reading=Reading(frames=4, short_side=32))
        assert [clip.row_id for task in tasks for clip in task.clips] == [str(w) for w in range(400)]
        counts[name] = [len(task) for task in tasks]
    assert counts["v.ts"] == [400]
    # Large parts first, so that little is sought; small ones last, so that all workers end together.
    parts = counts["v.mp4"]
    assert parts[0] == CLIPS_AT_A_TIME and parts == sorted(parts, reverse=True) and parts[-1] <= LEAST_CLIPS
