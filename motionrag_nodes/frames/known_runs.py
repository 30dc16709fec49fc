"""Runs of a model that were made before: a storyboard of which one part was changed makes again that part and what
follows, no more."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from weakref import WeakKeyDictionary

import numpy as np

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.frames.generate import GeneratedVideo, generate_video
from motionrag_nodes.frames.video_model import VideoModel

MAX_KEPT_BYTES = 1 << 30
_Key = tuple[str, Settings, float]


class KnownRuns:
    """Videos by all that they are computed from: model, picture, motion, settings with their seed, strength. The oldest
    are forgotten above MAX_KEPT_BYTES, a model's with the model."""

    def __init__(self, *, most_bytes: int = MAX_KEPT_BYTES) -> None:
        self.most_bytes = most_bytes
        self._videos: WeakKeyDictionary[object, OrderedDict[_Key, GeneratedVideo]] = WeakKeyDictionary()

    def generate(
        self,
        model: VideoModel,
        *,
        image: np.ndarray,
        motion: AdaptedMotion,
        settings: Settings,
        strength: float,
        on_step: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> GeneratedVideo:
        """What `generate_video` makes of these, or made of them before."""
        kept = self._videos.setdefault(model.pipeline, OrderedDict())
        key = (_content(image, motion), settings, strength)
        if key not in kept:
            kept[key] = generate_video(
                model,
                image=image,
                motion=motion,
                settings=settings,
                strength=strength,
                on_step=on_step,
                should_stop=should_stop,
            )
            while len(kept) > 1 and sum(_size_bytes(video) for video in kept.values()) > self.most_bytes:
                kept.popitem(last=False)
        kept.move_to_end(key)
        return kept[key]


def _content(picture: np.ndarray, motion: AdaptedMotion) -> str:
    found = hashlib.sha256(str(picture.shape).encode())
    for values in (picture, motion.tokens.numpy(), motion.unconditional.numpy()):
        found.update(np.ascontiguousarray(values).tobytes())
    return f"{motion.pack.fingerprint} {found.hexdigest()}"


def _size_bytes(video: GeneratedVideo) -> int:
    return video.frames.numel() * video.frames.element_size()
