"""Find Motion: the simple path, one node for picture and prompt to motion.

When it runs it becomes Load Motion Pack, Load Motion Database, Retrieve Neighbours and Adapt Motion, so it does what
they do, and ComfyUI keeps of them what need not run again.
"""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from motionrag_nodes.adapted_tokens.fusions import DEFAULT_FUSION
from motionrag_nodes.nodes import model_folders
from motionrag_nodes.nodes.checks import faults, refused
from motionrag_nodes.nodes.neighbours import ignore_looks_input, pin_input, weights_input
from motionrag_nodes.nodes.setting_widgets import folded
from motionrag_nodes.nodes.sockets import AdaptedMotionSocket, MotionPackSocket, NeighboursSocket

_DEFAULT_PACK = "tiny"


class FindMotion(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGFindMotion",
            display_name="Find Motion",
            category="MotionRAG",
            description=(
                "Finds clips that move as you say, plays them, and fits their motion to your picture: all that is "
                "needed between a picture and Generate Video or Apply Motion. "
                "(animate picture, simple, quick start, retrieve, adapt, motion transfer)"
            ),
            enable_expand=True,
            inputs=_inputs(),
            outputs=[
                AdaptedMotionSocket.Output(
                    "motion", display_name="motion", tooltip="The motion for your picture. For Generate Video."
                ),
                MotionPackSocket.Output("motion_pack", display_name="pack", tooltip="The pack. For Apply Motion."),
                NeighboursSocket.Output(
                    "neighbours", display_name="neighbours", tooltip="The clips found. For another Adapt Motion."
                ),
            ],
        )

    @classmethod
    def validate_inputs(
        cls, database: str | None = None, pack: str | None = None, weights: str | None = None
    ) -> bool | str:
        from motionrag_nodes.neighbours.steering import parse_weights

        return faults(
            database=model_folders.problem(model_folders.database, database),
            pack=model_folders.problem(model_folders.pack, pack),
            weights=refused(parse_weights, weights),
        )

    @classmethod
    def fingerprint_inputs(cls, database: str, pack: str, **_: Any) -> str:
        files = (model_folders.database(database), "manifest-*.json"), (model_folders.pack(pack), "pack.json")
        return "|".join(model_folders.state(folder, pattern) for folder, pattern in files)

    @classmethod
    def execute(
        cls,
        image: list[Any],
        prompt: str,
        database: str,
        pack: str,
        clips: int,
        exclude: str = "",
        pin: str = "",
        weights: str = "",
        ignore_looks: float = 0.0,
    ) -> io.NodeOutput:
        from comfy_execution.graph_utils import GraphBuilder

        graph = GraphBuilder()
        loaded = graph.node("MotionRAGLoadMotionPack", pack=pack).out(0)
        found = graph.node(
            "MotionRAGRetrieveNeighbours",
            database=graph.node("MotionRAGLoadMotionDatabase", database=database).out(0),
            pack=loaded,
            image=image,
            prompt=prompt,
            mode="prompt" if prompt.strip() else "image",
            top_k=clips,
            min_score=-1.0,
            diversity=0.0,
            exclude=exclude,
            pin=pin,
            weights=weights,
            ignore_looks=ignore_looks,
        ).out(0)
        adapted = graph.node("MotionRAGAdaptMotion", pack=loaded, neighbours=found, image=image, fusion=DEFAULT_FUSION)
        return io.NodeOutput(adapted.out(0), loaded, found, expand=graph.finalize())


def _inputs() -> list[io.Input]:
    packs = model_folders.options(model_folders.packs())
    return [
        # The link itself, not the picture: the nodes inside follow it, and so are told apart by where it leads.
        io.Image.Input("image", tooltip="The picture to animate.", extra_dict={"rawLink": True}),
        io.String.Input(
            "prompt",
            multiline=True,
            default="",
            placeholder="a red ball rolls to the right",
            tooltip="Say what moves and how. Left empty, clips that look like the picture are taken.",
        ),
        io.Combo.Input(
            "database",
            options=model_folders.options(model_folders.databases()),
            tooltip="The motion library. Make one with Index Folder or 'motionrag index build'; press R to look again.",
        ),
        io.Combo.Input(
            "pack",
            options=packs,
            default=_DEFAULT_PACK if _DEFAULT_PACK in packs else packs[0],
            tooltip="The motion pack that fits your video model; the one the database was built with. "
            "'tiny' is a demo that knows only flat sprites.",
        ),
        io.Int.Input("clips", default=9, min=1, max=64, tooltip="How many clips to use as examples; models expect 9."),
        io.String.Input(
            "exclude",
            default="",
            optional=True,
            placeholder="clip ids or file names",
            tooltip="Clips never to use: ids or file names as the sheet shows them, separated by commas.",
        ),
        *(folded(entry) for entry in (pin_input(), weights_input(), ignore_looks_input())),
    ]
