"""Every public definition of the installed packages says what it is."""

import ast
import builtins
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = [path for package in ("index_builder", "motionrag_nodes") for path in sorted((ROOT / package).rglob("*.py"))]
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
# ComfyUI asks each node for these, and shows what the node's schema says of it.
OF_COMFYUI = {"define_schema", "execute", "validate_inputs", "fingerprint_inputs", "on_load", "get_node_list"}


def definitions(node: ast.AST, inside: ast.ClassDef | None = None) -> Iterator[tuple[Definition, ast.ClassDef | None]]:
    """Public definitions of a module with the class that each stands in; those inside functions are nobody else's."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child, inside
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from definitions(child, child)
        elif isinstance(child, ast.If | ast.Try):
            yield from definitions(child, inside)


def bases_of(node: ast.ClassDef) -> set[str]:
    return {ast.unparse(base).split("[")[0].split(".")[-1] for base in node.bases}


def documented_methods() -> set[str]:
    """Methods that some class documents: what overrides or implements one of them needs no words of its own."""
    found = set()
    for path in FILES:
        for node, inside in definitions(ast.parse(path.read_text(encoding="utf-8"))):
            if inside is not None and not isinstance(node, ast.ClassDef) and ast.get_docstring(node):
                found.add(node.name)
    return found


INHERITED = documented_methods()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_definition_has_a_docstring(path: Path) -> None:
    lacking = []
    for node, inside in definitions(ast.parse(path.read_text(encoding="utf-8"))):
        if ast.get_docstring(node):
            continue
        if isinstance(node, ast.ClassDef):
            if not bases_of(node) & {"ComfyNode", "ComfyExtension"}:
                lacking.append(node.name)
        elif inside is None or node.name not in INHERITED | OF_COMFYUI:
            lacking.append(node.name)
    assert not lacking, f"without a docstring: {', '.join(lacking)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sentence_opens_each_module(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


# Raised by libraries of others, and named by us.
OF_OTHERS = {"ArrowException", "FFmpegError", "InterruptProcessingException"}
NAMED = re.compile(r"\bRaises\s+((?:_?[A-Z][\w.]+,\s+)*_?[A-Z][\w.]*\w)")


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Definition | ast.Module):
            yield ast.get_docstring(node) or ""


def errors_there_are() -> set[str]:
    trees = (ast.walk(ast.parse(path.read_text(encoding="utf-8"))) for path in FILES)
    return {node.name for nodes in trees for node in nodes if isinstance(node, ast.ClassDef)} | set(vars(builtins))


ERRORS = errors_there_are() | OF_OTHERS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_raised_is_named_in_one_style(path: Path) -> None:
    for text in docstrings(path):
        assert not re.search(r"^\s*(Raises|Returns|Args|Yields):$", text, re.MULTILINE), f"a section in: {text}"
        for named in NAMED.findall(text):
            unknown = [name for name in re.split(r",\s+", named) if name.split(".")[-1] not in ERRORS]
            assert not unknown, f"{', '.join(unknown)} can be no error: {text}"
