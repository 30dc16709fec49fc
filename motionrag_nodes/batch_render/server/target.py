"""A server as a batch is told of it, before it was asked for anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from motionrag_nodes.batch_render.server.access import Access


class OwnServer(Protocol):
    """A ComfyUI that this program started, and may start again."""

    url: str

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        ...

    def restart(self) -> None:
        """Ends what is left of it and starts it again."""
        ...

    def log_tail(self) -> str:
        """The end of what it wrote."""
        ...


@dataclass(frozen=True)
class Target:
    """A server to render on. `weight`: its share where several are free. `own`: one that this program started."""

    access: Access
    weight: float = 1.0
    own: OwnServer | None = None
