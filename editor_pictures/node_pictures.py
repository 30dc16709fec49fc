"""A picture of each node for its help page: as it looks in a workflow that has just run."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from editor_pictures.editor import Editor
from motionrag_nodes.batch_render.server.install import checkout_folder

FOLDER = checkout_folder() / "motionrag_nodes" / "web" / "docs" / "pictures"
# Where on the page the node is put: clear of the editor's bars.
_PLACE = (420.0, 160.0)
_MARGIN, _BADGE_HEIGHT = 14, 24
_MAX_WIDTH_PIXELS = 720
_BOX = """type => {
    const [x, y, width, height] = window.app.graph.nodes.find(node => node.type === type).boundingRect
    return [x, y, width, height]
}"""

# A node that was just added has no box until the canvas has drawn it.
_DRAWN = "type => window.app.graph.nodes.find(node => node.type === type).boundingRect[2] > 0"


def picture_of(node_type: str, folder: Path = FOLDER) -> Path:
    """Where a node's picture lies."""
    return folder / f"{node_type}.webp"


def take_from_workflow(editor: Editor, wanted: set[str], folder: Path = FOLDER) -> set[str]:
    """Pictures of those of `wanted` that are in the open workflow. Returns which."""
    found = wanted & set(editor.node_types())
    for node_type in sorted(found):
        _take(editor, node_type, folder)
    return found


def take_alone(editor: Editor, node_type: str, folder: Path = FOLDER) -> None:
    """The picture of a node that no workflow has: as it comes from the menu."""
    editor.new_workflow()
    editor.add_node(node_type)
    _take(editor, node_type, folder)


def _take(editor: Editor, node_type: str, folder: Path) -> None:
    editor.page.wait_for_function(_DRAWN, arg=node_type)
    x, y, width, height = editor.page.evaluate(_BOX, node_type)
    editor.show_at((x, y), _PLACE)
    left, top = _PLACE[0] - _MARGIN, _PLACE[1] - _BADGE_HEIGHT
    shot = folder / f"{node_type}.png"
    editor.screenshot(shot, (left, top, width + 2 * _MARGIN, height + _BADGE_HEIGHT + _MARGIN))
    with Image.open(shot) as picture:
        picture.thumbnail((_MAX_WIDTH_PIXELS, 2 * _MAX_WIDTH_PIXELS), Image.Resampling.LANCZOS)
        picture.convert("RGB").save(picture_of(node_type, folder), quality=82, method=6)
    shot.unlink()
