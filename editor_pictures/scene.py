"""The scene of every picture: a ComfyUI in a fresh folder, which knows what the package brings and nothing else."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from editor_pictures.editor import prepare_user_folder
from motionrag_nodes.batch_render.server.install import find_comfyui
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer


@dataclass(frozen=True)
class Scene:
    """A running ComfyUI, and the folder in which it keeps input and output."""

    url: str
    base: Path

    def clear_output(self) -> None:
        """Forgets the files of earlier runs, so that what is found afterwards is of this one."""
        shutil.rmtree(self.base / "output", ignore_errors=True)
        (self.base / "output").mkdir()


@contextmanager
def fresh_scene() -> Iterator[Scene]:
    """Starts ComfyUI in a folder that is removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        prepare_user_folder(base)
        with ComfyUIServer(find_comfyui(), base=base).start() as server:
            yield Scene(url=server.url, base=base)
