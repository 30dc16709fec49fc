"""Reads servers.toml: the servers of a studio with their weights and credentials."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index_builder.border import read_regular
from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.server.access import Access, parse_access

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MOST_BYTES = 1 << 20
_KEYS = frozenset({"url", "weight", "headers", "bearer_variable", "ca", "insecure"})


@dataclass(frozen=True)
class ServerEntry:
    """One [[server]] of the file."""

    access: Access
    weight: float


def read_servers_file(path: Path) -> list[ServerEntry]:
    """The servers of a file of [[server]] tables with `url`, and optionally `weight` (1.0), `headers` (a table),
    `bearer_variable` (an environment variable that holds a token), `ca` (a file beside this one) and `insecure`.

    Raises RenderError: unreadable, an unknown key, a value of another kind.
    """
    try:
        data = tomllib.loads(read_regular(path, most_bytes=_MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise RenderError(
            f"Expected a list of servers at {path}, but it cannot be read ({error.strerror or error}): check --servers."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RenderError(
            f"Expected TOML in {path}, but it cannot be read ({error}): write [[server]] and url = 'http://host:8188'."
        ) from error
    entries = data.get("server")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise RenderError(
            f"Expected one [[server]] table with a url for each server in {path}, found none: write them."
        )
    return [_entry(path, number, entry) for number, entry in enumerate(entries, start=1)]


def _entry(path: Path, number: int, entry: dict[str, Any]) -> ServerEntry:
    place = f"{path}, server {number}"
    unknown = sorted(set(entry) - _KEYS)
    weight, headers = entry.get("weight", 1.0), entry.get("headers", {})
    if unknown or not isinstance(entry.get("url"), str):
        raise RenderError(
            f"{place}: Expected a url and any of {', '.join(sorted(_KEYS - {'url'}))}, received "
            f"{', '.join(unknown) or 'no url'}: mend that table."
        )
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not weight > 0:
        raise RenderError(
            f"{place}: Expected a weight above 0, received {weight!r}: raise it, or leave the server out."
        )
    if not isinstance(headers, dict):
        raise RenderError(
            f"{place}: Expected headers as a table of names and values, received another value: write headers = {{ "
            f"Name = 'value' }}."
        )
    lines = [f"{name}: {value}" for name, value in headers.items()]
    variable = entry.get("bearer_variable")
    if variable is not None:
        if not os.environ.get(str(variable)):
            raise RenderError(f"{place}: Expected a token in the environment variable {variable}, found none: set it.")
        lines.append(f"Authorization: Bearer {os.environ[str(variable)]}")
    ca_file = path.parent / entry["ca"] if entry.get("ca") else None
    access = parse_access(entry["url"], headers=lines, ca_file=ca_file, insecure=bool(entry.get("insecure")))
    return ServerEntry(access, float(weight))
