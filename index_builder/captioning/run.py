"""Captioning a folder: every video that has no caption yet gets one; a run that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from index_builder.captioning.caption_files import CaptionStore
from index_builder.captioning.captioner import PROMPT, Captioner, caption_in, frames_of
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.find import Unusable, VideoFile
from index_builder.clips.timeline import DecodeLimits
from index_builder.errors import CaptionerFailed, ClipUnreadable

HAS_ONE = "has a caption already"
INTERRUPTED = "interrupted before its turn: run the command again"


@dataclass(frozen=True, kw_only=True)
class CaptioningReport:
    """captioned: each new caption by its video; skipped, failed: the reason by video. Every video is in one of them."""

    captioned: dict[str, str]
    skipped: dict[str, str]
    failed: dict[str, str]
    interrupted: bool

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def caption_videos(
    found: Sequence[VideoFile | Unusable],
    *,
    captioner: Captioner,
    store: CaptionStore,
    prompt: str = PROMPT,
    short_side: int = 320,
    max_seconds: float = 60.0,
    limits: DecodeLimits | None = None,
    progress: Callable[[int, int, str], None] | None = None,
) -> CaptioningReport:
    """Describes the videos one after the other, each read in a process that can be killed, within `limits`.

    `progress` hears those done, those there are, and the last caption. Ctrl-C ends after what is done. Raises
    CaptionerUnavailable when the model is gone for good.
    """
    captioned: dict[str, str] = {}
    skipped: dict[str, str] = {}
    failed: dict[str, str] = {}
    interrupted = False
    todo = []
    for entry in found:
        if isinstance(entry, Unusable):
            (failed if entry.failed else skipped)[entry.path] = entry.reason
        elif store.has(entry):
            skipped[entry.source] = HAS_ONE
        else:
            todo.append(entry)
    with ClipReader(limits=limits) as reader:
        for done, video in enumerate(todo, start=1):
            try:
                frames = frames_of(video.path, reader=reader, short_side=short_side, max_seconds=max_seconds)
                caption = caption_in(captioner.describe(frames, prompt))
                if caption:
                    store.keep(video, caption, model=captioner.name)
                    captioned[video.source] = caption
                else:
                    failed[video.source] = "the model said nothing"
            except (ClipUnreadable, CaptionerFailed) as error:
                failed[video.source] = str(error)
            except OSError as error:
                failed[video.source] = f"its caption cannot be written: {error}"
            except KeyboardInterrupt:
                interrupted = True
                skipped |= dict.fromkeys((left.source for left in todo[done - 1 :]), INTERRUPTED)
                break
            if progress:
                progress(done, len(todo), captioned.get(video.source, ""))
    return CaptioningReport(captioned=captioned, skipped=skipped, failed=failed, interrupted=interrupted)
