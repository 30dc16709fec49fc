"""What a build would ask of an engine, without a build: small clips, captions by file name, tickets to a folder."""

from __future__ import annotations

import uuid
from pathlib import Path

from index_builder.clips.timeline import DecodeLimits
from index_builder.database.commit.segment_files import SegmentTicket
from index_builder.engines.engine import EngineWork


def engine_work(database: Path, *, batch_clips: int = 4, commit_clips: int = 8) -> EngineWork:
    def new_ticket() -> SegmentTicket:
        name = uuid.uuid4().hex
        return SegmentTicket(database=database, name=name, temporary=f".tmp-{name}", fingerprint="f", sampling={})

    return EngineWork(
        database=database,
        clip_frames=4,
        short_side=32,
        limits=DecodeLimits(),
        batch_clips=batch_clips,
        commit_clips=commit_clips,
        new_ticket=new_ticket,
    )
