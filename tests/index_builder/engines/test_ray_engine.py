"""The Ray engine on a real two-node cluster of this machine: a worker and a node are killed, every row is there."""

import os
import shutil
import signal
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from index_builder.build import build_database
from index_builder.database.maintain.verify import verify_database
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotFound, EngineUnavailable, InvalidSetting
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_garbage, write_video

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Ray lowers its workers' priority, which on a busy machine makes seconds into minutes.
os.environ["RAY_worker_niceness"] = "0"
ray = pytest.importorskip("ray", reason="needs the extra: pip install -e .[ray]")
ray_engine = pytest.importorskip("index_builder.engines.ray_engine")
cluster_utils = pytest.importorskip("ray.cluster_utils")


class HeldEncoder(ProjectionEncoder):
    """The first of it on each node stops in its first batch, for good, and says so; a test kills it there."""

    def __init__(self, held: Path) -> None:
        super().__init__()
        self.mark = held / ray.get_runtime_context().get_node_id()

    def encode(self, clips, captions):
        if not self.mark.exists():
            self.mark.write_text(str(os.getpid()))
            time.sleep(600)
        return super().encode(clips, captions)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed in range(20):
        write_video(folder / f"{seed:02}.mp4", seed=seed, frames=30 if seed % 3 else 75)
    shutil.copy(folder / "01.mp4", folder / "twin.mp4")
    write_garbage(folder / "garbage.mp4")
    (folder / "03.txt").write_text("a square moves")
    return folder


@pytest.fixture(scope="module")
def cluster():
    """Two nodes with room for an actor each; `cluster.doomed` is the one that is not the head."""
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.doomed = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def contents(path: Path) -> dict:
    """Everything that is stored of each row, whatever the segment."""
    database = MotionDatabase.open(path)
    stored = {}
    for row in database.rows(database.ids()):
        tokens = database.tokens([row.id], fingerprint="projection-tokens-0")
        vectors = [database.embeddings([row.id], field).tobytes() for field in ("text", "frame")]
        stored[row.id] = row, vectors, tokens.motion_tokens.tobytes(), tokens.appearance_tokens.tobytes()
    return stored


def ends(report) -> dict:
    return {
        outcome: [(entry.source, entry.row_id, entry.reason) for entry in getattr(report, outcome)]
        for outcome in ("indexed", "skipped", "failed")
    }


def build(folder: Path, output: Path, **arguments):
    return build_database([folder], output=output, encoder=ProjectionEncoder(), clips_per_video=2, **arguments)


def kill_a_worker_and_a_node(cluster, held: Path) -> None:
    """Once each node has an actor that encodes: the head's is killed, and the other node is taken away."""
    while len(marks := [mark for mark in held.iterdir() if mark.read_text()]) < 2:
        time.sleep(0.05)
    (lone,) = (mark for mark in marks if mark.name != cluster.doomed.node_id)
    os.kill(int(lone.read_text()), signal.SIGKILL)
    cluster.remove_node(cluster.doomed, allow_graceful=False)


def test_a_killed_worker_and_a_killed_node_cost_no_row(cluster, folder: Path, tmp_path: Path) -> None:
    held = tmp_path / "held"
    held.mkdir()
    killer = threading.Thread(target=kill_a_worker_and_a_node, args=(cluster, held))
    killer.start()
    engine = ray_engine.RayEngine(partial(HeldEncoder, held))
    report = build(folder, tmp_path / "db", batch_clips=4, engine=engine)
    killer.join(timeout=30)
    assert not killer.is_alive() and len(list(held.iterdir())) == 2
    local = build(folder, tmp_path / "local", workers=1)
    assert (len(report.indexed), len(report.skipped), len(report.failed)) == (27, 1, 1)
    assert ends(report) == ends(local)
    assert contents(tmp_path / "db") == contents(tmp_path / "local")
    checked = verify_database(tmp_path / "db")
    assert checked.sound and not checked.notes
    assert not build(folder, tmp_path / "db", workers=1).indexed


def test_what_a_worker_raises_arrives_as_it_is(cluster, folder: Path, tmp_path: Path) -> None:
    def refuse():
        raise DatabaseNotFound("Expected the pack on this node, found none: copy it there")

    with pytest.raises(DatabaseNotFound, match=r"^Expected the pack on this node"):
        build(folder, tmp_path / "db", engine=ray_engine.RayEngine(refuse))


def test_what_cannot_be_is_refused(cluster, folder: Path, tmp_path: Path) -> None:
    settings = ray_engine.RaySettings(gpus=64)
    with pytest.raises(EngineUnavailable, match="Expected room for an actor of 1 CPUs and 64 GPUs"):
        build(folder, tmp_path / "db", engine=ray_engine.RayEngine(ProjectionEncoder, settings))
    for wrong in ({"cpus": 0}, {"gpus": -1}, {"actors": 0}):
        with pytest.raises(InvalidSetting, match="at least 1 actor, more than 0 CPUs"):
            ray_engine.RaySettings(**wrong)
