"""`motionrag demo` without a checkout: the packaged clips -> a database -> a picture that moves like them.

The demo of a checkout (training/demo.py) makes its clips itself and renders in the real ComfyUI; a wheel holds neither.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from motionrag_nodes.cli.compare import compare
from motionrag_nodes.cli.index_build import run_build
from motionrag_nodes.cli.index_build_options import build_settings

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
PICTURE = SAMPLES / "input" / "motionrag_circle.png"
PROMPT, OTHER_PROMPT = "moves to the right", "falls down"


def sample_demo(arguments: Sequence[str]) -> None:
    """Builds OUTPUT/database, and animates a packaged picture by the motions that it finds there, into OUTPUT."""
    parser = argparse.ArgumentParser(
        prog="motionrag demo",
        description="The packaged clips become a database, and a picture moves like those found in it. "
        "A checkout's demo makes more clips, and renders in ComfyUI.",
    )
    parser.add_argument("--output", type=Path, default=Path("demo_output"), help="folder for everything (demo_output)")
    parser.add_argument("--steps", type=int, default=0, help="denoising steps; 0 takes the model's own (0)")
    given = parser.parse_args(arguments)
    output: Path = given.output
    clips, database = SAMPLES / "motionrag_clips", output / "database"
    run_build([clips], database, "tiny", build_settings(), None, False, device="auto")
    compare(PICTURE, database, PROMPT, output, what_if=OTHER_PROMPT, steps=given.steps)
