"""What this project answers over HTTP beside ComfyUI's own routes: generations of databases, and packs' own settings.

`motionrag render` asks for the first: a job's result depends on the databases it names, and a batch that runs again
must notice that one has grown. The page asks for the second.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from index_builder.database.format.manifest import newest_generations
from index_builder.errors import MotionRAGError
from motionrag_nodes.checkpoints.find_models import PACK_MARK
from motionrag_nodes.nodes import model_folders

DATABASES_ROUTE = "/motionrag/databases"
# What the page shows for settings that are not set.
SETTINGS_ROUTE = "/motionrag/settings"


def add_routes() -> None:
    """Registers the routes with ComfyUI's server, where one runs."""
    from server import PromptServer

    if hasattr(PromptServer, "instance"):
        PromptServer.instance.routes.get(DATABASES_ROUTE)(_generations)
        PromptServer.instance.routes.get(SETTINGS_ROUTE)(_settings)


async def _settings(_: web.Request) -> web.Response:
    """unset: what stands for a model's own settings; packs: {pack: its own settings}. Packs that cannot be read are
    left out: the node that loads them says what is wrong."""
    from motionrag_nodes.nodes.setting_widgets import unset_values

    return web.json_response({"unset": unset_values(), "packs": await asyncio.to_thread(_own_settings)})


def _own_settings() -> dict[str, dict[str, float | str]]:
    from motionrag_nodes.checkpoints.pack_config import PackConfig
    from motionrag_nodes.nodes.setting_widgets import own_values

    found = {}
    for name, folder in model_folders.packs().items():
        with contextlib.suppress(MotionRAGError, OSError):
            found[name] = own_values(PackConfig.from_json(folder / PACK_MARK).generation)
    return found


async def _generations(_: web.Request) -> web.Response:
    """{database: newest generation}, null for a folder that cannot be listed. No manifest is opened, whatever it is."""
    # Folders may lie in a network that does not answer; ComfyUI goes on meanwhile.
    return web.json_response(await asyncio.to_thread(lambda: newest_generations(model_folders.databases())))
