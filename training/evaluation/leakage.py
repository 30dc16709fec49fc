"""`python -m training.evaluation.leakage`: how much of a clip's looks its control clips give away, and how much of its
motion they tell.

Of each kind of control clip several readers learn on some clips of the demo world and read others: colour, shape and
motion. The best reader counts: a look that any of them can read has leaked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from motionrag_nodes.neighbours.control.control_clip import draw_motion, motion_of
from motionrag_nodes.neighbours.control.kinds import KINDS
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


def views_of(clip: np.ndarray, *, seed: int) -> dict[str, np.ndarray]:
    """The clip, and its control clips by kind, uint8 RGB [T, H, W, 3]; the noise is another one for each clip."""
    motion = motion_of(clip)
    return {ITSELF: clip, **{kind: draw_motion(motion, clip.shape[1:3], kind=kind, seed=seed) for kind in KINDS}}


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
    rng = np.random.default_rng(SEED)
    specs = [draw_spec(rng) for _ in range(learned + read)]
    views: dict[str, list[np.ndarray]] = {}
    for seed, spec in enumerate(track(specs, description="control clips", console=console, disable=console is None)):
        for name, clip in views_of(render_clip(spec, size=SIZE, frames=FRAMES), seed=seed).items():
            views.setdefault(name, []).append(clip)
    found = {}
    for name, clips in views.items():
        readers = features_of(clips, encoder)
        found[name] = {
            label: max(read_share(values, [of(spec) for spec in specs], learned=learned) for values in readers.values())
            for label, (of, _) in LABELS.items()
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
    found = measure_leakage(encoder, learned=arguments.learned, read=arguments.read, console=console)
    table = Table("control clip", *LABELS)
    for name, shares in found.items():
        table.add_row(name, *(f"{100 * shares[label]:.0f} %" for label in LABELS))
    table.add_row("chance", *(f"{100 / count:.0f} %" for _, count in LABELS.values()))
    console.print(table)
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
