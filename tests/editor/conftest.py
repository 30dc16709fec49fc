"""ComfyUI with the editor that the conversion follows, open in Chromium.

MOTIONRAG_EDITOR names the folder of that editor's page (`static` in the package comfyui-frontend-package): the one that
belongs to the installed ComfyUI is older. `make test-editor` sees to it.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

EDITOR_VARIABLE = "MOTIONRAG_EDITOR"


@dataclass(frozen=True)
class ServerWithEditor:
    url: str
    object_info: dict[str, Any]


@contextmanager
def server_with_editor(page: Path) -> Iterator[ServerWithEditor]:
    """Starts ComfyUI with the editor's page from this folder."""
    with ComfyUIServer(find_comfyui(), arguments=("--front-end-root", str(page.resolve()))).start() as server:
        with urllib.request.urlopen(f"{server.url}/object_info", timeout=60) as response:
            yield ServerWithEditor(server.url, json.load(response))


@pytest.fixture(scope="session")
def server() -> Iterator[ServerWithEditor]:
    page = os.environ.get(EDITOR_VARIABLE)
    if page is None:
        pytest.skip(f"{EDITOR_VARIABLE} names no editor: run make test-editor")
    with server_with_editor(Path(page)) as started:
        yield started
