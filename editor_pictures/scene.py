"""The scene of every picture: ComfyUI with the demo's motion database, one of its pictures and one of its clips."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from editor_pictures.editor import NODE_PREFIX, Editor, prepare_user_folder
from index_builder.errors import MotionRAGError
from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer
from training.demo import DATABASE_NAME, PROMPTS

PROMPT = next(prompt for prompt in PROMPTS if prompt.name == "grow")
PICTURE = "picture.png"
REFERENCE = "reference.mp4"  # as the saved workflow names it


class DemoMissing(MotionRAGError):
    """The folder given holds no finished demo."""


@dataclass(frozen=True)
class Scene:
    """A running ComfyUI, and the folder in which it keeps input and output."""

    url: str
    base: Path

    def stage(self, editor: Editor) -> None:
        """Puts the picture and the prompt into the nodes of the open workflow."""
        editor.set_widget("image", PICTURE, node_prefix="LoadImage")
        editor.set_widget("prompt", PROMPT.text, node_prefix=NODE_PREFIX)

    def clear_output(self) -> None:
        """Forgets the files of earlier runs, so that what is found afterwards is of this one."""
        shutil.rmtree(self.base / "output", ignore_errors=True)
        (self.base / "output").mkdir()


@contextmanager
def demo_scene(demo: Path) -> Iterator[Scene]:
    """Starts ComfyUI on what `make demo` left in `demo`.

    Raises DemoMissing: no database there.
    """
    base = demo / "comfyui"
    if not (base / "models" / "motion_databases" / DATABASE_NAME).is_dir():
        raise DemoMissing(f"Expected the demo's database in {base}; found none. Run `make demo` first.")
    prepare_user_folder(base)
    (base / "input").mkdir(exist_ok=True)
    PROMPT.picture().save(base / "input" / PICTURE)
    shutil.copy(_clip_like_the_prompt(demo / "clips"), base / "input" / REFERENCE)
    server = ComfyUIServer(find_comfyui(), base=base)
    with server.start():
        yield Scene(url=server.url, base=base)


def _clip_like_the_prompt(clips: Path) -> Path:
    """A clip whose caption asks for the prompt's motion."""
    with (clips / "captions.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return next(clips / row["path"] for row in rows if "bigger" in row["caption"])
