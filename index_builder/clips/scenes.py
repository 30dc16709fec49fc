"""Scenes: where a video cuts from one shot to another, by PySceneDetect on small frames, so that no clip spans a cut.

Frames are decoded here, not by PySceneDetect, so that a cut has the time that the video's own packets give its frame.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import av
import numpy as np

from index_builder.clips.timeline import Timeline, picture_stream
from index_builder.errors import ClipUnreadable, InvalidSetting

DEFAULT_THRESHOLD = 27.0
SHORT_SIDE = 72
# Two cuts closer than this are one: a flash, not a scene.
MIN_SCENE_SEC = 0.5


def check_scene_threshold(threshold: float) -> None:
    """Raises InvalidSetting for an impossible threshold, and where PySceneDetect is not installed."""
    if not 0 < threshold <= 255:
        raise InvalidSetting(
            f"expected a scene threshold above 0, up to 255, received {threshold}: {DEFAULT_THRESHOLD:g} suits most"
        )
    if importlib.util.find_spec("scenedetect") is None:
        raise InvalidSetting(
            "expected PySceneDetect to cut scenes, it is not installed: pip install 'motionrag[scenes]'"
        )


def scene_cuts_ms(path: Path, timeline: Timeline, *, threshold: float = DEFAULT_THRESHOLD) -> tuple[int, ...]:
    """When each scene after the first begins, in ms from the first frame, ascending.

    `threshold`: how much a frame must differ from the one before, as the mean difference of hue, saturation and
    brightness, each 0 to 255. Decodes the whole video. Raises ClipUnreadable.
    """
    from scenedetect import FrameTimecode
    from scenedetect.detectors import ContentDetector

    fps = max(timeline.fps, 1e-3)
    detector = ContentDetector(threshold=threshold, min_scene_len=max(1, round(MIN_SCENE_SEC * fps)))
    times: list[float] = []
    cuts: list[int] = []
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            for frame in container.decode(picture_stream(container)):
                if frame.time is None:
                    continue
                times.append(frame.time - timeline.origin_sec)
                here = FrameTimecode(len(times) - 1, fps)
                cuts += [cut.frame_num for cut in detector.process_frame(here, _small(frame))]
        if times:
            cuts += [cut.frame_num for cut in detector.post_process(FrameTimecode(len(times) - 1, fps))]
    except (av.FFmpegError, EOFError) as error:
        # A file cut short still shows what came before the cut.
        if not times:
            raise ClipUnreadable(f"its scenes cannot be read: {error}") from error
    return tuple(sorted({round(times[cut] * 1000) for cut in cuts if 0 < cut < len(times)}))


def _small(frame: av.VideoFrame) -> np.ndarray:
    """uint8 BGR, the short side at most 72 px: cuts show as well, and hundreds of frames pass a second."""
    scale = min(1.0, SHORT_SIDE / min(frame.width, frame.height))
    width, height = max(8, round(frame.width * scale)), max(8, round(frame.height * scale))
    return frame.to_ndarray(format="bgr24", width=width, height=height)
