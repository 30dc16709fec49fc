"""Files and functions stay short enough to be read at once; what grows is parted."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_LINES = 400
# A command's own options are a line each.
MOST_FUNCTION_LINES = 65
PACKAGES = ("index_builder", "motionrag_nodes", "training", "benchmarks", "editor_pictures")
FILES = [path for package in (*PACKAGES, "tests") for path in sorted((ROOT / package).rglob("*.py"))]


def test_no_file_is_long() -> None:
    lines = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert not {str(path): count for path, count in lines.items() if count > MOST_LINES}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_is_long(package: str) -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in FILES
        if path.is_relative_to(ROOT / package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_FUNCTION_LINES
    ]
    assert not long, f"longer than {MOST_FUNCTION_LINES} lines: {', '.join(long)}"
