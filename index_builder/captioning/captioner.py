"""What a captioner is asked: the frames of a whole clip with their times, and words that ask for its motion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from PIL import Image

from index_builder.captions.text import cleaned
from index_builder.clips.clip_reader import ClipReader
from index_builder.clips.reading import Reading
from index_builder.clips.windows import ClipWindow
from index_builder.errors import ClipUnreadable

PROMPT = (
    "These are frames of one video clip in the order of time; the seconds stand before each. Say in one or two plain "
    "sentences what moves and how: who or what, in which direction, how fast, and in which order things happen, first "
    "to last. Say what the camera does if it moves. Describe only what the frames show; no opinion, no list, no "
    "heading."
)
FRAMES_PER_SECOND = 3.0
FEWEST_FRAMES = 4
# What a model may say before and after its answer.
THOUGHTS_END = "</think>"


@dataclass(frozen=True)
class TimedFrame:
    """A frame and when it is shown, in seconds from the start of the clip."""

    seconds: float
    picture: Image.Image


class Captioner(Protocol):
    """Describes clips. `name` says which model does."""

    name: str

    def describe(self, frames: Sequence[TimedFrame], prompt: str) -> str:
        """The model's words, as they come. Raises CaptionerFailed for a clip, CaptionerUnavailable for good."""
        ...


def frames_of(
    video: Path, *, reader: ClipReader, short_side: int, max_seconds: float, fps: float = FRAMES_PER_SECOND
) -> list[TimedFrame]:
    """Frames of the whole clip, at least `fps` a second and at least FEWEST_FRAMES, evenly spaced. Raises
    ClipUnreadable, for clips longer than `max_seconds` too."""
    inspected = reader.inspect(video)
    duration = inspected.timeline.duration_sec
    if duration > max_seconds:
        raise ClipUnreadable(
            f"it lasts {duration:.1f} s, over the limit of {max_seconds:g} s for a caption: cut it into clips, or "
            "raise --max-seconds"
        )
    count = max(FEWEST_FRAMES, math.ceil(duration * fps))
    window = ClipWindow(0, max(1, round(duration * 1000)))
    clip = reader.clip(inspected, window, Reading(frames=count, short_side=short_side))
    return [
        TimedFrame(seconds=place * duration / count, picture=Image.fromarray(frame))
        for place, frame in enumerate(clip.frames)
    ]


def caption_in(words: str) -> str:
    """A model's answer as a caption: on one line, without its thoughts and quotation marks; perhaps empty."""
    answer = words.rpartition(THOUGHTS_END)[2]
    return cleaned(cleaned(answer).strip("\"'`*“”„ "))
