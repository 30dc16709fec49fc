"""The README's pictures of the editor: a workflow that has run, and the help beside a node."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from editor_pictures.editor import Editor
from motionrag_nodes.batch_render.server.install import checkout_folder

WORKFLOW = "image_to_video_with_motion"
HELP_NODE = "MotionRAGRetrieveNeighbours"
FOLDER = checkout_folder() / "docs"
_SIZE = {"width": 1600, "height": 900}
# The graph is drawn at the window's new size; fitted before, it would be cut off.
_DRAWN_AT = """height => {
    const canvas = window.app.canvas.canvas, shown = canvas.getBoundingClientRect().height
    return shown <= height && Math.abs(canvas.height / window.devicePixelRatio - shown) < 2
}"""


def take_workflow(editor: Editor, folder: Path = FOLDER) -> None:
    """docs/editor.png: the whole graph of the open workflow, its clips found and its video made."""
    editor.page.set_viewport_size(_SIZE)
    editor.page.wait_for_function(_DRAWN_AT, arg=_SIZE["height"])
    editor.fit_view()
    _shoot(editor, folder / "editor.png")


def take_help(editor: Editor, folder: Path = FOLDER) -> None:
    """docs/editor_help.png: the same graph with a node's help open."""
    editor.open_help(HELP_NODE)
    _shoot(editor, folder / "editor_help.png")


def _shoot(editor: Editor, path: Path) -> None:
    editor.screenshot(path)
    with Image.open(path) as shot:
        shot.convert("RGB").save(path, optimize=True)
