"""One real ComfyUI for the whole session (in `make test` one for each share of `tests/side_by_side.py`), in a fresh
folder: it knows what the package brings, and a small database."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from editor_pictures.editor import Editor, find_chromium, open_editor, prepare_user_folder
from motionrag_nodes.batch_render.server.install import checkout_folder, find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

# Another editor than the one that ComfyUI comes with (make test-frontend).
FRONTEND_VARIABLE = "MOTIONRAG_FRONTEND"
DATABASE_NAME = "squares"
PACKAGED_DATABASE = "demo_world"  # as the saved workflows name it
FRAMES, SIZE, FPS = 16, 64, 8
# A node that stands for text encoders, which are large whatever the sizes of a model.
CONDITIONING = "TestConditioning"
_CONDITIONING_NODE = f"""
import torch

class Conditioning:
    CATEGORY, FUNCTION, RETURN_TYPES = "tests", "make", ("CONDITIONING",)

    @classmethod
    def INPUT_TYPES(cls):
        return {{"required": {{"seed": ("INT", {{"default": 0}})}}}}

    def make(self, seed):
        return ([[torch.randn(1, 8, 4096, generator=torch.Generator().manual_seed(seed)), {{}}]],)

NODE_CLASS_MAPPINGS = {{"{CONDITIONING}": Conditioning}}
"""
_COLOURS = {"red": (220, 40, 40), "green": (40, 200, 60), "blue": (60, 80, 230)}
_DIRECTIONS = {"right": (2, 0), "down": (0, 2)}


# The browser while it is open.
_BROWSER = pytest.StashKey[ExitStack]()


@dataclass(frozen=True)
class RunningComfyUI:
    """The server, and what the tests put into it."""

    server: ComfyUIServer
    object_info: dict[str, Any]
    databases: Path

    @property
    def url(self) -> str:
        return self.server.url

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return json.load(response)

    def text(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=30) as response:
            return str(response.read().decode())

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        """(HTTP status, answer)"""
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return response.status, _json(response.read())
        except urllib.error.HTTPError as error:
            return error.code, _json(error.read())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server's tests run last: the quick ones tell first what is broken. Those of the browser come after all
    others: while it is open its event loop runs in this thread, and nothing else can start one."""
    items.sort(key=lambda item: (item.get_closest_marker("comfyui") is not None, _on_a_page(item)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Closes the browser before other tests, which this process may be given in `make test`."""
    if nextitem is not None and not _on_a_page(nextitem) and _BROWSER in item.session.stash:
        item.session.stash[_BROWSER].close()


def _on_a_page(item: pytest.Item) -> bool:
    return "page_of_the_session" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def workflows() -> Path:
    return checkout_folder() / "workflows"


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningComfyUI]:
    root = tmp_path_factory.mktemp("comfyui")
    databases = root / "databases"
    clips = root / "clips"
    clips.mkdir()
    for colour in _COLOURS:
        for direction in _DIRECTIONS:
            write_clip(clips / f"{colour}-{direction}.mp4", colour=colour, direction=direction)
            (clips / f"{colour}-{direction}.txt").write_text(f"a {colour} square moves {direction}")
    _build_database(clips, databases / DATABASE_NAME)
    base = root / "base"
    (base / "input" / "references").mkdir(parents=True)
    (base / "custom_nodes").mkdir()
    (base / "custom_nodes" / "test_conditioning.py").write_text(_CONDITIONING_NODE)
    write_clip(base / "input" / "reference.mp4", colour="blue", direction="right")
    write_clip(base / "input" / "references" / "one.mp4", colour="red", direction="down")
    write_clip(base / "input" / "references" / "two.mp4", colour="green", direction="down")
    environment = {"MOTIONRAG_DATABASES": str(databases)}
    frontend = os.environ.get(FRONTEND_VARIABLE)
    arguments = ("--front-end-root", str(Path(frontend).resolve())) if frontend else ()
    server = ComfyUIServer(
        find_comfyui(), base=base, cache=root / "cache", environment=environment, arguments=arguments
    )
    with server.start():
        with urllib.request.urlopen(f"{server.url}/object_info", timeout=60) as response:
            object_info = json.load(response)
        yield RunningComfyUI(server=server, object_info=object_info, databases=databases)


@pytest.fixture(scope="session")
def page_of_the_session(comfyui: RunningComfyUI, request: pytest.FixtureRequest) -> Iterator[Editor]:
    """One browser for all tests that need one: it takes several seconds to open."""
    pytest.importorskip("playwright.sync_api", reason="needs playwright (pip install playwright)")
    if find_chromium() is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    prepare_user_folder(comfyui.server.base, **{"Comfy.NodeSearchBoxImpl.ShowIdName": True})
    with ExitStack() as opened:
        request.session.stash[_BROWSER] = opened
        yield opened.enter_context(open_editor(comfyui.url))


@pytest.fixture
def editor(page_of_the_session: Editor) -> Iterator[Editor]:
    """The editor in a browser. A test that makes its console complain fails."""
    yield page_of_the_session
    said, page_of_the_session.complaints = page_of_the_session.complaints, []
    assert not said


@pytest.fixture(params=[False, True], ids=["classic", "nodes 2.0"])
def looks(editor: Editor, request: pytest.FixtureRequest) -> Iterator[str]:
    """Each look that nodes can have: drawn on the canvas, or by Vue (Nodes 2.0)."""
    editor.set_setting("Comfy.VueNodes.Enabled", request.param)
    yield "new" if request.param else "classic"
    editor.set_setting("Comfy.VueNodes.Enabled", False)


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where tests leave what they saw, for people to look at."""
    return checkout_folder() / "test_output" / "screenshots"


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture to animate: the first frame of a clip, as a file of the user's."""
    from PIL import Image

    path = tmp_path_factory.mktemp("pictures") / "yellow square.png"
    Image.fromarray(frame((230, 210, 40), 24, 24)).save(path)
    return path


@pytest.fixture
def api_graph(comfyui: RunningComfyUI, workflows: Path) -> Callable[[str], dict[str, Any]]:
    """The API form of a saved workflow by its name."""
    from motionrag_nodes.batch_render.workflow_file import read_workflow, to_api_graph

    return lambda name: to_api_graph(read_workflow(workflows / f"{name}.json"), comfyui.object_info)


def frame(colour: tuple[int, int, int], x: int, y: int) -> np.ndarray:
    picture = np.full((SIZE, SIZE, 3), 110, dtype=np.uint8)
    picture[y : y + 16, x : x + 16] = colour
    return picture


def write_clip(path: Path, *, colour: str, direction: str) -> None:
    """Two seconds of a square that moves."""
    step_x, step_y = _DIRECTIONS[direction]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(FRAMES):
            pixels = frame(_COLOURS[colour], 8 + step_x * index, 8 + step_y * index)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())


def _build_database(clips: Path, output: Path) -> None:
    from index_builder.build import build_database
    from motionrag_nodes.checkpoints.pack import load_pack
    from motionrag_nodes.motion_tokens.pack_encoder import PackClipEncoder

    report = build_database([clips], output=output, encoder=PackClipEncoder(load_pack("tiny")), workers=1)
    assert len(report.indexed) == len(_COLOURS) * len(_DIRECTIONS)


def _json(body: bytes) -> Any:
    return json.loads(body) if body else None
