"""`python -m training.world_statistic`: measures the world that a pack was trained on, beside its weights.

Index, search and doctor then say when clips or prompts are of another one. The weights stay as they are.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.progress import track

from index_builder.errors import MotionRAGError
from index_builder.features.detail import detail
from index_builder.features.world import WITHIN, WorldStatistic
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.checkpoints.world_file import World, write_world
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.world import draw_spec, render_clip

SEED = 930_001
SIZE_PIXELS, BATCH = 128, 32


def measure_world(encoder: PackClipEncoder, *, clips: int, held_out: int) -> World:
    """From captions and first frames of clips of the demo world, drawn as for training."""
    rng = np.random.default_rng(SEED)
    specs = [draw_spec(rng, split="train") for _ in range(clips + held_out)]
    texts, tokens, details = [], [], []
    for start in track(range(0, len(specs), BATCH), description="measuring", transient=True):
        part = specs[start : start + BATCH]
        texts.append(encoder.encode_text([spec.caption(rng) for spec in part]))
        frames = [render_clip(spec, size=SIZE_PIXELS, frames=2)[0] for spec in part]
        details += [detail(frame) for frame in frames]
        tokens.append(encoder.appearance_tokens(frames).cpu().numpy().reshape(len(part), -1))
    both = (np.concatenate(texts), np.concatenate(tokens).astype(np.float16).astype(np.float32))
    text, appearance = (WorldStatistic.measure(values[:clips], values[clips:]) for values in both)
    return World(text=text, appearance=appearance, detail=float(np.quantile(details, WITHIN)))


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m training.world_statistic", description=__doc__)
    parser.add_argument("--pack", default="tiny", help="a pack's name or folder (default tiny)")
    parser.add_argument("--clips", type=int, default=1200, help="clips that are measured (default 1200)")
    parser.add_argument("--held-out", type=int, default=400, help="others that set the limit (default 400)")
    arguments = parser.parse_args()
    try:
        pack = load_pack(arguments.pack)
        world = measure_world(PackClipEncoder(pack), clips=arguments.clips, held_out=arguments.held_out)
        Console().print(f"written: {write_world(pack, world)}")
    except MotionRAGError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
