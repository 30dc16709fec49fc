"""Every error says what was expected, what came and what to do, in one form that is read from the code.

Two kinds of messages are told apart. A sentence stands alone: "Expected X, received Y: do Z." The place of the fault
may stand before it ("jobs.csv, line 3: Expected ..."). A reason completes the sentence of another ("clip.mp4: no frame
can be decoded"), so it begins in lower case and has no full stop.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("index_builder", "motionrag_nodes", "benchmarks", "training", "editor_pictures")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
# A filled-in value reads as itself here.
FILLED = "{}"
PLACE = rf"([^:]*{FILLED}[^:]*: )?"
SENTENCE = re.compile(rf"{PLACE}Expected .+?, (received|found|but) .+?(:|\.|;)\s.*(\.|\?|{FILLED})", re.DOTALL)
REASON = re.compile(rf"([a-z0-9\"'-]|{FILLED}).*[^.]", re.DOTALL)
# Of ours, yet always printed behind the name of one clip among many.
REASONS = {"ClipUnreadable", "CaptionerFailed"}
# Nothing was wrong: somebody asked to stop.
NO_FAULT = {"GenerationInterrupted"}
# What ends a program is printed as it stands, like an error of ours.
PRINTED = {"SystemExit", "RuntimeError", "BadParameter"}


@dataclass(frozen=True)
class Message:
    """What a call of an error's class, or of a function that makes an error, is given to say."""

    place: str
    made_by: str
    text: str


def text_of(node: ast.expr) -> str | None:
    """The text as far as it stands in the code; None where all of it is computed elsewhere."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        parts = [part.value if isinstance(part, ast.Constant) else FILLED for part in node.values]
        return "".join(map(str, parts)) if any(part != FILLED for part in parts) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        parts = [text_of(node.left), text_of(node.right)]
        return "".join(part or FILLED for part in parts) if any(parts) else None
    return None


def name_of(node: ast.expr) -> str:
    """The last part of a name; empty for what has none."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def families() -> dict[str, set[str]]:
    """Class -> the names of its bases, of every class of ours."""
    classes = (node for path in FILES for node in nodes_of(path) if isinstance(node, ast.ClassDef))
    return {node.name: set(map(name_of, node.bases)) for node in classes}


def errors_of_ours() -> set[str]:
    bases, found = families(), {"MotionRAGError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return found


OURS = errors_of_ours()


def passes_on(node: ast.expr, text: str, caught: set[str | None]) -> bool:
    """Whether it only puts a place before the words of an error that was caught."""
    last = node.values[-1] if isinstance(node, ast.JoinedStr) else None
    of_another = isinstance(last, ast.FormattedValue) and name_of(last.value) in caught
    return of_another and re.fullmatch(rf"{PLACE}{FILLED}", text) is not None


def messages(path: Path) -> Iterator[Message]:
    """What is raised, and what builds an error of ours wherever it stands, with the texts that can be read."""
    nodes = nodes_of(path)
    raised = {id(node.exc) for node in nodes if isinstance(node, ast.Raise)}
    caught = {node.name for node in nodes if isinstance(node, ast.ExceptHandler)}
    for node in nodes:
        if isinstance(node, ast.Call) and (id(node) in raised or name_of(node.func) in OURS):
            texts = [text for arg in node.args if (text := text_of(arg)) and not passes_on(arg, text, caught)]
            if texts:
                yield Message(f"{path.relative_to(ROOT)}:{node.lineno}", name_of(node.func), texts[-1])


def is_sentence(message: Message) -> bool:
    return (message.made_by in OURS | PRINTED) and message.made_by not in REASONS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_messages_have_one_form(path: Path) -> None:
    wrong = [
        f"{message.place} {message.text}"
        for message in messages(path)
        if message.made_by not in NO_FAULT
        and not (SENTENCE if is_sentence(message) else REASON).fullmatch(message.text)
    ]
    assert not wrong, "of another form:\n" + "\n".join(wrong)


def test_the_forms_tell_good_from_bad() -> None:
    assert SENTENCE.fullmatch("Expected a folder, received {}: check the path.")
    assert SENTENCE.fullmatch("Expected tensors only in {}, but loading it would call {}. Take another file.")
    assert not SENTENCE.fullmatch("expected a folder, received {}: check the path.")
    assert not SENTENCE.fullmatch("Expected a folder: check the path.")
    assert not SENTENCE.fullmatch("Expected a folder, received {}.")
    assert not SENTENCE.fullmatch("Expected a folder, received {}: check the path")
    assert REASON.fullmatch("no frame can be decoded") and not REASON.fullmatch("No frame can be decoded.")


def test_most_raise_sites_are_read() -> None:
    """Were errors made in a way that is not read here, the form would hold for few."""
    assert sum(1 for path in FILES for _ in messages(path)) > 500
