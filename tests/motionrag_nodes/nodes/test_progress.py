"""Cancel reaches nodes that read videos, while they read and while they encode."""

from typing import Any

import pytest

from index_builder.clips.workers import DecodePool
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_videos import write_video


@pytest.fixture
def cancelled(comfy: Any):
    import comfy.model_management as management

    yield lambda: management.interrupt_current_processing(True)
    management.interrupt_current_processing(False)


def test_cancel_while_a_reference_video_hangs(comfy: Any, cancelled, tiny_pack, tmp_path, monkeypatch) -> None:
    from comfy.model_management import InterruptProcessingException

    from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
    from motionrag_nodes.nodes.progress import shown_progress

    waits = []

    def hang(self: DecodePool) -> None:
        waits.append(1)
        if len(waits) == 3:
            cancelled()

    monkeypatch.setattr(DecodePool, "next_answer", hang)
    with pytest.raises(InterruptProcessingException):
        encode_reference_videos(tiny_pack, [write_video(tmp_path / "v.mp4")], progress=shown_progress())
    assert len(waits) == 3


def test_cancel_while_tokens_are_encoded_on_demand(comfy: Any, cancelled, tmp_path) -> None:
    from comfy.model_management import InterruptProcessingException

    from index_builder.build import build_database
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.neighbours.tokens_of_rows import tokens_of_rows
    from motionrag_nodes.nodes.progress import shown_progress

    for seed in range(2):
        write_video(tmp_path / "videos" / f"{seed}.mp4", seed=seed)
    build_database([tmp_path / "videos"], output=tmp_path / "db", encoder=ProjectionEncoder(), workers=1)
    database = MotionDatabase.open(tmp_path / "db")
    encoded = []

    class Cancelling(ProjectionEncoder):
        def encode(self, clips, captions):
            encoded.append(len(clips))
            cancelled()
            return super().encode(clips, captions)

    other = Cancelling()
    other.tokens_fingerprint = "cancelled-tokens"
    with pytest.raises(InterruptProcessingException):
        tokens_of_rows(database, database.rows(database.ids()), encoder=other, progress=shown_progress())
    assert encoded == [1]
