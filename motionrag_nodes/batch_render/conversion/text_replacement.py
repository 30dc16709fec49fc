"""Texts that the editor fills in when it makes a prompt: dates and other nodes' values, and random alternatives."""

from __future__ import annotations

import random
import re
from datetime import datetime

from motionrag_nodes.batch_render.conversion.class_nodes import SEARCH_NAME
from motionrag_nodes.batch_render.conversion.graphs import Graph, all_nodes
from motionrag_nodes.batch_render.conversion.js_values import UNDEFINED, js_text

_PLACEHOLDER = re.compile(r"%([^%]+)%")
_DATE_PARTS = re.compile("dd?|MM?|hh?|mm?|ss?|yyy?y?")
_NOT_IN_FILE_NAMES = re.compile(r'[/?<>\\:*|"\x00-\x1F\x7F]')
_COMMENTS = re.compile(r"/\*.*?\*/|//[^\n\r\u2028\u2029]*", re.DOTALL)
_ESCAPED = re.compile(r"\\([{}|])")
_SETTLED = re.compile(r"[{\\%]|//|/\*")


def settles(text: str) -> bool:
    """Whether a text may be another one in the prompt than in the workflow."""
    return _SETTLED.search(text) is not None


def fill_in(text: str, graph: Graph, now: datetime) -> str:
    """Replaces %date:yyyy-MM-dd% and %node.widget%; a node is named by its search name or its title."""
    nodes = list(all_nodes(graph))

    def replacement(found: re.Match[str]) -> str:
        parts = found[1].split(".")
        if len(parts) != 2:
            return _date(parts[0][len("date:") :], now) if parts[0].startswith("date:") else found[0]
        matching = [node for node in nodes if node.properties.get(SEARCH_NAME) == parts[0]]
        matching = matching or [node for node in nodes if node.title == parts[0]]
        widget = matching[0].widget(parts[1]) if matching else None
        if widget is None:
            return found[0]
        value = "" if widget.value is None or widget.value is UNDEFINED else js_text(widget.value)
        return _NOT_IN_FILE_NAMES.sub("_", value)

    return _PLACEHOLDER.sub(replacement, text)


def _date(pattern: str, now: datetime) -> str:
    numbers = {"d": now.day, "M": now.month, "h": now.hour, "m": now.minute, "s": now.second}

    def part(found: re.Match[str]) -> str:
        text = found[0]
        if text[0] in numbers:
            return str(numbers[text[0]]).zfill(len(text))
        return {"yy": str(now.year)[2:], "yyyy": str(now.year)}.get(text, text)

    return _DATE_PARTS.sub(part, pattern)


def choose_alternatives(text: str, chance: random.Random) -> str:
    """Takes comments out, and one of the alternatives of each {a|b}, which may be nested."""
    rest = _COMMENTS.sub("", text)
    result: list[str] = []
    position = 0
    while position < len(rest):
        letter = rest[position]
        position += 1
        if letter == "\\":
            result.append(_escape(rest, position))
            position += 1
        elif letter == "{":
            options, position = _options(rest, position)
            result.append(choose_alternatives(chance.choice(options), chance))
        else:
            result.append(letter)
    return _ESCAPED.sub(r"\1", "".join(result))


def _options(text: str, position: int) -> tuple[list[str], int]:
    """The alternatives of a group that starts at `position`, and where the text goes on behind it."""
    options, option, depth = [], "", 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == "\\":
            option += _escape(text, position)
            position += 1
            continue
        if letter == "{":
            depth += 1
        elif letter == "}":
            if depth == 0:
                break
            depth -= 1
        elif letter == "|" and depth == 0:
            options.append(option)
            option = ""
            continue
        option += letter
    return [*options, option], position


def _escape(text: str, position: int) -> str:
    # At the very end the editor writes out that nothing follows.
    return "\\" + (text[position] if position < len(text) else js_text(UNDEFINED))
