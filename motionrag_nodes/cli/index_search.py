"""`motionrag index search`: the clips of a database that fit a prompt, a picture or both."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from index_builder.errors import InvalidSetting
from motionrag_nodes.cli import index_options
from motionrag_nodes.cli.devices import chosen_device
from motionrag_nodes.cli.index_build_options import Device
from motionrag_nodes.cli.index_options import AsJson, Database, Pack
from motionrag_nodes.cli.index_selection import CaptionWords, MaxSeconds, MinSeconds, Sources, row_filter
from motionrag_nodes.cli.picture_file import check_picture_file, save_picture
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.neighbours.neighbours import Neighbours


class SearchMode(str, Enum):
    """What a search compares."""

    text = "text"
    image = "image"
    text_then_image = "text_then_image"


Like = Annotated[
    str | None,
    typer.Option("--like", help="Clip whose motion to look for: row id, path, file name or stem, or a video file."),
]
Mode = Annotated[SearchMode | None, typer.Option("--mode", help=r"\[default: by what is given; both: text_then_image]")]
IgnoreLooks = Annotated[
    float, typer.Option("--ignore-looks", help="How much of what captions say about looks is taken out, 0 to 1.")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", help="Row id, path, name or copy of a video to leave out. Repeatable."),
]
AllowSource = Annotated[
    list[Path] | None,
    typer.Option(
        "--allow-source",
        help="Folder whose videos may be read when the database stores no tokens of this pack, beside those that "
        "were indexed here. Repeatable.",
    ),
]


def search(
    database: Database,
    prompt: Annotated[str | None, typer.Option("--prompt", "-p", help="The motion, in words.")] = None,
    image: Annotated[Path | None, typer.Option("--image", "-i", help="Picture to compare first frames with.")] = None,
    like: Like = None,
    mode: Mode = None,
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many clips.")] = 9,
    min_score: Annotated[float, typer.Option("--min-score", help="Minimum similarity, -1 to 1.")] = -1.0,
    diversity: Annotated[float, typer.Option("--diversity", help="0 most similar, towards 1 more varied.")] = 0.0,
    ignore_looks: IgnoreLooks = 0.0,
    exclude: Exclude = None,
    sources: Sources = None,
    caption_words: CaptionWords = None,
    min_seconds: MinSeconds = None,
    max_seconds: MaxSeconds = None,
    sheet: Annotated[Path | None, typer.Option("--sheet", help="Write a contact sheet (.png or .jpg).")] = None,
    pack: Pack = "tiny",
    device: Device = "auto",
    allow_source: AllowSource = None,
    as_json: AsJson = False,
) -> None:
    """Find the clips whose motion fits a prompt, a picture, another clip, or several of these.

    With --like, the ranks by motion, prompt and picture are combined with equal weight.
    --source, --caption-words, --min-seconds and --max-seconds restrict the search to clips that match all of them.
    """
    from index_builder.clips.allowed_folders import AllowedFolders
    from index_builder.clips.pictures import read_picture
    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.neighbours.retrieve import retrieve_neighbours

    if prompt is None and image is None and like is None:
        raise InvalidSetting("Expected --prompt, --image or --like, received none: say what to look for.")
    if like is not None and (mode is not None or diversity or ignore_looks):
        raise InvalidSetting(
            "Expected no --mode, --diversity or --ignore-looks beside --like, received one: leave it out, since --like "
            "ranks by all that is given."
        )
    check_picture_file(sheet, "--sheet")
    where = row_filter(sources, None, caption_words, min_seconds, max_seconds)
    opened = MotionDatabase.open(database).narrowed(where)
    picture = read_picture(image) if image is not None else None
    given = SearchMode.image if prompt is None else SearchMode.text if image is None else SearchMode.text_then_image
    encoder = index_options.load_encoder(pack, device=chosen_device(device))
    index_options.say_what_is_unlike(encoder, prompt=prompt if prompt and prompt.strip() else None, picture=picture)
    asked: dict[str, Any] = {
        "encoder": encoder,
        "sources": AllowedFolders.of_user(allow_source or ()),
        "prompt": prompt,
        "image": picture,
        "top_k": top_k,
        "min_score": min_score,
    }
    if like is not None:
        found = _like(opened, like, asked, exclude or ())
    else:
        found = retrieve_neighbours(
            opened,
            mode=(mode or given).value,
            diversity=diversity,
            ignore_looks=ignore_looks,
            exclude=exclude or (),
            **asked,
        )
    _tell(found, sheet, as_json)


def _tell(found: Neighbours, sheet: Path | None, as_json: bool) -> None:
    if sheet is not None:
        from PIL import Image

        from motionrag_nodes.neighbours.contact_sheet import contact_sheet

        save_picture(Image.fromarray(contact_sheet(found)), sheet, "--sheet")
    if as_json:
        print_json(_listed(found))
    else:
        _show_neighbours(found, Console())


def _like(opened: MotionDatabase, name: str, asked: dict[str, Any], exclude: Sequence[str]) -> Neighbours:
    """The clips that move as the one of this name, which is not one of them."""
    from motionrag_nodes.neighbours.like import clip_motion, retrieve_like

    tokens, own = clip_motion(name, database=opened, encoder=asked["encoder"])
    return retrieve_like(opened, motion_tokens=tokens, exclude=(*exclude, *own), **asked)


def _listed(found: Neighbours) -> list[dict[str, object]]:
    scores = ("score", "text_score", "frame_score", "motion_score")
    names = ("rank", "row_id", *scores, "caption", "source", "start_sec", "end_sec")
    return [{name: getattr(item, name) for name in names} for item in found.items]


def _show_neighbours(found: Neighbours, console: Console) -> None:
    table = Table()
    for heading in ("rank", "score", "caption", "video", "seconds"):
        table.add_column(heading, justify="right" if heading in ("rank", "score") else "left", overflow="fold")
    for item in found.items:
        span = f"{item.start_sec:.2f}-{item.end_sec:.2f}"
        table.add_row(str(item.rank), f"{item.score:.3f}", escape(item.caption or ""), escape(item.source), span)
    console.print(table)
