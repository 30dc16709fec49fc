"""The sound of a span of a video, as samples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from index_builder.clips.video_bytes import Progress, open_video, unheard
from index_builder.errors import ClipUnreadable, InvalidSetting

MAX_CHANNELS = 2
MAX_RATE = 192_000
# A sound begins with the key frame before it; codecs with long frames still fit.
_SEEK_BACK_SEC = 1.0


@dataclass(frozen=True, eq=False)
class Sound:
    """samples: float32 [C, N] in [-1, 1], one or two channels; `rate`: samples a second."""

    samples: np.ndarray
    rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or not 1 <= len(self.samples) <= MAX_CHANNELS or not 1 <= self.rate <= MAX_RATE:
            raise InvalidSetting(
                f"Expected sound [C, N] of 1 or 2 channels at up to {MAX_RATE} Hz, received {self.samples.shape} at "
                f"{self.rate} Hz: convert it."
            )

    def lasting(self, seconds: float) -> Sound:
        """Cut, or followed by silence, to this length."""
        wanted = max(1, round(seconds * self.rate))
        kept = self.samples[:, :wanted]
        return Sound(np.pad(kept, ((0, 0), (0, wanted - kept.shape[1]))), self.rate)


def read_sound(
    path: Path, *, start_sec: float, end_sec: float, origin_sec: float = 0.0, progress: Progress = unheard
) -> Sound:
    """The sound from `start_sec` to `end_sec` after `origin_sec` of the container's time; silence where it has none.

    Raises ClipUnreadable when the file has no sound, InvalidSetting for an empty span.
    """
    if not start_sec < end_sec:
        raise InvalidSetting(f"Expected a span to hear, received {start_sec} to {end_sec} s: let it end later.")
    with open_video(path, progress=progress) as container:
        if not container.streams.audio:
            raise ClipUnreadable("it has no sound")
        stream = container.streams.audio[0]
        rate = stream.codec_context.sample_rate
        if not 1 <= rate <= MAX_RATE:
            raise ClipUnreadable(f"its sound has {rate} samples a second")
        layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        heard = np.zeros((1 if layout == "mono" else 2, round((end_sec - start_sec) * rate)), np.float32)
        begin = origin_sec + start_sec
        if stream.time_base and begin > _SEEK_BACK_SEC:
            container.seek(int((begin - _SEEK_BACK_SEC) / stream.time_base), stream=stream, backward=True)
        resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        for frame in container.decode(stream):
            if frame.pts is None or frame.time_base is None:
                raise ClipUnreadable("its sound has no times")
            place = round((float(frame.pts * frame.time_base) - begin) * rate)
            if place >= heard.shape[1]:
                break
            for part in resampler.resample(frame):
                samples = part.to_ndarray()
                _put(heard, samples, place)
                place += samples.shape[1]
    return Sound(np.clip(np.nan_to_num(heard), -1.0, 1.0), rate)


def _put(heard: np.ndarray, samples: np.ndarray, place: int) -> None:
    """Writes samples where they belong; what lies before or behind the span is dropped."""
    first, last = max(place, 0), min(place + samples.shape[1], heard.shape[1])
    if first < last:
        heard[:, first:last] = samples[:, first - place : last - place]
