"""Generating the rows' videos: batches over processes of one thread each, every video kept as soon as it is made."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.frames.video_model import VideoModel
from training.evaluation.videos.batched import generate_videos
from training.evaluation.videos.loading import CPU, Machine
from training.evaluation.videos.store import VideoStore

BATCH = 4


@dataclass(frozen=True)
class Batch:
    """Videos of one row: their numbers and noise seeds, pictures uint8 [B, H, W, 3], and motion.

    tokens float32 [B, L, D] and unconditional [1, L, D] are arrays, which cross to another process as they are; None is
    the plain model.
    """

    row: str
    numbers: tuple[int, ...]
    seeds: tuple[int, ...]
    pictures: np.ndarray
    tokens: np.ndarray | None
    unconditional: np.ndarray


def in_batches(batch: Batch, settings: Settings) -> Iterator[Batch]:
    """The same videos in batches that are quick enough for a stop to lose little."""
    # A codec that mixes frames in time must not decode those of two videos in one chunk.
    size = 1 if settings.frames % settings.decode_chunk_size else BATCH
    for start in range(0, len(batch.numbers), size):
        part = slice(start, start + size)
        yield replace(
            batch,
            numbers=batch.numbers[part],
            seeds=batch.seeds[part],
            pictures=batch.pictures[part],
            tokens=None if batch.tokens is None else batch.tokens[part],
        )


class _Worker:
    """What a process holds: the model, loaded once."""

    model: VideoModel
    settings: Settings
    store: VideoStore

    @classmethod
    def start(cls, pack: Path, folder: Path, settings: Settings, machine: Machine, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        cls.model = machine.load(load_pack(pack))
        cls.settings, cls.store = settings, VideoStore(folder)

    @classmethod
    def run(cls, batch: Batch) -> int:
        began = time.perf_counter()
        motion = None
        if batch.tokens is not None:
            motion = torch.from_numpy(batch.tokens), torch.from_numpy(batch.unconditional)
        videos = generate_videos(
            cls.model, pictures=list(batch.pictures), motion=motion, settings=cls.settings, seeds=batch.seeds
        )
        seconds = (time.perf_counter() - began) / len(videos)
        for number, frames in zip(batch.numbers, videos, strict=True):
            cls.store.save(batch.row, number, frames, seconds=seconds)
        return len(videos)


def _start_process(*arguments) -> None:
    """In a process of its own: Ctrl-C is left to the parent, and the parent's end, whatever it was, is its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    _Worker.start(*arguments)


def generate_batches(
    batches: Sequence[Batch],
    *,
    pack: Path,
    folder: Path,
    settings: Settings,
    workers: int,
    machine: Machine = CPU,
    on_videos: Callable[[int], None] = lambda count: None,
) -> None:
    """Generate every batch into the store at `folder`; one worker works in this process, with all its threads.

    Several processes of one thread each make nearly as many times the videos; a process of several threads does not.
    """
    if not batches:
        return
    if workers == 1:
        _Worker.start(pack, folder, settings, machine, None)
        for batch in batches:
            on_videos(_Worker.run(batch))
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_process, initargs=(pack, folder, settings, machine, 1)
    ) as pool:
        try:
            for done in as_completed([pool.submit(_Worker.run, batch) for batch in batches]):
                on_videos(done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
