"""`python -m training STAGE... --run FOLDER`: train stages of the tiny pack, resuming where an earlier run stopped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from training.stages import STAGES, Start, run_stage


def share(text: str) -> float:
    """A share as the command line takes it; with less than 0.01, stage 2 would have fewer clips than candidates."""
    value = float(text)
    if not 0.01 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a share from 0.01 to 1, received {text}")
    return value


def main() -> None:
    """Parse the command line and run the named stages in order."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=list(STAGES), help="in this order")
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="checkpoints and logs (default runs/tiny)")
    parser.add_argument("--threads", type=int, default=1, help="threads per process (default 1)")
    parser.add_argument("--start-from", type=Path, help="begin from the weights of this pack or run, not from nothing")
    parser.add_argument("--steps", type=int, help="instead of the recipe's; 0: keep --start-from's weights")
    parser.add_argument("--learning-rate", type=float, help="the peak, instead of the recipe's")
    parser.add_argument(
        "--share", type=share, default=1.0,
        help="train each stage for this share of its steps and over this share of its stored clips, 0.01 to 1: a worse "
        "pack in less time (default 1; give the same when you resume a run)",
    )  # fmt: skip
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    start = Start(arguments.start_from, arguments.steps, arguments.learning_rate, arguments.share)
    for name in arguments.stages:
        run_stage(name, arguments.run, start)


if __name__ == "__main__":
    main()
