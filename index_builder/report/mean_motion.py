"""Where a clip goes on the whole: with the camera where all of the picture moves, else with what moves before it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 64, 48
# A picture counts as moving when it shifts by more than a pixel of the small frames.
LEAST_SHIFT = 1.5
DIFFERENCE = 16.0
CONFIDENT = 0.2
# Less of the picture is noise, and of more the middle says nothing.
LEAST_SHARE, MOST_SHARE = 0.002, 0.25


def mean_motion(frames: list[Image.Image]) -> tuple[float, float]:
    """Frames in time, at least one -> (across, down) in widths and heights of the picture over the whole clip."""
    small = np.stack([np.asarray(frame.convert("L").resize((WIDTH, HEIGHT)), dtype=np.float32) for frame in frames])
    shift = _camera_shift(small)
    if np.hypot(*shift) <= LEAST_SHIFT:
        shift = _foreground_shift(small)
    return float(shift[0] / WIDTH), float(shift[1] / HEIGHT)


def _camera_shift(small: np.ndarray) -> np.ndarray:
    """By phase correlation from frame to frame, summed: (across, down) in pixels."""
    window = np.hanning(HEIGHT)[:, None] * np.hanning(WIDTH)[None, :]
    total = np.zeros(2)
    for before, after in pairwise(small):
        spectra = [np.fft.rfft2((frame - frame.mean()) * window) for frame in (before, after)]
        cross = spectra[1] * np.conj(spectra[0])
        peak = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), s=(HEIGHT, WIDTH))
        down, across = np.unravel_index(peak.argmax(), peak.shape)
        # A low peak says that the second picture is not the first one shifted: a cut, or things going all ways.
        if peak.max() < CONFIDENT:
            continue
        total += (across - WIDTH * (across > WIDTH // 2), down - HEIGHT * (down > HEIGHT // 2))
    return total


def _foreground_shift(small: np.ndarray) -> np.ndarray:
    """How far the middle of what differs from the still background goes, in pixels; nothing where little differs."""
    weights = np.maximum(np.abs(small - np.median(small, axis=0)) - DIFFERENCE, 0)
    shares = (weights > 0).mean(axis=(1, 2))
    seen = np.flatnonzero(shares > LEAST_SHARE)
    if len(seen) < 2 or shares.max() > MOST_SHARE:
        return np.zeros(2)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    mass = weights[seen].sum(axis=(1, 2))
    centres = np.stack([(weights[seen] * grid).sum(axis=(1, 2)) / mass for grid in (across, down)], axis=1)
    # A line through all middles is surer than the first and the last.
    times = seen / max(1, len(small) - 1)
    spread = np.square(times - times.mean()).sum()
    slope: np.ndarray = ((times - times.mean())[:, None] * (centres - centres.mean(axis=0))).sum(axis=0) / spread
    return slope
