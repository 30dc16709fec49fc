"""`make pictures`: opens and runs every workflow in the editor, for the pictures that the repository keeps."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from editor_pictures import node_pictures, readme_pictures
from editor_pictures.editor import Editor, find_chromium, open_editor
from editor_pictures.scene import Scene, fresh_scene
from editor_pictures.templates import needs_of, runnable_templates, takes_looks_away
from editor_pictures.thumbnails import write_motion_thumbnail, write_thumbnail
from motionrag_nodes.batch_render.server.install import checkout_folder
from motionrag_nodes.checkpoints.find_models import PACKAGED_SAMPLES

console = Console()
SIZE = {"width": 1600, "height": 1300}  # the tallest node, whole
WORKFLOWS = checkout_folder() / "workflows"
# On the card of a template that makes no video.
CLIPS = PACKAGED_SAMPLES / "motionrag_clips"
# Two templates whose videos are made to be compared: the card of the second shows both.
COMPARED = ("image_to_video_with_motion", "image_to_video_without_motion")


def main() -> None:
    """Parse the command line and take the pictures."""
    parser = argparse.ArgumentParser(prog="python -m editor_pictures", description=__doc__)
    parser.add_argument("templates", nargs="*", help="names of templates, where not all pictures are to be taken again")
    arguments = parser.parse_args()
    if find_chromium() is None:
        raise SystemExit("Expected Chromium, found none: apt-get install chromium.")
    write_cards_of_large_models()
    with fresh_scene() as scene, open_editor(scene.url, **SIZE) as editor:
        take_all(editor, scene, only=arguments.templates)


def write_cards_of_large_models() -> None:
    """Thumbnails of the templates that cannot run here, where they have none: each shows two clips of its own, as they
    are or beside their motion without looks, as the workflow takes them."""
    clips = sorted(CLIPS.glob("*.mp4"))
    for place, path in enumerate(path for path in sorted(WORKFLOWS.glob("*.json")) if needs_of(path) is not None):
        card, first = path.with_suffix(".jpg"), 2 * place % len(clips)
        if not card.exists():
            write = write_motion_thumbnail if takes_looks_away(path) else write_thumbnail
            write(clips[first : first + 2], card)


def take_all(editor: Editor, scene: Scene, *, only: Sequence[str] = ()) -> None:
    """Node pictures, thumbnails and the README's pictures: each workflow runs once for all of them. `only`: the names
    of workflows to run where some are enough; of their nodes those get pictures that have none."""
    wanted = {name for name in editor.own_node_types() if not only or not node_pictures.picture_of(name).exists()}
    compared: list[Path] = []
    for path in runnable_templates(WORKFLOWS):
        if only and path.stem not in only:
            continue
        console.print(f"{path.stem} ...")
        scene.clear_output()
        editor.open_template(path.stem)
        editor.run()
        wanted -= node_pictures.take_from_workflow(editor, wanted)
        videos = sorted((scene.base / "output").rglob("*.mp4")) or sorted(CLIPS.glob("*.mp4"))
        if path.stem in COMPARED:
            compared.append(Path(shutil.copy(videos[0], scene.base / f"{path.stem}.mp4")))
        write_thumbnail(compared if len(compared) == 2 and path.stem in COMPARED else videos, path.with_suffix(".jpg"))
        if path.stem == readme_pictures.WORKFLOW:
            readme_pictures.take_workflow(editor)
            readme_pictures.take_help(editor)
            editor.page.set_viewport_size(SIZE)
    for node_type in sorted(wanted if not only else ()):
        console.print(f"{node_type} alone ...")
        node_pictures.take_alone(editor, node_type)


if __name__ == "__main__":
    main()
