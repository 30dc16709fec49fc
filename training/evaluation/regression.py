"""`python -m training.evaluation.regression`: store what the packaged pack does now, for the tests to hold it to.

To be run when the pack was trained again, and never to turn a test green that a change of code turned red.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch
from rich.console import Console

from motionrag_nodes.checkpoints.pack import load_pack
from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
from training.evaluation.held_frames import golden
from training.evaluation.held_frames.small import CLIPS_PER_MOTION, Chain, measure_order, measure_videos
from training.evaluation.protocol.databases import WORLD, open_databases
from training.evaluation.scores.judge import Judge
from training.evaluation.tables.report import write_atomically
from training.evaluation.videos.loading import CPU

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "training" / "evaluation" / "golden"
FRAMES = FOLDER / "frames.png"
RECORD = FOLDER / "record.json"
# How far below a measured figure its floor lies (for the error: above): other processors round otherwise.
ACCURACY_MARGIN, ACTION_MARGIN, TRAJECTORY_FACTOR, FIRST_FRAME_MARGIN, ORDER_SHARE = 15.0, 8.0, 1.25, 1.0, 0.65


def load_chain(name: str, *, work: Path) -> Chain:
    """A pack with everything around it; its small database is built in `work`."""
    pack = load_pack(name)
    databases = open_databases([WORLD], folder=work, encoder=PackClipEncoder(pack), clips_per_motion=CLIPS_PER_MOTION)
    return Chain(pack=pack, model=CPU.load(pack), judge=Judge(pack), database=databases[WORLD])


def floors_below(measured: dict[str, float]) -> dict[str, float]:
    """What the figures must reach; `trajectory` is an error, which must stay below."""
    return {
        "accuracy": measured["accuracy"] - ACCURACY_MARGIN,
        "action": measured["action"] - ACTION_MARGIN,
        "trajectory": measured["trajectory"] * TRAJECTORY_FACTOR,
        "first_frame": measured["first_frame"] - FIRST_FRAME_MARGIN,
        "order_gain": measured["order_gain"] * ORDER_SHARE,
    }


def below_floors(measured: dict[str, float], floors: dict[str, float]) -> list[str]:
    """The names of measured figures that are worse than their floors."""
    return [
        name
        for name, value in measured.items()
        if (value > floors[name] if name == "trajectory" else value < floors[name])
    ]


def load_record() -> dict:
    """What `main` stored: the pack's fingerprint, measured figures, floors."""
    return json.loads(RECORD.read_text(encoding="utf-8"))


def main() -> None:
    """Generate the golden frames, measure the small evaluation, and store both."""
    parser = argparse.ArgumentParser(prog="python -m training.evaluation.regression", description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    torch.set_num_threads(parser.parse_args().threads)
    console = Console()
    with tempfile.TemporaryDirectory() as work, console.status("Measuring ..."):
        chain = load_chain("tiny", work=Path(work))
        scenes = [
            golden.render_scene(
                chain.model, scene, golden.adapted_motion(chain.pack, scene), golden.scene_settings(chain.pack, scene)
            )
            for scene in golden.SCENES
        ]
        measured = {**measure_videos(chain), **measure_order(chain)}
    FOLDER.mkdir(parents=True, exist_ok=True)
    golden.save_frames(FRAMES, scenes)
    record = {
        "tokens_fingerprint": chain.pack.tokens_fingerprint,
        "measured": {name: round(value, 3) for name, value in measured.items()},
        "floors": {name: round(value, 3) for name, value in floors_below(measured).items()},
        "torch": torch.__version__,
    }
    write_atomically(RECORD, record)
    console.print(record)


if __name__ == "__main__":
    main()
