"""One page of all results of an output folder: pictures and videos with prompt, seed and neighbours."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from index_builder.plain_text import shown
from index_builder.whole_file import whole_file
from motionrag_nodes.batch_render.results.manifest import JobRecord, OutputFile
from motionrag_nodes.batch_render.server.answers import node_title
from motionrag_nodes.batch_render.workflow_file import ApiGraph, is_link

FILE_NAME = "gallery.html"
# Inputs that people look for when they compare results, as the nodes of ComfyUI and of this project call them.
_SETTINGS = frozenset(
    {"prompt", "text", "positive", "negative", "caption", "seed", "noise_seed", "database", "strength"}
)
_PICTURES = frozenset({".png", ".apng", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".svg"})
_VIDEOS = frozenset({".mp4", ".webm", ".mov", ".m4v", ".mkv"})
_SOUNDS = frozenset({".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a"})
_LONGEST_LETTERS = 600
_SHOWN_NEIGHBOURS = 9
_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:0;padding:1.5rem;background:#f4f4f2;color:#1c1c1c}
h1{font-size:1.3rem;margin:0 0 .2rem}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(20rem,100%),1fr));gap:1rem;align-items:start}
article{background:#fff;border:1px solid #ddd;border-radius:.5rem;padding:.8rem;overflow-wrap:anywhere}
article.failed{border-color:#c33}h2{font-size:1rem;margin:0 0 .5rem}.error{color:#a11;white-space:pre-wrap}
img,video{width:100%;display:block;margin:0 0 .4rem;border-radius:.25rem;background:#8883}
.preview img,.preview video{width:auto;max-width:100%;max-height:9rem}
dl{display:grid;grid-template-columns:minmax(6rem,2fr) 3fr;gap:.3rem .8rem;margin:.6rem 0}
dt small{display:block;line-height:1.2}
dd{margin:0;white-space:pre-wrap}ol{margin:.2rem 0;padding-left:1.4rem}small{color:#666}
@media(max-width:30rem){body{padding:.8rem}}
@media(prefers-color-scheme:dark){body{background:#181818;color:#eee}article{background:#232323;border-color:#3a3a3a}
small{color:#aaa}a{color:#9bf}.error{color:#f88}}
"""
# Where long names may be broken: after these, and before a capital letter within a word.
_BREAKS = re.compile(r"(?<=[_./-])|(?<=[a-z])(?=[A-Z])")


def escape(text: str) -> str:
    """Text of others for the page: neither markup nor signs that turn or hide what follows."""
    return html.escape(shown(text))


def settings_of(graph: ApiGraph) -> dict[str, str]:
    """The values of a graph that tell results apart: prompts, seeds and the like, by "Title.input"."""
    found = {}
    for node_id, node in graph.items():
        for name, value in node["inputs"].items():
            if name in _SETTINGS and not is_link(value) and isinstance(value, (str, int, float)) and value != "":
                found[f"{node_title(node_id, graph)}.{name}"] = str(value)
    return found


def write_gallery(folder: Path, records: Sequence[JobRecord]) -> Path:
    """Writes gallery.html into an output folder, whole or not at all."""
    counts = ", ".join(f"{count} {status}" for status, count in Counter(r.status for r in records).items())
    cards = "\n".join(_card(record) for record in records)
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(folder.name)}</title><style>{_STYLE}</style>"
        f"<h1>{escape(folder.name)}</h1><p>{escape(counts)}</p><main>{cards}</main></html>\n"
    )
    path = folder / FILE_NAME
    with whole_file(path) as part:
        part.write_text(page, encoding="utf-8", errors="replace")
    return path


def _card(record: JobRecord) -> str:
    saved = "".join(_media(output) for output in record.outputs if output.kind != "preview")
    previews = "".join(_media(output) for output in record.outputs if output.kind == "preview")
    error = f'<p class="error">{escape(record.error)}</p>' if record.error else ""
    settings = {**record.settings, **record.values}
    lines = "".join(f"<dt>{_label(name)}</dt><dd>{escape(_short(value))}</dd>" for name, value in settings.items())
    took = f"{record.seconds:.1f} s on {record.server}" if record.server else ""
    status = "" if record.status == "done" else f" ({record.status})"
    return (
        f'<article class="{"done" if record.status == "done" else "failed"}"><h2>{_breakable(record.name)}{status}</h2>'
        f'{error}{saved}<div class="preview">{previews}</div><dl>{lines}</dl>{_neighbours(record.shown)}'
        f"<small>{escape(took)}</small></article>"
    )


def _media(output: OutputFile) -> str:
    address, suffix = quote(output.file, errors="replace"), PurePosixPath(output.file).suffix.lower()
    label = escape(f"{output.title}: {output.file}")
    if suffix in _PICTURES:
        return f'<a href="{address}"><img src="{address}" alt="{label}" title="{label}" loading="lazy"></a>'
    if suffix in _VIDEOS:
        # Phones show a first frame of what they are told to begin at.
        return f'<video src="{address}#t=0.001" title="{label}" controls loop muted preload="metadata"></video>'
    if suffix in _SOUNDS:
        return f'<audio src="{address}" title="{label}" controls preload="none"></audio>'
    return f'<p><a href="{address}">{label}</a></p>'


def _neighbours(shown: Mapping[str, Any]) -> str:
    """The clips that a retrieval found, best first."""
    found = []
    for values in shown.values():
        listed = values.get("neighbours") if isinstance(values, dict) else None
        for neighbour in listed if isinstance(listed, list) else ():
            if isinstance(neighbour, dict):
                source = PurePosixPath(str(neighbour.get("source", ""))).name
                text = str(neighbour.get("caption") or source or neighbour.get("id", ""))
                score = neighbour.get("score")
                mark = f" <small>{score:.2f}</small>" if isinstance(score, (int, float)) else ""
                found.append(f'<li title="{escape(source)}">{escape(_short(text))}{mark}</li>')
    return (
        f"<details><summary>Neighbours</summary><ol>{''.join(found[:_SHOWN_NEIGHBOURS])}</ol></details>"
        if found
        else ""
    )


def _label(name: str) -> str:
    """An input's name, and below it the node's: "Title.input" as people read it."""
    title, dot, name_of_input = name.rpartition(".")
    return f"{_breakable(name_of_input)}<small>{_breakable(title)}</small>" if dot else _breakable(name)


def _breakable(name: str) -> str:
    return "<wbr>".join(escape(part) for part in _BREAKS.split(name) if part)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_LETTERS else f"{text[:_LONGEST_LETTERS]} ..."
