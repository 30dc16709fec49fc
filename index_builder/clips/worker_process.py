"""A decode worker: a process that answers one task after another until the builder is gone, or until it is killed."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import signal
import sys
from pathlib import Path

from index_builder.clips.decode import decode_clip
from index_builder.clips.messages import (
    Answer,
    Decoded,
    DecodeTask,
    Failed,
    Inspected,
    InspectTask,
    Task,
    receive_task,
    send_answer,
)
from index_builder.clips.scenes import scene_cuts_ms
from index_builder.clips.thumbnails import thumbnail_strip
from index_builder.clips.timeline import DecodeLimits, read_timeline
from index_builder.errors import MotionRAGError

# Hashing a huge file takes longer than decoding a clip of it.
HASH_BYTES_PER_SEC = 20 << 20
# To find scenes, all of it is decoded.
SCENE_BYTES_PER_SEC = 256 << 10


def task_seconds(task: Task, limits: DecodeLimits) -> float:
    """How long a task may take before its worker is killed."""
    if isinstance(task, DecodeTask):
        return limits.seconds_per_clip
    speed = HASH_BYTES_PER_SEC if task.scene_threshold is None else SCENE_BYTES_PER_SEC
    return limits.seconds_per_clip + task.size_bytes / speed


def answer_task(task: Task, limits: DecodeLimits) -> Answer:
    """Does the task; whatever is wrong with the video becomes a `Failed` with its reason."""
    path = Path(task.path)
    try:
        before = _stamp(path)
        if before != (task.size_bytes, task.mtime_ns):
            return Failed(reason="the file changed while it was being indexed: run the build again")
        answer = _inspect(path, task, limits) if isinstance(task, InspectTask) else _decode(path, task, limits)
        if _stamp(path) != before:
            return Failed(reason="the file changed while it was being indexed: run the build again")
        return answer
    except MotionRAGError as error:
        return Failed(reason=str(error))
    except MemoryError:
        return Failed(reason=f"decoding needs more than the limit of {limits.memory_bytes >> 20} MiB of memory")
    except (OSError, ValueError, ArithmeticError, LookupError, RuntimeError, TypeError, AttributeError) as error:
        # What libraries raise over damaged files is not all documented; the reason is reported, and the run goes on.
        return Failed(reason=f"{type(error).__name__}: {error}")


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _inspect(path: Path, task: InspectTask, limits: DecodeLimits) -> Inspected | Failed:
    if path.stat().st_size == 0:
        return Failed(reason="the file is empty")
    timeline = read_timeline(path, limits=limits)
    cuts = () if task.scene_threshold is None else scene_cuts_ms(path, timeline, threshold=task.scene_threshold)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return Inspected(content_sha256=digest.hexdigest(), duration_sec=timeline.duration_sec, cuts_ms=cuts)


def _decode(path: Path, task: DecodeTask, limits: DecodeLimits) -> Decoded:
    clip = decode_clip(
        path,
        start_sec=task.start_sec,
        end_sec=task.end_sec,
        frames=task.frames,
        short_side=task.short_side,
        limits=limits,
        decoders=tuple(task.decoders),
    )
    return Decoded(clip=clip, thumbnail=thumbnail_strip(clip.frames))


def _limit_memory(memory_bytes: int) -> None:
    """Address space is the one memory limit every Linux kernel enforces; elsewhere there is none."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """The worker's loop. Answers leave by a private copy of standard output, so no library's chatter can break them."""
    # Ctrl-C is for the builder, which ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nowhere = open(os.devnull, "w")
    limited = False
    while (received := receive_task(sys.stdin.buffer)) is not None:
        task, limits = received
        if not limited:
            _limit_memory(limits.memory_bytes)
            limited = True
        # Should the builder be gone and this task hang, nobody else would end this process.
        faulthandler.dump_traceback_later(task_seconds(task, limits) + 10, exit=True, file=nowhere)
        answer = answer_task(task, limits)
        faulthandler.cancel_dump_traceback_later()
        try:
            send_answer(answers, answer)
        except BrokenPipeError:
            os._exit(0)


if __name__ == "__main__":
    main()
