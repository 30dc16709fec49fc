"""`python -m training STAGE... --run FOLDER`: train stages of the tiny pack, resuming where an earlier run stopped."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import torch

from training.stages import STAGES, Start, run_stage


def main() -> None:
    """Parse the command line and run the named stages in order."""
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=list(STAGES), help="in this order")
    parser.add_argument("--run", type=Path, default=Path("runs/tiny"), help="checkpoints and logs (default runs/tiny)")
    parser.add_argument("--threads", type=int, default=1, help="threads per process (default 1)")
    parser.add_argument("--start-from", type=Path, help="begin from the weights of this pack or run, not from nothing")
    parser.add_argument("--steps", type=int, help="instead of the recipe's; 0: keep --start-from's weights")
    parser.add_argument("--learning-rate", type=float, help="the peak, instead of the recipe's")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for name in arguments.stages:
        run_stage(name, arguments.run, Start(arguments.start_from, arguments.steps, arguments.learning_rate))


if __name__ == "__main__":
    main()
