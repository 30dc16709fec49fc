"""Motion Database Info: what a database holds, in numbers, as a sheet of samples and as a map of its motions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from comfy_api.latest import io

from motionrag_nodes.nodes import pictures, previews
from motionrag_nodes.nodes.sockets import MotionDatabaseSocket

if TYPE_CHECKING:
    from index_builder.database.search.reader import MotionDatabase


class DatabaseInfo(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGDatabaseInfo",
            display_name="Motion Database Info",
            category="MotionRAG",
            description=(
                "Shows what a motion database holds: numbers, sample clips, and a map that puts clips with similar "
                "motion side by side. (inspect, statistics, atlas, overview)"
            ),
            is_output_node=True,
            inputs=[
                MotionDatabaseSocket.Input("database", tooltip="From Load Motion Database or Index Folder."),
                io.Int.Input("samples", default=12, min=1, max=200, tooltip="How many clips the sample sheet shows."),
                io.Int.Input(
                    "map_size",
                    default=1024,
                    min=256,
                    max=4096,
                    step=64,
                    tooltip="Width and height of the map in pixels.",
                ),
                io.Int.Input(
                    "map_clips",
                    default=400,
                    min=1,
                    max=5000,
                    tooltip="How many clips the map shows, spread evenly; more clips are drawn smaller.",
                ),
            ],
            outputs=[
                io.String.Output("info", display_name="info", tooltip="The numbers as text. For Preview Any."),
                io.Image.Output(
                    "sample_sheet", display_name="sample_sheet", tooltip="Some clips, each as a row of frames."
                ),
                io.Image.Output("map", display_name="map", tooltip="The map of motions."),
            ],
        )

    @classmethod
    def execute(cls, database: MotionDatabase, samples: int, map_size: int, map_clips: int) -> io.NodeOutput:
        from index_builder.database.maintain.summary import summarise
        from index_builder.report.atlas import draw_atlas
        from index_builder.report.facts import describe
        from index_builder.report.sample_sheet import draw_sample_sheet

        facts = [("database", str(database.path)), *describe(summarise(database))]
        info = "\n".join(f"{name}: {value}" for name, value in facts)
        sheet = pictures.from_pil(draw_sample_sheet(database, count=samples))
        atlas = pictures.from_pil(draw_atlas(database, side_pixels=map_size, max_clips=map_clips))
        return io.NodeOutput(info, sheet, atlas, ui={**previews.pictures(sheet, atlas), **previews.text(info)})
