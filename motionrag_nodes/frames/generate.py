"""Animate a picture: the plain image-to-video model, or the same model with adapted motion injected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.attention.applied_motion import AppliedMotion
from motionrag_nodes.backbones.settings import Settings
from motionrag_nodes.errors import (
    GenerationFailed,
    GenerationInterrupted,
    MotionMismatch,
    ShapeMismatch,
)
from motionrag_nodes.frames.room import make_room
from motionrag_nodes.frames.run_control import StepClock, controlled_run
from motionrag_nodes.frames.video_model import VideoModel
from motionrag_nodes.residence import empty_cache


@dataclass(frozen=True)
class GeneratedVideo:
    """frames: float32 RGB [T, H, W, 3] in [0, 1] on the CPU; fps; seconds spent in prepare, denoise and decode."""

    frames: torch.Tensor
    fps: int
    seconds: dict[str, float]

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            raise ShapeMismatch(
                f"Expected frames [T, H, W, 3] of a video, received {list(self.frames.shape)}: bring them into this "
                "order."
            )

    def starting_with(self, image: np.ndarray) -> GeneratedVideo:
        """The same video with `image`, uint8 RGB [H, W, 3], cropped to its shape, as its first frame: the codec of a
        small model shows even that one as it knows to."""
        height, width = self.frames.shape[1:3]
        first = np.array(fit_picture(image, width=width, height=height))
        return replace(self, frames=torch.cat([torch.from_numpy(first).float().div(255)[None], self.frames[1:]]))


def generate_video(
    model: VideoModel,
    *,
    image: np.ndarray,
    motion: AdaptedMotion | None,
    settings: Settings,
    strength: float = 1.0,
    start: float = 0.0,
    end: float = 1.0,
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> GeneratedVideo:
    """Generate a video that starts from `image`, uint8 RGB [H, W, 3].

    The image is cropped at its centre to the video's shape. `strength` scales the injected motion, 0 or `motion` None
    is the plain pipeline, bit for bit; motion is injected at steps start <= i / steps < end, fractions of the steps
    that the scheduler really takes. With guidance the unconditional branch gets the motion's unconditional tokens
    (arXiv 2509.26391). `on_step(done, steps)` follows every step; `should_stop` is asked many times within one.

    Raises GenerationSettingInvalid: a setting is impossible; every problem is listed. MotionMismatch: motion was
    adapted with another pack than the model's, or the model has none. GenerationInterrupted: `should_stop` said so; all
    that was computed is released. AdapterBypassed: the model's attention did not pass through the adapter.
    GenerationFailed: the result is not finite, as half precision may make it.
    """
    applied = None if motion is None else _applied(model, motion, strength, start, end)
    began = time.perf_counter()
    frames, clock = generate_frames(
        model,
        pictures=[image],
        motion=applied,
        settings=settings,
        seeds=[settings.seed],
        on_step=on_step,
        should_stop=should_stop,
    )
    return GeneratedVideo(frames=frames[0].contiguous(), fps=settings.fps, seconds=_seconds(began, clock))


def generate_frames(
    model: VideoModel,
    *,
    pictures: Sequence[np.ndarray],
    motion: AppliedMotion | None,
    settings: Settings,
    seeds: Sequence[int],
    on_step: Callable[[int, int], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[torch.Tensor, StepClock]:
    """B videos float32 RGB [B, T, H, W, 3] in [0, 1] on the CPU, in one run of the model, each with its own seed.

    pictures: B of uint8 RGB [H, W, 3]; motion for B clips. Raises as `generate_video`.
    """
    settings.validate(pixel_multiple=model.backbone.pixel_multiple(model.pipeline))
    fitted = [fit_picture(picture, width=settings.width, height=settings.height) for picture in pictures]
    entering = None if motion is None or motion.never else motion
    interrupted, clock = False, StepClock(model.backbone.calls(settings))
    settings = make_room(model, settings, batch=len(pictures))
    try:
        with (
            torch.no_grad(),
            _codec_restored(model.pipeline),
            controlled_run(
                model.backbone,
                model.pipeline,
                settings,
                motion=entering,
                residence=model.residence,
                on_step=on_step,
                should_stop=should_stop,
            ) as clock,
        ):
            frames = model.backbone.run(model.pipeline, fitted, settings, seeds).float().cpu()
    except GenerationInterrupted:
        interrupted = True
    finally:
        model.residence.release([] if model.adapter is None else [model.adapter])
    if interrupted:
        # Raised here, outside the handler: the first error's traceback holds the pipeline's tensors.
        empty_cache(model.residence.device)
        raise GenerationInterrupted(
            f"The generation was stopped as asked, in step {clock.step + 1} of {settings.steps}."
        )
    _require_finite(frames, model)
    return frames, clock


def fit_picture(image: np.ndarray, *, width: int, height: int) -> Image.Image:
    """uint8 RGB [H, W, 3] -> RGB picture of `width` x `height` pixels: centre crop to the shape, then resize.

    Raises ShapeMismatch: the image has another shape or type.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3 or 0 in image.shape:
        raise ShapeMismatch(
            f"Expected an image as uint8 RGB [H, W, 3], received {image.dtype} {list(image.shape)}: convert it."
        )
    picture = Image.fromarray(image)
    if picture.size == (width, height):
        return picture
    scale = min(picture.width / width, picture.height / height)
    crop_width, crop_height = width * scale, height * scale
    left, top = (picture.width - crop_width) / 2, (picture.height - crop_height) / 2
    box = (left, top, left + crop_width, top + crop_height)
    return picture.resize((width, height), Image.Resampling.LANCZOS, box=box)


def _require_finite(frames: torch.Tensor, model: VideoModel) -> None:
    if not torch.isfinite(frames).all():
        raise GenerationFailed(
            f"Expected finite pixels, received some that are not numbers: {model.pipeline.dtype} may be too narrow for "
            "this model; load it in bfloat16 or float32."
        )


def _applied(model: VideoModel, motion: AdaptedMotion, strength: float, start: float, end: float) -> AppliedMotion:
    if model.adapter is None or model.pack is None:
        raise MotionMismatch(
            "Expected a video model with the motion's pack, received one without any: load it with the pack."
        )
    motion.require_pack(name=model.pack.name, fingerprint=model.pack.fingerprint)
    return AppliedMotion(
        adapter=model.adapter,
        tokens=motion.tokens,
        unconditional=motion.unconditional,
        strength=strength,
        start=start,
        end=end,
    )


@contextmanager
def _codec_restored(pipeline: Any) -> Iterator[None]:
    """The pipeline widens a half-precision codec for a while: an interruption must not leave it so."""
    dtype = pipeline.vae.dtype
    try:
        yield
    finally:
        if pipeline.vae.dtype != dtype:
            pipeline.vae.to(dtype=dtype)
        pipeline.maybe_free_model_hooks()


def _seconds(began: float, clock: StepClock) -> dict[str, float]:
    ended = time.perf_counter()
    first, last = clock.first_began or ended, clock.last_ended or ended
    return {"prepare": first - began, "denoise": last - first, "decode": ended - last, "total": ended - began}
