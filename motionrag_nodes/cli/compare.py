"""`motionrag compare`: one picture under several motions, as a labelled sheet, a video and a table, without ComfyUI."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from motionrag_nodes.cli.index_options import AsJson
from motionrag_nodes.cli.index_work import counting_bars
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    import numpy as np

    from motionrag_nodes.frames.compare import Compared, Way
    from motionrag_nodes.frames.video_model import VideoModel


Offload = Annotated[
    str,
    typer.Option(
        "--offload",
        help="What waits outside the accelerator: none, model (those not in use), sequential (each layer).",
    ),
]
AllowSource = Annotated[
    list[Path] | None,
    typer.Option("--allow-source", help="Folder whose videos may be read too (for --backwards). Repeatable."),
]


def compare(
    picture: Annotated[Path, typer.Argument(help="The picture to animate.", show_default=False)],
    database: Annotated[Path, typer.Option("--database", "-d", help="Folder of the motion database.")],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help="The motion, in words.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for sheet.webp, grid.mp4 and compare.json.")],
    what_if: Annotated[str | None, typer.Option("--what-if", help="Another motion, in words.")] = None,
    strengths: Annotated[
        str, typer.Option("--strengths", help="Numbers separated by commas, one video for each.")
    ] = "1",
    backwards: Annotated[
        bool, typer.Option("--backwards", help="Add a video with the clips played backwards.")
    ] = False,
    without_motion: Annotated[
        bool, typer.Option("--without-motion/--no-without-motion", help="Add the plain model, to compare with.")
    ] = True,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many clips for each motion.")] = 9,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise that all videos start from.")] = 0,
    steps: Annotated[int, typer.Option("--steps", help="Denoising steps; 0 takes the model's own.")] = 0,
    pack: Annotated[str, typer.Option("--pack", help="Motion pack: a name, or a folder.")] = "tiny",
    device: Annotated[str, typer.Option("--device", help="Where to compute: auto, cpu, cuda, mps.")] = "auto",
    offload: Offload = "none",
    allow_source: AllowSource = None,
    as_json: AsJson = False,
) -> None:
    """Ask "what if it moved like that?": the same picture and noise under several motions, side by side.

    No motion, the motion found for the prompt at each strength, the same played backwards, and that of --what-if.
    """
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.clips.pictures import read_picture
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.cli.devices import chosen_device
    from motionrag_nodes.frames.motions_to_compare import motions_to_compare
    from motionrag_nodes.frames.strengths import parse_strengths
    from motionrag_nodes.frames.video_model import load_video_model
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
    from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

    chosen, image = parse_strengths(strengths), read_picture(picture)
    opened, loaded = MotionDatabase.open(database), load_pack(pack, device=chosen_device(device))
    encoder, sources = PackClipEncoder(loaded), AllowedFolders.of_user(allow_source or ())
    found = [
        retrieve_neighbours(opened, encoder=encoder, prompt=words, top_k=top_k, sources=sources)
        for words in (prompt, what_if)
        if words
    ]
    ways = motions_to_compare(
        loaded,
        image=image,
        own=found[0],
        other=found[1] if what_if else None,
        plain=without_motion,
        strengths=chosen,
        backwards=backwards,
        sources=sources,
    )
    model = load_video_model(None, pack=loaded, device=loaded.device, offload=offload)
    compared = _generate(model, image, ways, seed=seed, steps=steps)
    _write(compared, output)
    if as_json:
        print_json(_report(compared))
    else:
        _show(compared, output, Console())


def _generate(model: VideoModel, image: np.ndarray, ways: list[Way], *, seed: int, steps: int) -> Compared:
    from motionrag_nodes.frames.compare import compare_motions

    settings = replace(model.defaults, seed=seed, **({"steps": steps} if steps else {}))
    with counting_bars("denoising") as (progress,):
        return compare_motions(model, image=image, ways=ways, settings=settings, on_step=progress)


def _write(compared: Compared, output: Path) -> None:
    from index_builder.clips.film_files import write_mp4, write_webp
    from motionrag_nodes.frames.compare_sheet import compare_film

    output.mkdir(parents=True, exist_ok=True)
    film = compare_film(compared)
    write_webp(output / "sheet.webp", film, fps=compared.fps)
    write_mp4(output / "grid.mp4", film, fps=compared.fps)
    (output / "compare.json").write_text(json.dumps(_report(compared), indent=2, ensure_ascii=False), encoding="utf-8")


def _report(compared: Compared) -> list[dict[str, object]]:
    return [
        {"title": way.title, "strength": way.strength if way.motion else 0.0, "note": way.note, "effect": effect}
        for way, effect in zip(compared.ways, compared.effects(), strict=True)
    ]


def _show(compared: Compared, output: Path, console: Console) -> None:
    table = Table()
    for heading in ("video", "differs from the first by (of 255)", "best clip"):
        table.add_column(heading, overflow="fold")
    for way, effect in zip(compared.ways, compared.effects(), strict=True):
        table.add_row(escape(way.title), f"{effect:.1f}", escape(way.note))
    console.print(table)
    console.print(f"{escape(str(output))}: sheet.webp, grid.mp4, compare.json", soft_wrap=True)
