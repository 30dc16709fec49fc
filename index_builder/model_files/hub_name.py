"""Names of models on the hub. A pack's file says where a model comes from, and people paste remedies into a shell: so a
name is quoted only if it has the hub's form."""

from __future__ import annotations

import re

_HUB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}(/[A-Za-z0-9][A-Za-z0-9_.-]{0,95})?")

_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")


def is_hub_name(source: object) -> bool:
    """Whether `source` reads OWNER/NAME or NAME, as the hub gives names."""
    plain = isinstance(source, str) and _HUB_NAME.fullmatch(source) is not None
    return plain and ".." not in str(source) and "--" not in str(source)


def how_to_get(source: str, revision: str | None = None) -> str:
    """What to do about a model that is not on this machine; `revision` is a commit or branch of it."""
    if is_hub_name(source) and (revision is None or _REVISION.fullmatch(revision)):
        return f"hf download {source}" + (f" --revision {revision}" if revision else "")
    return "correct its source in pack.json, which is no folder of the pack and no name that the hub could have"
