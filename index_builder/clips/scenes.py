"""Scenes: where a video cuts from one shot to another, by PySceneDetect on small frames, so that no clip spans a cut.

Frames are decoded here, not by PySceneDetect, so that a cut has the time that the video's own packets give its frame.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from index_builder.clips.shown_frames import SHOWN_TOLERANCE_SEC, Shown, readers_of
from index_builder.clips.timeline import Timeline
from index_builder.clips.video_bytes import Progress, unheard
from index_builder.errors import ClipUnreadable, InvalidSetting

DEFAULT_THRESHOLD = 27.0
# Cuts show as well, and hundreds of frames pass a second.
SHORT_SIDE = 72
# Two cuts closer than this are one: a flash, not a scene.
MIN_SCENE_SEC = 0.5


def check_scene_threshold(threshold: float) -> None:
    """Raises InvalidSetting for an impossible threshold, and where PySceneDetect is not installed."""
    if not 0 < threshold <= 255:
        raise InvalidSetting(
            f"Expected a scene threshold above 0, up to 255, received {threshold}: {DEFAULT_THRESHOLD:g} suits most."
        )
    if importlib.util.find_spec("scenedetect") is None:
        raise InvalidSetting("Expected PySceneDetect to cut scenes, found none: run pip install 'motionrag[scenes]'.")


def scene_cuts_ms(
    path: Path, timeline: Timeline, *, threshold: float = DEFAULT_THRESHOLD, progress: Progress = unheard
) -> tuple[int, ...]:
    """When each scene after the first begins, in ms from the first frame, ascending.

    `threshold`: how much a frame must differ from the one before, as the mean difference of hue, saturation and
    brightness, each 0 to 255. Decodes the whole video. Raises ClipUnreadable.
    """
    reasons = []
    for decoder, reader in readers_of(timeline, ("pyav",)):
        try:
            return _cuts_ms(reader(path, timeline, np.zeros(0), progress), fps=timeline.fps, threshold=threshold)
        except ClipUnreadable as error:
            reasons.append(f"{decoder}: {error}")
    raise ClipUnreadable(f"its scenes cannot be read: {'; '.join(reasons)}")


def _cuts_ms(frames: Iterator[Shown], *, fps: float, threshold: float) -> tuple[int, ...]:
    from scenedetect import FrameTimecode
    from scenedetect.detectors import ContentDetector

    fps = max(fps, 1e-3)
    detector = ContentDetector(threshold=threshold, min_scene_len=max(1, round(MIN_SCENE_SEC * fps)))
    times: list[float] = []
    cuts: list[int] = []
    for frame in frames:
        if times and frame.time_sec < times[-1] - SHOWN_TOLERANCE_SEC:
            raise ClipUnreadable("its frames come in a wrong order")
        times.append(frame.time_sec)
        here = FrameTimecode(len(times) - 1, fps)
        # The detector wants BGR.
        cuts += [cut.frame_num for cut in detector.process_frame(here, frame.small(SHORT_SIDE)[..., ::-1])]
    if not times:
        raise ClipUnreadable("no frame can be decoded")
    cuts += [cut.frame_num for cut in detector.post_process(FrameTimecode(len(times) - 1, fps))]
    return tuple(sorted({round(times[cut] * 1000) for cut in cuts if 0 < cut < len(times)}))
