"""The picture of docs/architecture.md: which rooms import which, drawn from the code's own imports.

    python -m editor_pictures.architecture

Rooms are the folders of the installed packages, and what lies around them. An arrow that a longer way says already is
left out.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
PACKAGES = ("index_builder", "motionrag_nodes", "training", "benchmarks", "editor_pictures")
INSTALLED = PACKAGES[:2]
COLOURS = {"index_builder": "#d7e8f7", "motionrag_nodes": "#fbe6c9"}
OUTSIDE = "#e6e6e6"
BOX_HEIGHT, ROW_HEIGHT, GAP, MARGIN, LETTER = 34, 92, 18, 24, 7.4
Arrows = dict[str, set[str]]


def imported_files(path: Path) -> set[Path]:
    """The project's files that a file imports, at the top or inside functions, relative to the root."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            place = Path(*name.split("."))
            for file in (place.with_suffix(".py"), place / "__init__.py"):
                if place.parts[0] in PACKAGES and (ROOT / file).is_file():
                    found.add(file)
    return found


def room_of(file: Path) -> str | None:
    """The room that a file lies in; None for what everything stands on, such as errors."""
    if file.parts[0] not in INSTALLED:
        return file.parts[0]
    if len(file.parts) > 2:
        return "/".join(file.parts[:2])
    return "index_builder/build" if file.name.startswith("build") else None


def arrows_between_rooms() -> Arrows:
    """Room -> the rooms that it imports."""
    arrows: Arrows = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            file = path.relative_to(ROOT)
            room = room_of(file)
            if room is not None:
                others = {room_of(imported) for imported in imported_files(path)}
                arrows.setdefault(room, set()).update(other for other in others if other is not None and other != room)
    return arrows


def reached_from(room: str, arrows: Arrows) -> set[str]:
    """Every room that one imports, over any number of others."""
    found: set[str] = set()
    waiting = [room]
    while waiting:
        for other in arrows[waiting.pop()] - found:
            found.add(other)
            waiting.append(other)
    return found


def without_shortcuts(arrows: Arrows) -> Arrows:
    """Arrows but for those that a longer way stands for; rooms that import each other keep theirs."""
    reach = {room: reached_from(room, arrows) for room in arrows}
    kept: Arrows = defaultdict(set)
    for room, others in arrows.items():
        for other in others:
            between = [
                third
                for third in others - {other}
                if other in reach[third] and third not in reach[other] and room not in reach[third]
            ]
            if not between or room in reach[other]:
                kept[room].add(other)
    return kept


def layers(arrows: Arrows) -> list[list[str]]:
    """Rooms from those that nothing imports to those that import nothing; such as import each other share a layer."""
    reach = {room: reached_from(room, arrows) for room in arrows}
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            below = {other for other in reach[room] if room not in reach[other]}
            heights[room] = 1 + max(map(height, below), default=-1)
        return heights[room]

    rows: dict[int, list[str]] = defaultdict(list)
    for room in sorted(arrows):
        rows[height(room)].append(room)
    return [rows[number] for number in sorted(rows, reverse=True)]


def drawn() -> str:
    """The picture as SVG."""
    arrows = arrows_between_rooms()
    rows = layers(arrows)
    widths = {room: 26 + LETTER * len(room) for room in arrows}
    lengths = [sum(widths[room] for room in row) + GAP * (len(row) - 1) for row in rows]
    width = max(lengths) + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    for number, (row, length) in enumerate(zip(rows, lengths, strict=True)):
        left = (width - length) / 2
        for room in row:
            places[room] = left, MARGIN + ROW_HEIGHT * number
            left += widths[room] + GAP
    kept = without_shortcuts(arrows)
    lines = [_line(places, widths, room, other) for room in sorted(kept) for other in sorted(kept[room])]
    boxes = [_box(room, *places[room], widths[room]) for room in sorted(arrows)]
    height = MARGIN * 2 + ROW_HEIGHT * (len(rows) - 1) + BOX_HEIGHT
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            'font-family="sans-serif" font-size="13">',
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#777"/></marker></defs>',
            f'<rect width="{width:.0f}" height="{height:.0f}" fill="#fff"/>',
            *lines,
            *boxes,
            "</svg>\n",
        )
    )


def _line(places: dict[str, tuple[float, float]], widths: dict[str, float], room: str, other: str) -> str:
    left, top = places[room]
    to_left, to_top = places[other]
    x, to_x = left + widths[room] / 2, to_left + widths[other] / 2
    if top == to_top:  # side by side: an arc over both
        path = f"M{x:.0f} {top:.0f} C{x:.0f} {top - 30:.0f} {to_x:.0f} {top - 30:.0f} {to_x:.0f} {top:.0f}"
    else:
        y = top + BOX_HEIGHT
        bend = (to_top - y) / 2
        path = f"M{x:.0f} {y:.0f} C{x:.0f} {y + bend:.0f} {to_x:.0f} {to_top - bend:.0f} {to_x:.0f} {to_top:.0f}"
    return f'<path d="{path}" fill="none" stroke="#999" marker-end="url(#tip)"/>'


def _box(room: str, left: float, top: float, width: float) -> str:
    colour = COLOURS.get(room.split("/")[0], OUTSIDE)
    return (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{BOX_HEIGHT}" rx="6" fill="{colour}" '
        f'stroke="#888"/><text x="{left + width / 2:.0f}" y="{top + 22:.0f}" text-anchor="middle">{escape(room)}</text>'
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
