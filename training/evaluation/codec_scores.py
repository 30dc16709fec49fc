"""`python -m training.evaluation.codec_scores --run RUN`: what a codec alone loses, before it is part of a pack.

Shape and colour of the last frame as `motionrag evaluate` scores them, of clips that were never trained on. A stage
that is not finished is looked at as its last checkpoint has it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from rich.console import Console
from rich.table import Table
from safetensors.torch import load_file
from torch import Tensor

from motionrag_nodes.errors import PackNotFound
from training import sizes
from training.encoders.codec import to_pixels
from training.evaluation.protocol.cases import draw_cases
from training.evaluation.scores.bootstrap import mean_estimate
from training.evaluation.scores.scores import sprite_scores
from training.stages import RESULT

CASES = ("seen", "unseen objects")
SCORES = {"shape IoU": ("shape_last", ".3f"), "colour error": ("colour_last", ".1f")}


def weights_so_far(run: Path, stage: str) -> dict[str, Tensor]:
    """What a stage left in a run's folder, or the average of its last checkpoint.

    Raises PackNotFound: the stage has not begun there.
    """
    finished, begun = run / RESULT.format(name=stage), run / f"{stage}.pt"
    if finished.exists():
        return load_file(finished)
    if begun.exists():
        return torch.load(begun, weights_only=True)["average"]
    raise PackNotFound(f"Expected {finished.name} or {begun.name} in {run}, found neither: train stage {stage}.")


def load_codec(run: Path, stage: str) -> AutoencoderKL:
    """The codec of stage "codec" or "decoder", see `weights_so_far`."""
    model = sizes.codec()
    model.load_state_dict(weights_so_far(run, stage))
    return model.eval()


def decode_frames(model: AutoencoderKL, latents: Tensor) -> np.ndarray:
    """Latents [B, C, h, w] -> frames uint8 RGB [B, H, W, 3]."""
    decoded = model.decode(latents).sample
    return ((decoded / 2 + 0.5).clamp(0, 1) * 255).round().byte().movedim(1, -1).numpy()


@torch.inference_mode()
def last_frame_scores(model: AutoencoderKL, cases: str, clips: int) -> dict[str, np.ndarray]:
    """Scores [clips] of last frames, encoded and decoded, by metric; NaN where a sprite cannot be judged."""
    real = [case.real(size=sizes.SIZE_PIXELS, frames=sizes.FRAMES)[-1:] for case in draw_cases(cases, clips)]
    latents = model.encode(to_pixels(np.concatenate(real))).latent_dist.mode()
    return sprite_scores(real=real, generated=list(decode_frames(model, latents)[:, None]))


def as_cells(scores: dict[str, np.ndarray]) -> list[str]:
    """The cells of a table's row: the mean of each metric in SCORES with its 95 % interval, over the clips judged."""
    cells = []
    for metric, form in SCORES.values():
        found = mean_estimate(scores[metric][~np.isnan(scores[metric])])
        cells.append(f"{found.value:{form}} ({found.low:{form}} to {found.high:{form}})")
    return cells


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.codec_scores", description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="a run's folder (default runs/tiny)")
    parser.add_argument("--stage", choices=("codec", "decoder"), default="decoder", help="default decoder")
    parser.add_argument("--clips", type=int, default=64, help="clips a row (default 64)")
    arguments = parser.parse_args()
    try:
        model = load_codec(arguments.run, arguments.stage)
    except PackNotFound as error:
        parser.error(str(error))
    table = Table("clips", *SCORES, title=f"Last frames of {arguments.clips} clips, with 95 % intervals")
    for cases in CASES:
        table.add_row(cases, *as_cells(last_frame_scores(model, cases, arguments.clips)))
    Console().print(table)


if __name__ == "__main__":
    main()
