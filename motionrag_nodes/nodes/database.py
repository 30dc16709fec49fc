"""Load Motion Database: opens a folder that `motionrag index build` made."""

from __future__ import annotations

from comfy_api.latest import io

from motionrag_nodes.nodes import model_folders
from motionrag_nodes.nodes.sockets import MotionDatabaseSocket


class LoadMotionDatabase(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="MotionRAGLoadMotionDatabase",
            display_name="Load Motion Database",
            category="MotionRAG",
            description=(
                "Opens a library of clips in which motion is looked up. Build one from your own videos with "
                "'motionrag index build'. (clips, library, retrieval, index)"
            ),
            inputs=[
                io.Combo.Input(
                    "database",
                    options=model_folders.options(model_folders.databases()),
                    tooltip="The motion library. Databases lie in models/motion_databases; press R to look again.",
                )
            ],
            outputs=[
                MotionDatabaseSocket.Output(
                    "motion_database", display_name="database", tooltip="For Retrieve Neighbours."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, database: str | None = None) -> bool | str:
        return model_folders.problem(model_folders.database, database)

    @classmethod
    def fingerprint_inputs(cls, database: str) -> str:
        return model_folders.state(model_folders.database(database), "manifest-*.json")

    @classmethod
    def execute(cls, database: str) -> io.NodeOutput:
        from index_builder.database.search.reader import MotionDatabase

        return io.NodeOutput(MotionDatabase.open(model_folders.database(database)))
