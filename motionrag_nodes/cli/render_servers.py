"""The servers of `motionrag render`: those named, those of a file, or one that is started for the batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.cli.terminal import Console, escape

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.server.target import Target


@dataclass(frozen=True)
class ServerChoice:
    """What the options say of servers. `headers`, `ca_file` and `insecure` hold for every one that is named."""

    servers: Sequence[str] = ()
    servers_file: Path | None = None
    headers: Sequence[str] = ()
    ca_file: Path | None = None
    insecure: bool = False
    comfyui: Path | None = None
    base: Path | None = None
    extra_model_paths: Sequence[Path] = ()

    def __post_init__(self) -> None:
        named = self.servers or self.servers_file
        if named and (self.comfyui is not None or self.base is not None or self.extra_model_paths):
            raise RenderError(
                "Expected ComfyUIs that run (--server, --servers) or one to start (--comfyui, --base, "
                "--extra-model-paths), received both: give one kind."
            )

    def arguments(self) -> list[str]:
        """The same on a command line of another machine, which has these files at the same places.

        Raises RenderError: a secret is among them, which a file would keep.
        """
        if self.headers or any("@" in url or "?" in url for url in self.servers):
            raise RenderError(
                "Expected --server without password and token, and no --header, since a template is a file that others "
                "read, but one is given: name the servers in a --servers file on the farm, or set "
                "MOTIONRAG_SERVER_BEARER there."
            )
        files = {"--servers": self.servers_file, "--ca": self.ca_file, "--comfyui": self.comfyui, "--base": self.base}
        named = [(name, path) for name, path in files.items() if path is not None]
        named += [("--extra-model-paths", path) for path in self.extra_model_paths]
        words = [word for url in self.servers for word in ("--server", url)]
        words += [word for name, path in named for word in (name, str(path.absolute()))]
        return [*words, "--insecure"] if self.insecure else words

    def named(self) -> list[Target]:
        """The servers that the options name. Raises RenderError: an address or the file is wrong, or one is doubled."""
        from motionrag_nodes.batch_render.server.access import parse_access
        from motionrag_nodes.batch_render.server.servers_file import read_servers_file
        from motionrag_nodes.batch_render.server.target import Target

        found = [
            Target(parse_access(url, headers=self.headers, ca_file=self.ca_file, insecure=self.insecure))
            for url in self.servers
        ]
        if self.servers_file is not None:
            found += [Target(entry.access, entry.weight) for entry in read_servers_file(self.servers_file)]
        urls = [target.access.url for target in found]
        doubled = sorted({url for url in urls if urls.count(url) > 1})
        if doubled:
            raise RenderError(f"Expected each server once, received {doubled[0]} twice: name it once.")
        return found


@contextmanager
def opened_targets(choice: ServerChoice, console: Console, *, start: bool = True) -> Iterator[list[Target]]:
    """The servers to render on; one that is started here ends with the block.

    None is named: one is started if `start`, or if the options say which.
    """
    targets = choice.named()
    if targets or not (start or choice.comfyui or choice.base):
        yield targets
        return
    from motionrag_nodes.batch_render.server.access import Access
    from motionrag_nodes.batch_render.server.install import find_comfyui
    from motionrag_nodes.batch_render.server.model_paths import extra_path_files, models_here
    from motionrag_nodes.batch_render.server.own_server import ComfyUIServer
    from motionrag_nodes.batch_render.server.target import Target

    install = find_comfyui(choice.comfyui)
    server = ComfyUIServer(
        install,
        base=choice.base,
        models=models_here(Path.cwd()),
        extra_paths=extra_path_files(choice.base, choice.extra_model_paths),
    )
    label = f"Starting ComfyUI {install.version} from {escape(str(install.folder))}"
    console.print(label, highlight=False)
    began = time.monotonic()
    with console.status(label) as status:
        server.start(lambda waited, line: status.update(f"Waiting for ComfyUI, {waited:.0f} s  {escape(line[:80])}"))
    with server:
        console.print(f"It answers after {time.monotonic() - began:.0f} s", highlight=False)
        yield [Target(Access(server.url), own=server)]
