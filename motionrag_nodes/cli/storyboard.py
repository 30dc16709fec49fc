"""`motionrag storyboard`: a long video in several parts, each with its own motion, without ComfyUI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from motionrag_nodes.cli.index_options import AsJson
from motionrag_nodes.cli.index_work import counting_bars
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from motionrag_nodes.backbones.settings import Settings
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.frames.storyboard import Part
    from motionrag_nodes.frames.storyboard_video import StoryboardVideo
    from motionrag_nodes.frames.video_model import VideoModel
    from motionrag_nodes.neighbours.neighbours import Neighbours


def storyboard(
    picture: Annotated[Path, typer.Argument(help="The picture that the video starts from.", show_default=False)],
    board: Annotated[
        Path, typer.Option("--board", "-b", help='Text file with a line for each part, "seconds: what happens".')
    ],
    database: Annotated[Path, typer.Option("--database", "-d", help="Folder of the motion database.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for video.mp4, sheet.png and storyboard.json.")
    ],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many clips for each part.")] = 9,
    ignore_looks: Annotated[
        float, typer.Option("--ignore-looks", help="From 0 to 1: compare movement, not the things that move.")
    ] = 0.0,
    strength: Annotated[float, typer.Option("--strength", help="How strongly the motion is injected.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="The noise of the first run; further ones count up.")] = 0,
    steps: Annotated[int, typer.Option("--steps", help="Denoising steps; 0 takes the model's own.")] = 0,
    pack: Annotated[str, typer.Option("--pack", help="Motion pack: a name, or a folder.")] = "tiny",
    device: Annotated[str, typer.Option("--device", help="Where to compute: auto, cpu, cuda, mps.")] = "auto",
    offload: Annotated[
        str,
        typer.Option(
            "--offload",
            help="What waits off the accelerator: none, model (those not at work), sequential (each layer).",
        ),
    ] = "none",
    allow_source: Annotated[
        list[Path] | None,
        typer.Option("--allow-source", help="Folder whose videos may be read, where motion is not stored. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make one long video in several parts, each from the last frame of the one before.

    Motion for each line of the board is found in the database; the table says how smooth the seams are.
    """
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.clips.pictures import read_picture
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.cli.devices import chosen_device
    from motionrag_nodes.frames.storyboard import parse_storyboard
    from motionrag_nodes.frames.video_model import load_video_model
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
    from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

    parts, image = parse_storyboard(board.read_text(encoding="utf-8-sig")), read_picture(picture)
    opened, loaded = MotionDatabase.open(database), load_pack(pack, device=chosen_device(device))
    encoder, sources = PackClipEncoder(loaded), AllowedFolders.of_user(allow_source or ())
    asked: dict[str, Any] = {"top_k": top_k, "ignore_looks": ignore_looks, "sources": sources}
    found = [retrieve_neighbours(opened, encoder=encoder, prompt=part.prompt, **asked) for part in parts]
    model = load_video_model(None, pack=loaded, device=loaded.device, offload=offload)
    settings = replace(model.defaults, seed=seed, **({"steps": steps} if steps else {}))
    made = _generate(model, loaded, image, parts, found, settings, strength)
    _write(made, output)
    if as_json:
        print_json(_report(made))
    else:
        _show(made, output)


def _generate(
    model: VideoModel,
    pack: MotionPack,
    image: np.ndarray,
    parts: Sequence[Part],
    found: Sequence[Neighbours],
    settings: Settings,
    strength: float,
) -> StoryboardVideo:
    from motionrag_nodes.checkpoints.demo_pack import is_demo
    from motionrag_nodes.frames.storyboard_video import storyboard_video

    with counting_bars("denoising") as (progress,):
        return storyboard_video(
            model,
            pack,
            image=image,
            parts=parts,
            found=found,
            settings=settings,
            strength=strength,
            show_picture=is_demo(pack),
            on_step=progress,
        )


def _write(made: StoryboardVideo, output: Path) -> None:
    from PIL import Image

    from index_builder.clips.film_files import write_mp4
    from motionrag_nodes.frames.storyboard_sheet import storyboard_sheet

    output.mkdir(parents=True, exist_ok=True)
    write_mp4(output / "video.mp4", made.pixels(), fps=made.fps)
    Image.fromarray(storyboard_sheet(made)).save(output / "sheet.png")
    (output / "storyboard.json").write_text(json.dumps(_report(made), indent=2, ensure_ascii=False), encoding="utf-8")


def _report(made: StoryboardVideo) -> list[dict[str, object]]:
    seams = [None, *made.part_seams()]
    rows: list[dict[str, object]] = []
    for part, found, begin, seam in zip(made.parts, made.found, made.part_begins(), seams, strict=True):
        best = found.items[0]
        row = {"prompt": part.prompt, "first_frame": begin, "start_sec": begin / made.fps}
        row |= {"best_clip": best.caption, "score": best.score}
        rows.append(row | ({} if seam is None else {"seam": seam.jump, "within": seam.within}))
    return rows


def _show(made: StoryboardVideo, output: Path) -> None:
    from motionrag_nodes.frames.storyboard_video import described

    console = Console()
    console.print(escape(described(made)), soft_wrap=True, highlight=False)
    console.print(f"{escape(str(output))}: video.mp4, sheet.png, storyboard.json", soft_wrap=True)
