"""The page that a build leaves behind: counts, reasons, encoders and pictures, in one HTML file that loads nothing."""

from __future__ import annotations

import base64
import html
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from index_builder.build_report import ALREADY_INDEXED, BuildReport, Outcome, ReportEntry
from index_builder.captions.counts import caption_lines
from index_builder.database.maintain.summary import summarise
from index_builder.database.search.reader import MotionDatabase
from index_builder.errors import DatabaseNotWritable, TokensNotStored
from index_builder.plain_text import shown
from index_builder.report.atlas import draw_atlas
from index_builder.report.drawing import BACKGROUND
from index_builder.report.facts import describe, readable_duration
from index_builder.report.sample_sheet import draw_sample_sheet
from index_builder.whole_file import whole_file

SHOWN_SOURCES, SHOWN_OPEN = 200, 10
COPY = "same content as"
STYLE = """
:root { color-scheme: light dark; --ink: #1d1d22; --faint: #6b6b76; --line: #dcdce2; --page: #fafafb; --card: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #ededf0; --faint: #9a9aa6; --line: #35353c; --page: #18181b; --card: #212126 } }
body { margin: 0 auto; max-width: 1040px; padding: 32px 20px 64px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 26px; margin: 0 } h2 { font-size: 18px; margin: 36px 0 12px } p { color: var(--faint); margin: 4px 0 }
.cards { display: flex; flex-wrap: wrap; gap: 12px; margin: 20px 0 }
.card { flex: 1; min-width: 110px; padding: 12px 16px; border: 1px solid var(--line); border-radius: 10px;
  background: var(--card) }
.card b { display: block; font-size: 24px; font-variant-numeric: tabular-nums }
.card span { color: var(--faint) } .failed b { color: #d5443f } .skipped b { color: #b7791f }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: 7px 10px 7px 0; border-top: 1px solid var(--line);
  overflow-wrap: anywhere }
th { width: 190px; font-weight: 500; color: var(--faint) }
details { border-top: 1px solid var(--line); padding: 8px 0 } summary { cursor: pointer }
li { overflow-wrap: anywhere; color: var(--faint) }
img { max-width: 100%; height: auto; border-radius: 10px; display: block }
"""


def escape(text: str) -> str:
    """Text of others for the page: neither its markup nor its control characters mean anything."""
    return html.escape(shown(text))


def write_build_page(path: Path, database: MotionDatabase, report: BuildReport) -> None:
    """Writes the page of `report` on `database`, in the place of an older one. Raises DatabaseNotWritable."""
    page = build_page(database, report)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8")
    except OSError as error:
        raise DatabaseNotWritable(
            f"Expected to write the report {path}, received {error}: choose another --report; the database is complete."
        ) from error


def build_page(database: MotionDatabase, report: BuildReport) -> str:
    """HTML that holds its own pictures and style, and forbids itself to load anything."""
    name = escape(database.path.name)
    facts = "".join(f"<tr><th>{escape(key)}</th><td>{escape(value)}</td></tr>" for key, value in facts_of(database))
    state = "interrupted: run the build again to go on" if report.interrupted else "complete"
    sections = [
        f"<h1>{name}</h1><p>Motion database, generation {report.generation}; this build is {state}.</p>",
        _cards(report),
        f"<h2>The database</h2><table>{facts}</table>",
        _captions(report),
        _reasons("failed", report.failed),
        _reasons("skipped", report.skipped),
        "<h2>Samples</h2>" + _picture(draw_sample_sheet(database), "Clips with their captions and frames in time"),
        _atlas(database),
    ]
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}: build report</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body>{''.join(sections)}</body></html>\n"
    )


def facts_of(database: MotionDatabase) -> list[tuple[str, str]]:
    """Where the database lies, then its facts."""
    return [("folder", str(database.path.absolute())), *describe(summarise(database))]


def _cards(report: BuildReport) -> str:
    rate = len(report.indexed) / report.seconds if report.seconds else 0.0
    cards: list[tuple[str, str, str]] = [("", f"{report.found_videos:,}", "videos found")]
    for outcome in ("indexed", "skipped", "failed"):
        videos, clips = report.videos(outcome), len(getattr(report, outcome))
        mark = outcome if videos else ""
        cards.append((mark, f"{videos:,}", outcome if clips == videos else f"{outcome} ({clips:,} clips)"))
    cards.append(("", f"{rate:.1f}", f"clips/s over {readable_duration(report.seconds)}"))
    cards.append(("", f"{report.rows:,}", "clips in the database"))
    shown = "".join(
        f'<div class="card {mark}"><b>{value}</b><span>{label}</span></div>' for mark, value, label in cards
    )
    return f'<div class="cards">{shown}</div>'


def _captions(report: BuildReport) -> str:
    lines = [escape(line) for _, line in caption_lines(report.captions, database=report.database)]
    return "<h2>Captions</h2>" + "".join(f"<p>{line}</p>" for line in lines) if lines else ""


def _reasons(outcome: Outcome, entries: Sequence[ReportEntry]) -> str:
    """Each reason once, the most frequent first, with the videos it befell."""
    if not entries:
        return ""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for entry in entries:
        # Copies of other videos differ in which: one reason all the same.
        copied = entry.reason.startswith(COPY) and outcome == "skipped"
        reason, of_this = (f"{COPY} another video", f": {entry.reason}") if copied else (entry.reason, "")
        groups[reason].setdefault(entry.source, of_this)
    parts = [f"<h2>{len(entries):,} {outcome}</h2>"]
    for reason, befallen in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        # What goes without saying stays closed.
        opened = " open" if reason != ALREADY_INDEXED and len(befallen) <= SHOWN_OPEN else ""
        head = f"<summary>{len(befallen):,} × {escape(reason)}</summary>"
        items = [f"<li>{escape(source + of_this)}</li>" for source, of_this in list(befallen.items())[:SHOWN_SOURCES]]
        if len(befallen) > SHOWN_SOURCES:
            items.append(f"<li>… and {len(befallen) - SHOWN_SOURCES:,} more</li>")
        parts.append(f"<details{opened}>{head}<ul>{''.join(items)}</ul></details>")
    return "".join(parts)


def _atlas(database: MotionDatabase) -> str:
    try:
        picture = draw_atlas(database)
    except TokensNotStored as error:
        return f"<h2>Atlas of motions</h2><p>{escape(str(error))}</p>"
    about = "<p>Clips that move alike lie side by side; each shows where its motion goes, from faint to clear.</p>"
    return "<h2>Atlas of motions</h2>" + about + _picture(picture, "Map of the clips by their motion")


def _picture(picture: Image.Image, description: str) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, format="JPEG", quality=88)
    content = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{picture.width}" height="{picture.height}"'
    colour = "#{:02x}{:02x}{:02x}".format(*BACKGROUND)
    return (
        f'<img src="data:image/jpeg;base64,{content}" {size} style="background:{colour}" alt="{escape(description)}">'
    )
