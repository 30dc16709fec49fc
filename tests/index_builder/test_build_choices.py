"""What a build can be told: scenes, near-duplicates, limits of recall; and files that change under its hands."""

import shutil
from pathlib import Path

import av
import pytest

from index_builder.build import build_database
from index_builder.build_options import BuildOptions
from index_builder.build_report import BuildProgress, BuildReport
from index_builder.database.maintain.remove import remove_rows, restore_rows
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search import certified_index
from index_builder.database.search.certified_index import IndexPlan
from index_builder.database.search.reader import MotionDatabase
from index_builder.database.search.row_filter import RowFilter
from index_builder.engines.local import LocalEngine
from index_builder.errors import InvalidSetting, RecallBelowTarget
from tests.index_builder.engines.sample_work import ShardEngine
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import truncate, write_garbage, write_scenes, write_video


def spans(report: BuildReport) -> list[str]:
    return sorted((entry.row_id.split("@")[1] for entry in report.indexed), key=lambda span: int(span.split("-")[0]))


def test_scenes_are_cut_into_clips_of_their_own(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    write_scenes(tmp_path / "v" / "film.mp4", [(1, 30), (2, 75), (4, 15)])
    settings = {"output": tmp_path / "db", "encoder": encoder, "workers": 1, "scene_threshold": 27.0}
    report = build_database([tmp_path / "v"], **settings)
    assert spans(report) == ["0-2000", "3500-5500", "7000-8000"]
    again = build_database([tmp_path / "v"], **settings)
    assert not again.indexed and len(again.skipped) == 3
    sampling = MotionDatabase.open(tmp_path / "db").manifest.segments[0].sampling
    assert sampling["scene_threshold"] == 27.0
    more = build_database([tmp_path / "v"], **settings, clips_per_video=None)
    assert spans(more) == ["2250-4250", "4750-6750"]


def re_encoded(path: Path, target: Path) -> Path:
    """The same pictures in other bytes."""
    with av.open(str(path)) as source, av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=15)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 64, 48, "yuv420p", 4_000_000
        for frame in source.decode(video=0):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")))
        container.mux(stream.encode())
    return target


def test_near_duplicates_are_skipped_within_and_between_runs(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    first = write_video(tmp_path / "v" / "a.mp4", seed=1)
    re_encoded(first, tmp_path / "v" / "b.avi")
    write_video(tmp_path / "v" / "other.mp4", seed=2)
    settings = {"output": tmp_path / "db", "encoder": encoder, "workers": 1, "near_duplicates": 0.98}
    report = build_database([tmp_path / "v"], **settings)
    assert len(report.indexed) == 2 and len(report.skipped) == 1
    assert "near-duplicate of" in report.skipped[0].reason and "(0.9" in report.skipped[0].reason
    (tmp_path / "more").mkdir()
    re_encoded(first, tmp_path / "more" / "c.avi").open("ab").write(b"other bytes")
    later = build_database([tmp_path / "more"], **settings)
    assert not later.indexed and len(later.skipped) == 1


def test_near_duplicates_that_are_there_can_be_removed(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    first = write_video(tmp_path / "v" / "a.mp4", seed=1)
    re_encoded(first, tmp_path / "v" / "b.avi")
    write_video(tmp_path / "v" / "other.mp4", seed=2)
    build_database([tmp_path / "v"], output=tmp_path / "db", encoder=encoder, workers=1)
    heard: list[tuple[int, int]] = []
    report = remove_rows(
        tmp_path / "db", RowFilter(), near_duplicates=0.98, progress=lambda *counts: heard.append(counts)
    )
    assert len(report.rows) == 1 and report.clips == 2 and "resembles" in report.rows[0].reason
    assert heard[-1] == (3, 3)
    with pytest.raises(InvalidSetting, match="a similarity above 0"):
        remove_rows(tmp_path / "db", RowFilter(), near_duplicates=1.5)


@pytest.mark.parametrize("batch_clips", [1, 8])
def test_near_duplicates_are_skipped_whatever_the_engine(
    tmp_path: Path, encoder: ProjectionEncoder, batch_clips: int
) -> None:
    """Workers that write segments know nothing of each other: the build leaves out what resembles an earlier clip."""
    first = write_video(tmp_path / "v" / "a.mp4", seed=1)
    re_encoded(first, tmp_path / "v" / "b.avi")
    write_video(tmp_path / "v" / "other.mp4", seed=2)
    settings = {"output": tmp_path / "db", "encoder": encoder, "near_duplicates": 0.98, "batch_clips": batch_clips}
    report = build_database([tmp_path / "v"], engine=ShardEngine(ProjectionEncoder), **settings)
    assert len(report.indexed) == report.rows == 2 and "near-duplicate of" in report.skipped[0].reason
    (tmp_path / "more").mkdir()
    re_encoded(first, tmp_path / "more" / "c.avi").open("ab").write(b"other bytes")
    later = build_database([tmp_path / "more"], engine=ShardEngine(ProjectionEncoder), **settings)
    assert not later.indexed and "near-duplicate of" in later.skipped[0].reason and later.rows == 2
    checked = verify_database(tmp_path / "db")
    assert checked.sound and not [note for note in checked.notes if note.startswith("segments")]


def test_options_are_one_thing_and_single_choices_replace_its_own(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder
) -> None:
    options = BuildOptions(workers=1, clips_per_video=2)
    report = build_database([video_folder], output=tmp_path / "db", encoder=encoder, options=options, batch_clips=3)
    assert len(report.indexed) == 5 and options.batch_clips is None
    with pytest.raises(TypeError, match="clips_a_video"):
        build_database([video_folder], output=tmp_path / "db", encoder=encoder, clips_a_video=2)
    for wrong, message in (
        ({"batch_clips": 0}, "batch_clips and commit_clips of at least 1"),
        ({"workers": 0}, "at least 1 worker"),
        ({"near_duplicates": 2}, "a similarity above 0"),
        ({"clips_per_video": 0}, "clips_per_video of at least 1"),
        ({"scene_threshold": 300}, "a scene threshold above 0"),
    ):
        with pytest.raises(InvalidSetting, match=message):
            BuildOptions(**wrong)


def test_a_build_that_should_stop_commits_what_is_encoded(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder
) -> None:
    heard: list[BuildProgress] = []
    report = build_database(
        [video_folder],
        output=tmp_path / "db",
        encoder=encoder,
        workers=1,
        batch_clips=1,
        progress=heard.append,
        should_stop=lambda: heard[-1].indexed >= 2,
    )
    assert report.interrupted and 2 <= len(report.indexed) < 5 and report.rows == len(report.indexed)
    assert all("run the build again" in entry.reason for entry in report.skipped)
    at_once = build_database([video_folder], output=tmp_path / "none", encoder=encoder, should_stop=lambda: True)
    assert at_once.interrupted and at_once.rows == 0 and at_once.found_videos == len(at_once.skipped)


def test_a_removed_clip_stays_away_until_it_is_restored(
    database: Path, video_folder: Path, encoder: ProjectionEncoder
) -> None:
    remove_rows(database, RowFilter(sources=("clip_0",)))
    report = build_database([video_folder], output=database, encoder=encoder, workers=1)
    assert not report.indexed and report.rows == 4
    assert [entry.source for entry in report.skipped if "restore brings it back" in entry.reason] == [
        str(video_folder / "clip_0.mp4")
    ]
    assert restore_rows(database, RowFilter()).clips == 5


def test_a_poor_index_is_an_error_after_everything_is_committed(
    tmp_path: Path, video_folder: Path, encoder: ProjectionEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(certified_index.EFFORTS, "nprobe", ())
    plan = IndexPlan(kind="ivf", target_recall=1.0)
    with pytest.raises(RecallBelowTarget, match="the rows are committed") as caught:
        build_database([video_folder], output=tmp_path / "db", encoder=encoder, workers=1, index_plan=plan)
    assert isinstance(caught.value.report, BuildReport) and len(caught.value.report.indexed) == 5
    opened = MotionDatabase.open(tmp_path / "db")
    assert len(opened) == 5 and opened.search_kind("text") == "exact"


@pytest.mark.parametrize("change", ["replaced", "deleted", "truncated", "grown"])
def test_files_that_change_meanwhile_fail_with_a_reason_and_pass_the_next_time(
    tmp_path: Path, encoder: ProjectionEncoder, change: str
) -> None:
    """The last video changes when the first has been inspected; what is indexed is never a mixture of two contents."""
    folder, original = tmp_path / "v", write_video(tmp_path / "original.mp4", seed=50)
    for number in range(4):
        write_video(folder / f"{number}.mp4", seed=number)
    victim = folder / "3.mp4"

    class Meddling(LocalEngine):
        def clips(self, videos, plan, work):
            if change == "replaced":
                shutil.copy(original, victim)
            elif change == "deleted":
                victim.unlink()
            elif change == "truncated":
                truncate(victim, 0.5)
            else:
                victim.write_bytes(victim.read_bytes() + b"x" * 100)
            return super().clips(videos, plan, work)

    report = build_database([folder], output=tmp_path / "db", encoder=encoder, engine=Meddling(workers=1))
    assert [Path(entry.source).name for entry in report.failed] == ["3.mp4"] and len(report.indexed) == 3
    assert "changed while" in report.failed[0].reason or "No such file" in report.failed[0].reason
    rest = build_database([folder], output=tmp_path / "db", encoder=encoder, workers=1)
    expected = {"replaced": (1, 0), "deleted": (0, 0), "truncated": (0, 1), "grown": (1, 0)}[change]
    assert (len(rest.indexed), len(rest.failed)) == expected
    assert verify_database(tmp_path / "db").sound


def test_patterns_folders_and_files_in_one_call(tmp_path: Path, encoder: ProjectionEncoder) -> None:
    for name in ("a/one.mp4", "a/two.mp4", "b/c/three.mp4", "d/four.mp4"):
        write_video(tmp_path / name, seed=len(name) + ord(name[-6]))
    write_garbage(tmp_path / "a" / "two.txt.bin")
    inputs = [tmp_path / "a" / "o*.mp4", tmp_path / "b", tmp_path / "d" / "four.mp4", tmp_path / "**" / "three.mp4"]
    report = build_database(inputs, output=tmp_path / "db", encoder=encoder, workers=1)
    assert {Path(entry.source).stem for entry in report.indexed} == {"one", "three", "four"}
    assert report.found_videos == 3
