"""Animate a picture: the plain image-to-video model, or the same model with adapted motion injected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.attention.injection import Injection, attach_motion
from motionrag_nodes.errors import (
    GenerationFailed,
    GenerationInterrupted,
    GenerationSettingInvalid,
    MotionMismatch,
    ShapeMismatch,
)
from motionrag_nodes.frames.run_control import StepClock, controlled_run
from motionrag_nodes.frames.settings import GenerateSettings
from motionrag_nodes.frames.video_model import VideoModel


@dataclass(frozen=True)
class GeneratedVideo:
    """frames: float32 RGB [T, H, W, 3] in [0, 1] on the CPU; fps; seconds spent in prepare, denoise and decode."""

    frames: torch.Tensor
    fps: int
    seconds: dict[str, float]

    def __post_init__(self) -> None:
        if self.frames.ndim != 4 or self.frames.shape[-1] != 3:
            raise ShapeMismatch(f"A generated video expects frames [T, H, W, 3], received {list(self.frames.shape)}.")


def generate_video(
    model: VideoModel,
    *,
    image: np.ndarray,
    motion: AdaptedMotion | None,
    settings: GenerateSettings,
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

    Raises:
        GenerationSettingInvalid: a setting is impossible; every problem is listed.
        MotionMismatch: motion was adapted with another pack than the model's, or the model has none.
        GenerationInterrupted: `should_stop` said so; all that was computed is released.
        AdapterBypassed: the model's attention did not pass through the adapter.
        GenerationFailed: the result is not finite, as half precision may make it.
    """
    settings.validate(pixel_multiple=max(8, model.pipeline.vae_scale_factor))
    _check_injection(strength, start, end)
    picture = fit_picture(image, width=settings.width, height=settings.height)
    injected = motion if strength > 0 and start < end else None
    if motion is not None:
        _check_motion(model, motion)
    interrupted, began, clock = False, time.perf_counter(), StepClock()
    try:
        with ExitStack() as stack:
            stack.enter_context(_codec_restored(model.pipeline))
            injection = None if injected is None else stack.enter_context(_motion_set(model, injected, settings))
            clock = stack.enter_context(
                controlled_run(
                    model.pipeline,
                    should_stop=should_stop,
                    injection=injection,
                    strength=strength,
                    start=start,
                    end=end,
                )
            )
            frames = _run_pipeline(model, picture, settings, on_step)
    except GenerationInterrupted:
        interrupted = True
    if interrupted:
        # Raised anew, outside the handler: the first error's traceback holds the pipeline's tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        raise GenerationInterrupted(
            f"The generation was stopped as asked, in step {clock.step + 1} of {settings.steps}."
        )
    _require_finite(frames, model)
    return GeneratedVideo(frames=frames, fps=settings.fps, seconds=_seconds(began, clock))


def fit_picture(image: np.ndarray, *, width: int, height: int) -> Image.Image:
    """uint8 RGB [H, W, 3] -> RGB picture of `width` x `height` pixels: centre crop to the shape, then resize.

    Raises:
        ShapeMismatch: the image has another shape or type.
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
            f"Expected finite pixels, received some that are not numbers: {model.pipeline.unet.dtype} may be too "
            "narrow for this model; load it in bfloat16 or float32."
        )


def _check_injection(strength: float, start: float, end: float) -> None:
    if not 0 <= strength < float("inf"):
        raise GenerationSettingInvalid(f"Expected a strength of at least 0, received {strength}: 1 is as trained.")
    if not 0 <= start <= end <= 1:
        raise GenerationSettingInvalid(
            f"Expected 0 <= start <= end <= 1, fractions of the steps, received start {start} and end {end}."
        )


def _check_motion(model: VideoModel, motion: AdaptedMotion) -> None:
    if model.adapter is None:
        raise MotionMismatch("Motion was given, but the video model was loaded without a pack: load it with the pack.")
    if motion.pack_name != model.pack_name:
        raise MotionMismatch(
            f"The video model was loaded with pack {model.pack_name}, the motion was adapted with {motion.pack_name}: "
            "use one pack for both."
        )


@contextmanager
def _motion_set(model: VideoModel, motion: AdaptedMotion, settings: GenerateSettings) -> Iterator[Injection]:
    """The adapter attached, keys and values projected once, in the order of the pipeline's branches."""
    guided = settings.max_guidance > 1
    branches = [motion.unconditional, motion.tokens] if guided else [motion.tokens]
    parameter = next(model.adapter.parameters())
    tokens = torch.cat(branches).to(parameter.device, parameter.dtype)
    with attach_motion(model.pipeline.unet, model.adapter) as injection:
        with torch.no_grad():
            injection.set_tokens(tokens)
        yield injection


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


def _run_pipeline(
    model: VideoModel, picture: Image.Image, settings: GenerateSettings, on_step: Callable[[int, int], None] | None
) -> torch.Tensor:
    def report(pipeline: Any, step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if on_step is not None:
            on_step(step + 1, pipeline.num_timesteps)
        return tensors

    made = model.pipeline(
        picture,
        height=settings.height,
        width=settings.width,
        num_frames=settings.frames,
        num_inference_steps=settings.steps,
        min_guidance_scale=settings.min_guidance,
        max_guidance_scale=settings.max_guidance,
        fps=settings.fps,
        motion_bucket_id=settings.motion_bucket_id,
        noise_aug_strength=settings.noise_aug_strength,
        decode_chunk_size=settings.decode_chunk_size,
        # On the CPU whatever the device: a seed gives the same noise everywhere.
        generator=torch.Generator("cpu").manual_seed(settings.seed),
        output_type="pt",
        callback_on_step_end=report,
    )
    # [1, T, 3, H, W] -> [T, H, W, 3]
    return made.frames[0].permute(0, 2, 3, 1).float().cpu().contiguous()


def _seconds(began: float, clock: StepClock) -> dict[str, float]:
    ended = time.perf_counter()
    first, last = clock.first_began or ended, clock.last_ended or ended
    return {"prepare": first - began, "denoise": last - first, "decode": ended - last, "total": ended - began}
