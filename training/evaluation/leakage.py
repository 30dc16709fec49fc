"""`python -m training.evaluation.leakage`: how much of a clip's looks its control clips give away, and how much of its
motion they tell.

Of each kind of control clip several readers learn on some clips of the demo world and read others: colour, shape and
motion. The best reader counts: a look that any of them can read has leaked. The same for the motion of objects alone
and of the camera alone, from clips with a patterned ground past which a camera goes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.control.control_clip import draw_motion, motion_of
from motionrag_nodes.neighbours.control.kinds import KINDS, WHOSE
from training.demo_world.motions import MOTIONS
from training.demo_world.shapes import SHAPES
from training.demo_world.world import COLOURS, ClipSpec, draw_spec, render_clip

ITSELF = "the clip itself"
LABELS: Mapping[str, tuple[Callable[[ClipSpec], str], int]] = {
    "colour": (lambda spec: spec.colour, len(COLOURS)),
    "shape": (lambda spec: spec.shape, len(SHAPES)),
    "motion": (lambda spec: str(spec.motion), len(MOTIONS)),
}
SIZE, FRAMES, PATCH, SEED = 48, 8, 8, 20_261_129
# Where everything is seen to go, in pixels down and to the right from frame to frame.
CAMERAS: Mapping[str, tuple[int, int]] = {"left": (0, 1), "right": (0, -1), "up": (1, 0), "down": (-1, 0)}
UNDER_CAMERA = "under a moving camera"


def views_of(clip: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """The clip, and its control clips by kind, uint8 RGB [T, H, W, 3]; the noise is another one for each clip."""
    motion = motion_of(clip)
    return {ITSELF: clip, **{kind: draw_motion(motion, clip.shape[1:3], kind=kind, seed=seed) for kind in KINDS}}


def under_camera(clip: np.ndarray, camera: str, rng: np.random.Generator) -> np.ndarray:
    """The clip before a patterned ground of its own colour, seen by a camera that moves; what leaves one side comes in
    at the other."""
    ground = clip[0, 0, 0].astype(np.float32)
    small = rng.uniform(0, 90, (SIZE // 6, SIZE // 6)).astype(np.float32)
    pattern = np.asarray(Image.fromarray(small).resize(clip.shape[2:0:-1], Image.Resampling.BICUBIC))
    covered = np.abs(clip - ground).max(-1, keepdims=True) > 20
    patterned = np.where(covered, clip, ground + pattern[..., None]).clip(0, 255).astype(np.uint8)
    down, right = CAMERAS[camera]
    moved = [np.roll(frame, (down * moment, right * moment), axis=(0, 1)) for moment, frame in enumerate(patterned)]
    return np.stack(moved)


def views_under_camera(clip: np.ndarray) -> dict[str, np.ndarray]:
    """The clip, and its motion as colours: of everything, of the objects alone, of the camera alone."""
    motion = motion_of(clip)
    drawn = {whose: draw_motion(motion, clip.shape[1:3], kind="colours", whose=whose) for whose in WHOSE}
    return {ITSELF: clip, **{f"colours, {whose}": view for whose, view in drawn.items()}}


def pixel_features(clip: np.ndarray) -> np.ndarray:
    """What stands out from the frame's own median colour: its colour, outline, path and size."""
    pixels = clip.astype(np.float32) / 255
    ground = np.median(pixels.reshape(len(pixels), -1, 3), axis=1)[:, None, None]
    stands_out = np.abs(pixels - ground).sum(-1)
    weights = stands_out + 1e-6
    total = weights.sum((1, 2))
    rows, columns = np.mgrid[: clip.shape[1], : clip.shape[2]] / clip.shape[1]
    x, y = (weights * columns).sum((1, 2)) / total, (weights * rows).sum((1, 2)) / total
    colour = (weights[..., None] * pixels).sum((1, 2)) / total[:, None]
    outline = np.mean([_around(w, cx, cy) for w, cx, cy in zip(stands_out, x, y, strict=True)], axis=0)
    path = np.stack([x - x[0], y - y[0], np.log(total / total[0])], axis=1)
    return np.concatenate([colour.mean(0) * 4, colour.std(0) * 4, outline.ravel() * 2, path.ravel() * 4])


def _around(stands_out: np.ndarray, x: float, y: float) -> np.ndarray:
    """A patch around a point, by its own brightest, as the outline is seen."""
    side = len(stands_out)
    half = side // 4
    padded = np.pad(stands_out, half)
    top, left = round(y * side), round(x * side)
    patch = padded[top : top + 2 * half, left : left + 2 * half]
    cut = patch[: 2 * half // PATCH * PATCH, : 2 * half // PATCH * PATCH]
    small = cut.reshape(PATCH, cut.shape[0] // PATCH, PATCH, cut.shape[1] // PATCH).mean((1, 3))
    return small / max(1e-6, small.max())


def features_of(clips: Sequence[np.ndarray], encoder: PackClipEncoder) -> dict[str, np.ndarray]:
    """Features [N, F] of each reader: what stands out, the pack's motion tokens, and its tokens of the middle frame."""
    middles = [np.ascontiguousarray(clip[len(clip) // 2]) for clip in clips]
    return {
        "pixels": np.stack([pixel_features(clip) for clip in clips]),
        "motion tokens": encoder.motion_tokens(clips).cpu().numpy().reshape(len(clips), -1),
        "appearance tokens": encoder.appearance_tokens(middles).cpu().numpy().reshape(len(clips), -1),
    }


def read_share(features: np.ndarray, labels: Sequence[str], *, learned: int) -> float:
    """The share of clips behind the first `learned` whose label is read right, by ridge regression to the labels."""
    names = sorted(set(labels))
    wanted = np.array([[label == name for name in names] for label in labels], dtype=np.float64)
    known = features[:learned].astype(np.float64)
    mean, spread = known.mean(0), known.std(0) + 1e-3 * (known.std() + 1e-9)
    values = np.c_[(features - mean) / spread, np.ones(len(features))] / np.sqrt(features.shape[1])
    gram = values[:learned] @ values[:learned].T
    dual = np.linalg.solve(gram + 0.1 * np.eye(learned), wanted[:learned])
    read = (values[learned:] @ values[:learned].T @ dual).argmax(1)
    return float(np.mean(read == wanted[learned:].argmax(1)))


def measure_leakage(
    encoder: PackClipEncoder, *, learned: int, read: int, console: Console | None = None
) -> dict[str, dict[str, float]]:
    """View -> label -> share that the best reader reads right, in [0, 1]."""
    specs = _specs(learned + read)
    shown = track(specs, description="control clips", console=console, disable=console is None)
    views = [views_of(render_clip(spec, size=SIZE, frames=FRAMES), seed=seed) for seed, spec in enumerate(shown)]
    return _best_readers(encoder, views, _labels_of(specs), learned=learned)


def measure_under_camera(
    encoder: PackClipEncoder, *, learned: int, read: int, console: Console | None = None
) -> dict[str, dict[str, float]]:
    """As `measure_leakage`, of the views under a camera, with the camera's own motion for a label more."""
    specs, rng = _specs(learned + read), np.random.default_rng(SEED + 1)
    cameras = [str(camera) for camera in rng.choice(list(CAMERAS), len(specs))]
    pairs = list(zip(specs, cameras, strict=True))
    views = [
        views_under_camera(under_camera(render_clip(spec, size=SIZE, frames=FRAMES), camera, rng))
        for spec, camera in track(pairs, description=UNDER_CAMERA, console=console, disable=console is None)
    ]
    return _best_readers(encoder, views, {**_labels_of(specs), "camera": cameras}, learned=learned)


def _specs(count: int) -> list[ClipSpec]:
    rng = np.random.default_rng(SEED)
    return [draw_spec(rng) for _ in range(count)]


def _labels_of(specs: Sequence[ClipSpec]) -> dict[str, list[str]]:
    return {label: [of(spec) for spec in specs] for label, (of, _) in LABELS.items()}


def _best_readers(
    encoder: PackClipEncoder,
    views: Sequence[Mapping[str, np.ndarray]],
    labels: Mapping[str, Sequence[str]],
    *,
    learned: int,
) -> dict[str, dict[str, float]]:
    found = {}
    for name in views[0]:
        readers = features_of([each[name] for each in views], encoder)
        found[name] = {
            label: max(read_share(values, names, learned=learned) for values in readers.values())
            for label, names in labels.items()
        }
    return found


def main() -> None:
    """Parse the command line, measure, print the table."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.leakage", description=__doc__)
    parser.add_argument("--pack", default="tiny")
    parser.add_argument("--learned", type=int, default=144, help="clips that readers learn on (default 144)")
    parser.add_argument("--read", type=int, default=72, help="clips that are read (default 72)")
    parser.add_argument("--output", type=Path, help="write the shares as JSON too")
    arguments = parser.parse_args()
    console = Console()
    encoder = PackClipEncoder(load_pack(arguments.pack))
    asked = {"learned": arguments.learned, "read": arguments.read, "console": console}
    chances = {label: 1 / count for label, (_, count) in LABELS.items()}
    found = {ITSELF: measure_leakage(encoder, **asked), UNDER_CAMERA: measure_under_camera(encoder, **asked)}
    for title, chance in ((ITSELF, chances), (UNDER_CAMERA, {**chances, "camera": 1 / len(CAMERAS)})):
        table = Table("control clip", *chance, title=None if title == ITSELF else title)
        for name, shares in (*found[title].items(), ("chance", chance)):
            table.add_row(name, *(f"{100 * shares[label]:.0f} %" for label in chance))
        console.print(table)
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
