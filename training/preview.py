"""A look at a pack: for each motion kind the truth, the base alone, its own motion, and retrieved motion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.frames.generate import generate_video
from motionrag_nodes.frames.video_model import load_video_model
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.demo_world.motions import MOTIONS
from training.demo_world.world import draw_spec, render_clip
from training.sizes import REFERENCES, SIZE_PIXELS

SHOWN_FRAMES = (0, 3, 5, 7)


def write_preview(pack_folder: Path, target: Path, *, seed: int = 11) -> None:
    """Write a picture with a row for each motion kind: truth | base | own motion | adapted references."""
    pack = load_pack(pack_folder)
    encoder, model = PackClipEncoder(pack), load_video_model(None, pack=pack)
    settings = replace(pack.config.generation, seed=seed)
    rng = np.random.default_rng(seed)
    rows = []
    for motion in MOTIONS:
        clip = render_clip(draw_spec(rng, split="unseen_object", motions=[motion]), size=SIZE_PIXELS)
        references = [render_clip(draw_spec(rng, motions=[motion]), size=SIZE_PIXELS) for _ in range(REFERENCES)]
        own = encoder.motion_tokens([clip])
        with torch.inference_mode():
            adapted = pack.context_transformer.adapt(
                encoder.motion_tokens(references)[None],
                encoder.appearance_tokens([r[0] for r in references])[None],
                encoder.appearance_tokens([clip[0]]),
            )
        shown = [clip[::2]]
        for tokens in (None, own, adapted):
            made = None if tokens is None else AdaptedMotion(
                tokens.clone(), encoder.zero_clip_tokens().clone(), pack.name, "preview"
            )  # fmt: skip
            video = generate_video(model, image=clip[0], motion=made, settings=settings)
            shown.append((video.frames.numpy() * 255).round().astype(np.uint8))
        rows.append(np.concatenate([frames[i] for frames in shown for i in SHOWN_FRAMES], axis=1))
    sheet = Image.fromarray(np.concatenate(rows))
    sheet.resize((sheet.width * 3 // 2, sheet.height * 3 // 2), Image.Resampling.LANCZOS).save(target)
