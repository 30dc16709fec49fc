"""`make pictures`: opens and runs every workflow in the editor, for the pictures that the repository keeps."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from rich.console import Console

from editor_pictures import node_pictures, readme_pictures
from editor_pictures.editor import Editor, find_chromium, open_editor
from editor_pictures.scene import Scene, fresh_scene
from editor_pictures.templates import runnable_templates
from editor_pictures.thumbnails import write_thumbnail
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
    parser.parse_args()
    if find_chromium() is None:
        raise SystemExit("Expected Chromium, found none: apt-get install chromium.")
    with fresh_scene() as scene, open_editor(scene.url, **SIZE) as editor:
        take_all(editor, scene)


def take_all(editor: Editor, scene: Scene) -> None:
    """Node pictures, thumbnails and the README's pictures: each workflow runs once for all of them."""
    wanted = set(editor.own_node_types())
    compared: list[Path] = []
    for path in runnable_templates(WORKFLOWS):
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
    for node_type in sorted(wanted):
        console.print(f"{node_type} alone ...")
        node_pictures.take_alone(editor, node_type)


if __name__ == "__main__":
    main()
