"""docs/architecture.md names files in order; they exist, and each is imported or started by one before it."""

import re
from pathlib import Path

import pytest

from editor_pictures.architecture import PICTURE, drawn, imported_files

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"


def walks() -> dict[str, list[Path]]:
    """The files of each walk by its heading, in order."""
    found: dict[str, list[Path]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, text = part.partition("\n")
        found[heading] = [Path(name) for name in re.findall(r"^\d+\. `([^`]+)`", text, re.MULTILINE)]
    return found


def leads_to(before: Path, file: Path) -> bool:
    module = ".".join(file.with_suffix("").parts)
    return file in imported_files(ROOT / before) or f'"{module}"' in (ROOT / before).read_text(encoding="utf-8")


@pytest.mark.parametrize("heading", walks())
def test_each_file_of_a_walk_is_reached_from_one_before_it(heading: str) -> None:
    files = walks()[heading]
    assert len(files) > 10
    for number, file in enumerate(files):
        assert (ROOT / file).is_file(), file
        assert number == 0 or any(leads_to(before, file) for before in files[:number]), file


def test_the_picture_is_drawn_from_the_imports_of_today() -> None:
    assert PICTURE.read_text(encoding="utf-8") == drawn(), "the rooms import others than drawn: make architecture"
