"""Retrieve Neighbours: looks up clips whose motion fits a prompt, an image or both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from motionrag_nodes.nodes import pictures, previews, video_folders
from motionrag_nodes.nodes.checks import chosen, faults, refused
from motionrag_nodes.nodes.errors import ChoiceNotFound
from motionrag_nodes.nodes.progress import shown_progress
from motionrag_nodes.nodes.sockets import MotionDatabaseSocket, MotionPackSocket, NeighboursSocket

if TYPE_CHECKING:
    import torch

    from index_builder.database.search.reader import MotionDatabase
    from motionrag_nodes.checkpoints.pack import MotionPack
    from motionrag_nodes.neighbours.neighbours import Neighbours
    from motionrag_nodes.neighbours.retrieve import Mode

# What an artist reads -> what the stage calls it.
_MODES: dict[str, Mode] = {"prompt": "text", "image": "image", "prompt, then image": "text_then_image"}


class RetrieveNeighbours(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGRetrieveNeighbours",
            display_name="Retrieve Neighbours",
            category="MotionRAG",
            description=(
                "Looks up the clips in a motion database whose motion fits your prompt or image best, and plays them. "
                "Leave clips out, pin them, or let them count more. (search, similar motion, references)"
            ),
            inputs=_inputs(),
            outputs=[
                NeighboursSocket.Output(
                    "neighbours",
                    display_name="neighbours",
                    tooltip="The clips found, with their motion. For Adapt Motion.",
                ),
                io.Image.Output(
                    "contact_sheet",
                    display_name="contact_sheet",
                    tooltip="The clips as a picture: rank, score, caption, frames.",
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, mode: str | None = None, weights: str | None = None) -> bool | str:
        from motionrag_nodes.neighbours.steering import Steering, parse_weights

        return faults(
            mode=chosen("mode", mode, _MODES),
            weights=refused(lambda text: Steering(weights=parse_weights(text)), weights),
        )

    @classmethod
    def execute(
        cls,
        database: MotionDatabase,
        pack: MotionPack,
        prompt: str,
        mode: str,
        top_k: int,
        min_score: float,
        diversity: float,
        exclude: str,
        pin: str = "",
        weights: str = "",
        ignore_looks: float = 0.0,
        image: torch.Tensor | None = None,
    ) -> io.NodeOutput:
        from index_builder.clips.allowed_folders import AllowedFolders
        from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder
        from motionrag_nodes.neighbours.contact_sheet import contact_sheet
        from motionrag_nodes.neighbours.playing_sheet import playing_sheet, seconds_of
        from motionrag_nodes.neighbours.retrieve import retrieve_neighbours
        from motionrag_nodes.neighbours.steering import parse_names, parse_weights

        if image is None and _MODES[mode] != "text":
            raise ChoiceNotFound(
                f"Expected an image for the mode {mode!r}, received none: connect image, or use prompt."
            )
        picture = None if image is None else pictures.to_picture(image)
        found = retrieve_neighbours(
            database,
            encoder=PackClipEncoder(pack),
            prompt=prompt.strip() or None,
            image=picture,
            mode=_MODES[mode],
            top_k=top_k,
            min_score=min_score,
            diversity=diversity,
            exclude=parse_names(exclude),
            pin=parse_names(pin),
            weights=parse_weights(weights),
            ignore_looks=ignore_looks,
            sources=AllowedFolders.of_user(video_folders.roots()),
            progress=shown_progress(),
        )
        frames = playing_sheet(found)
        film = previews.film(frames, fps=len(frames) / seconds_of(found))
        shown = {"motionrag_clips": film["images"], "motionrag_cells": [_cells(found)], **_listed(found)}
        shown |= previews.notice(pack, picture)
        return io.NodeOutput(found, pictures.to_image(contact_sheet(found)), ui=shown)


def _inputs() -> list[io.Input]:
    # The order is that of saved workflows' values.
    image = io.Image.Input(
        "image", optional=True, tooltip="The picture to animate; needed by the modes that compare images."
    )
    return [*_search_inputs(), *_choice_inputs(), image]


def _search_inputs() -> list[io.Input]:
    """What is looked for, and how."""
    return [
        MotionDatabaseSocket.Input("database", tooltip="From Load Motion Database."),
        MotionPackSocket.Input("pack", tooltip="From Load Motion Pack; the one the database was built with."),
        io.String.Input(
            "prompt",
            multiline=True,
            default="",
            placeholder="a red ball rolls to the right",
            tooltip="Say what moves and how. Clips whose captions mean the same come first.",
        ),
        io.Combo.Input(
            "mode",
            options=list(_MODES),
            default="prompt",
            tooltip="What to compare: captions with your prompt, first frames with your image, "
            "or the best 20 by prompt re-ranked by image.",
        ),
        io.Int.Input(
            "top_k", default=9, min=1, max=64, tooltip="How many clips to use as examples. The models expect 9."
        ),
        io.Float.Input(
            "min_score",
            default=-1.0,
            min=-1.0,
            max=1.0,
            step=0.01,
            tooltip="Leave out clips that are less similar than this. -1 keeps all.",
        ),
        io.Float.Input(
            "diversity",
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="0 takes the most similar clips; higher values avoid clips that resemble each other.",
        ),
    ]


def _choice_inputs() -> list[io.Input]:
    """What the artist decides about single clips."""
    return [
        io.String.Input(
            "exclude",
            default="",
            placeholder="clip ids or file names",
            tooltip="Clips never to use: their ids or file names, separated by commas.",
        ),
        pin_input(),
        weights_input(),
        ignore_looks_input(),
    ]


def pin_input() -> io.Input:
    """Which clips always are neighbours; what a click on a clip writes."""
    return io.String.Input(
        "pin",
        default="",
        optional=True,
        placeholder="clip ids or file names",
        tooltip="Clips always to use, before all others: their ids or file names, separated by commas.",
    )


def weights_input() -> io.Input:
    """How much clips count; what a click on a clip writes."""
    return io.String.Input(
        "weights",
        multiline=True,
        default="",
        optional=True,
        placeholder="#2: 1.5\n0012_skier.mp4: 0",
        tooltip="How much individual clips count, one per line. '#2: 1.5': the clip of rank 2 counts half as much "
        "again. '0012_skier.mp4: 0': the next clip takes this one's place. Clips not named count 1.",
    )


def ignore_looks_input() -> io.Input:
    """How much of what captions say of looks is left out where texts are compared."""
    return io.Float.Input(
        "ignore_looks",
        default=0.0,
        min=0.0,
        max=1.0,
        step=0.05,
        optional=True,
        tooltip="Compare what captions say about the movement, not about the things that move: 1 leaves out whatever "
        "the clips' first frames already show. Needs 64 captions.",
    )


def _cells(neighbours: Neighbours) -> dict[str, int]:
    """Where on the playing sheet each clip is, for the page, which shows them one by one."""
    from motionrag_nodes.neighbours.playing_sheet import CELL_HEIGHT, CELL_WIDTH, MARGIN, columns_of

    return {"columns": columns_of(neighbours), "width": CELL_WIDTH, "height": CELL_HEIGHT, "margin": MARGIN}


def _listed(neighbours: Neighbours) -> dict[str, object]:
    """The neighbours for programs that read a run's history."""
    rows = [
        {
            "rank": item.rank,
            "id": item.row_id,
            "score": round(item.score, 4),
            "weight": weight,
            "pinned": item.pinned,
            "caption": item.caption,
            "source": str(item.source),
            "start_sec": item.start_sec,
            "end_sec": item.end_sec,
        }
        for item, weight in zip(neighbours.items, neighbours.weights, strict=True)
    ]
    return {"neighbours": rows, "left_out": list(neighbours.left_out)}
