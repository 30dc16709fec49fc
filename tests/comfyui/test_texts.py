"""The nodes' texts and help pages, as ComfyUI serves them: complete in both languages, each with its picture."""

from __future__ import annotations

import io
import re
import urllib.request
from typing import Any

import pytest
from PIL import Image

from editor_pictures.texts import english_texts
from tests.comfyui.conftest import RunningComfyUI

pytestmark = pytest.mark.comfyui

DOCS = "/extensions/motionrag/docs"
PAGES = {"en": f"{DOCS}/{{}}.md", "zh": f"{DOCS}/{{}}/zh.md"}
MAX_PICTURE_BYTES = 120_000
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_SEARCH_WORDS = re.compile(r"[(（][^()（）]+[)）]$")
# Names that are the same in Chinese.
_LATIN_NAMES = {"VAE"}


def _own(comfyui: RunningComfyUI) -> dict[str, Any]:
    return {name: node for name, node in comfyui.object_info.items() if name.startswith("MotionRAG")}


def _inputs(node: dict[str, Any]) -> dict[str, Any]:
    return {**node["input"].get("required", {}), **node["input"].get("optional", {})}


@pytest.fixture(scope="module")
def texts(comfyui: RunningComfyUI) -> dict[str, Any]:
    """Of each language, what the editor is given about our nodes."""
    served = comfyui.get("/i18n")
    return {language: served[language]["nodeDefs"] for language in PAGES}


@pytest.mark.parametrize("language", PAGES)
def test_every_node_has_every_text_and_no_other(comfyui: RunningComfyUI, texts: dict[str, Any], language: str) -> None:
    own = _own(comfyui)
    assert set(texts[language]) == set(own)
    for name, node in own.items():
        said = texts[language][name]
        assert list(said["outputs"]) == [str(slot) for slot in range(len(node["output"]))], name
        assert set(said["inputs"]) == set(_inputs(node)), name
        for part in (*said["inputs"].values(), *said["outputs"].values()):
            assert part["name"] and part["tooltip"], name
        assert _SEARCH_WORDS.search(said["description"]), f"{name} ends with no words to find it by"


def test_the_english_texts_are_those_of_the_nodes(comfyui: RunningComfyUI, texts: dict[str, Any]) -> None:
    assert texts["en"] == english_texts(comfyui.object_info), "run `make texts`"


def test_the_chinese_texts_are_chinese(texts: dict[str, Any]) -> None:
    for name, said in texts["zh"].items():
        parts = [*said["inputs"].values(), *said["outputs"].values()]
        words = [said["display_name"], said["description"], *(p["name"] for p in parts), *(p["tooltip"] for p in parts)]
        assert [w for w in words if not _CHINESE.search(w) and w not in _LATIN_NAMES] == [], name


@pytest.mark.parametrize("language", PAGES)
def test_every_node_has_a_help_page_with_every_input_and_a_picture(
    comfyui: RunningComfyUI, texts: dict[str, Any], language: str
) -> None:
    for name, said in texts[language].items():
        page = comfyui.text(PAGES[language].format(name))
        assert page.startswith(f"# {said['display_name']}\n"), name
        explained = [*said["inputs"].values(), *said["outputs"].values()]
        assert [part["name"] for part in explained if part["name"] not in page] == [], name
        (path,) = _PICTURE.findall(page)
        assert path == f"pictures/{name}.webp"
        with urllib.request.urlopen(f"{comfyui.url}{DOCS}/{path}", timeout=30) as response:
            picture = response.read()
        assert len(picture) < MAX_PICTURE_BYTES, name
        assert Image.open(io.BytesIO(picture)).width >= 200, name
