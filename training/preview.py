"""A look at a pack: for each motion kind the truth, the base alone, its own motion, and retrieved motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from motionrag_nodes.adapted_tokens.adapt import adapt_motion
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.neighbours.reference_videos import encode_reference_videos
from training.demo_world.motions import MOTIONS
from training.demo_world.world import draw_spec, render_clip
from training.sizes import REFERENCES, SIZE_PIXELS

SHOWN_FRAMES = (0, 3, 5, 7)


def write_preview(pack_folder: Path, target: Path, *, seed: int = 11) -> None:
    """Write a picture with a row for each motion kind: truth | base | own motion | adapted references."""
    pack = load_pack(pack_folder)
    model, settings = load_video_model(None, pack=pack), replace(pack.config.generation, seed=seed)
    rng = np.random.default_rng(seed)
    rows = []
    for motion in MOTIONS:
        clip = render_clip(draw_spec(rng, split="unseen_object", motions=[motion]), size=SIZE_PIXELS)
        references = [render_clip(draw_spec(rng, motions=[motion]), size=SIZE_PIXELS) for _ in range(REFERENCES)]
        own, retrieved = (
            adapt_motion(pack, encode_reference_videos(pack, clips), image=clip[0], fusion=fusion)
            for clips, fusion in (([clip], "top-1"), (references, "context transformer"))
        )
        shown = [clip[::2]]
        for made in (None, own, retrieved):
            video = generate_video(model, image=clip[0], motion=made, settings=settings)
            shown.append((video.frames.numpy() * 255).round().astype(np.uint8))
        rows.append(np.concatenate([frames[i] for frames in shown for i in SHOWN_FRAMES], axis=1))
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width * 3 // 2, sheet.height * 3 // 2), Image.Resampling.LANCZOS).save(target)
