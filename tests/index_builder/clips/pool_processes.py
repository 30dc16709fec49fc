"""The processes of a decode pool, which are the pool's own business: only tests kill them."""

from __future__ import annotations

from index_builder.clips.workers import DecodePool


def process_ids(pool: DecodePool) -> list[int]:
    """Of the workers that run now."""
    return [watcher.process.pid for watcher in pool._watchers if watcher.process is not None]
