"""What this project answers over HTTP beside ComfyUI's own routes: the generation of each database.

`motionrag render` asks for it: a job's result depends on the databases it names, and a batch that runs again must
notice that one has grown.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from index_builder.database.format.manifest import newest_generations
from motionrag_nodes.nodes import model_folders

DATABASES_ROUTE = "/motionrag/databases"


def add_routes() -> None:
    """Registers the routes with ComfyUI's server, where one runs."""
    from server import PromptServer

    if hasattr(PromptServer, "instance"):
        PromptServer.instance.routes.get(DATABASES_ROUTE)(_generations)


async def _generations(_: web.Request) -> web.Response:
    """{database: newest generation}, null for a folder that cannot be listed. No manifest is opened, whatever it is."""
    # Folders may lie in a network that does not answer; ComfyUI goes on meanwhile.
    return web.json_response(await asyncio.to_thread(lambda: newest_generations(model_folders.databases())))
