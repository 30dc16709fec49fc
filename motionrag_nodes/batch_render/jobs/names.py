"""Names of jobs: one file name on every system, distinct in a batch, and the same when a table is sorted again."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from motionrag_nodes.batch_render.errors import RenderError

_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f<>:\"/\\|?*]+")  # on Windows or by a shell's reading
# Device names of Windows, with any extension; and what the renderer itself writes into an output folder.
_TAKEN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?|manifest\.json|gallery\.html", re.IGNORECASE)
_MAX_BYTES = 120


def safe_name(text: str, *, fallback: str = "job") -> str:
    """`text` as a name that is one file name on every system, at most 120 bytes long."""
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", text)).strip("._ ")
    if _TAKEN.fullmatch(name):
        name = f"{name}_"
    data = name.encode("utf-8", "ignore")
    if len(data) > _MAX_BYTES:
        mark = hashlib.sha256(data).hexdigest()[:8]
        name = f"{data[: _MAX_BYTES - 9].decode('utf-8', 'ignore')}-{mark}"
    return name or fallback


def content_id(values: Mapping[str, str]) -> str:
    """Eight letters that stand for a row's values, wherever the row stands in its table."""
    text = json.dumps(sorted(values.items()), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def content_ids(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """content_id of each row; equal rows are counted: the second one's ends in -2."""
    seen: Counter[str] = Counter()
    found = []
    for values in rows:
        mark = content_id(values)
        seen[mark] += 1
        found.append(mark if seen[mark] == 1 else f"{mark}-{seen[mark]}")
    return found


def check_distinct(names: Sequence[tuple[str, str]]) -> None:
    """Refuses (name as given, name as used) where two would be the same file on a system that ignores case."""
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for given, used in names:
        groups[used.casefold()].append((given, used))
    doubled = [group for group in groups.values() if len(group) > 1]
    if doubled:
        listed = "; ".join(
            f"{group[-1][1]} ({', '.join(dict.fromkeys(repr(given) for given, _ in group))})" for group in doubled[:5]
        )
        more = f" and {len(doubled) - 5} more" if len(doubled) > 5 else ""
        raise RenderError(
            f"Expected distinct names of jobs, received {listed}{more} several times, and their files would overwrite "
            "each other. Give the rows distinct names, or the workflow files."
        )
