"""The nodes' texts and help pages, as ComfyUI serves them: complete in both languages, each with its picture."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from editor_pictures.texts import english_notes, english_texts
from tests.comfyui.chinese import CHINESE, in_chinese
from tests.comfyui.conftest import DATABASE_NAME, RunningComfyUI
from tests.comfyui.runs import queue

pytestmark = pytest.mark.comfyui

DOCS = "/extensions/motionrag/docs"
PAGES = {"en": f"{DOCS}/{{}}.md", "zh": f"{DOCS}/{{}}/zh.md"}
MAX_PICTURE_BYTES = 120_000
_PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
_SEARCH_WORDS = re.compile(r"[(（][^()（）]+[)）]$")
# Names that are the same in Chinese.
_LATIN_NAMES = {"VAE"}
# Choices that are names everywhere: of number formats, and of what a user may have.
_NAMED = ("pack", "database", "folder")
_NUMBER_FORMATS = {"float32", "float16", "bfloat16"}
# What nodes refuse before anything runs: template, node, its input at fault, the value.
REFUSED = [
    ("animate_picture_simple", "MotionRAGFindMotion", "database", "winter"),
    ("animate_picture_simple", "MotionRAGFindMotion", "pack", "huge"),
    ("animate_picture_simple", "MotionRAGFindMotion", "weights", "skier much"),
    ("animate_picture_simple", "MotionRAGFindMotion", "weights", "skier: 1\nskier: 2"),
    ("image_to_video_with_motion", "MotionRAGRetrieveNeighbours", "weights", "skier: 1000"),
    ("image_to_video_with_motion", "MotionRAGLoadVideoModel", "model", "sora"),
    ("image_to_video_with_motion", "MotionRAGLoadVideoModel", "precision", "int4"),
    ("index_my_videos", "MotionRAGIndexFolder", "folder", "nowhere"),
    ("index_my_videos", "MotionRAGIndexFolder", "name", "../out"),
    ("index_my_videos", "MotionRAGIndexFolder", "captions", "none.csv"),
    ("reference_videos_to_video", "MotionRAGEncodeReferenceVideos", "videos", "gone.mp4"),
    ("compare_motions", "MotionRAGCompareMotions", "strengths", "much"),
]


# A finding that is a version alone; and the name above those about ComfyUI.
_VERSION = re.compile(r"[\w.-]+: [\w.+-]+( on .+)?|ComfyUI")


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
        assert [w for w in words if not CHINESE.search(w) and w not in _LATIN_NAMES] == [], name


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


def test_notes_choices_and_titles_are_chinese(comfyui: RunningComfyUI, workflows: Path) -> None:
    served = comfyui.get("/i18n")
    english, chinese = (served[language]["motionrag"] for language in PAGES)
    assert english["notes"] == english_notes(), "run `make texts`"
    assert set(chinese["notes"]) == set(english["notes"])
    assert set(chinese["templates"]) == set(english["templates"]) == {path.stem for path in workflows.glob("*.json")}
    saved = [json.loads(path.read_text(encoding="utf-8")) for path in workflows.glob("*.json")]
    titles = {group["title"] for workflow in saved for group in workflow["groups"]}
    titles |= {node["title"] for workflow in saved for node in workflow["nodes"] if node["type"] == "MarkdownNote"}
    assert set(chinese["titles"]) == titles
    offered = set()
    for node in _own(comfyui).values():
        for name, spec in _inputs(node).items():
            choices = spec[1].get("options", spec[0] if isinstance(spec[0], list) else [])
            offered |= set() if name in _NAMED else {choice for choice in choices if not Path(choice).suffix}
    missing = offered - set(chinese["choices"]) - _NUMBER_FORMATS
    assert [choice for choice in missing if not choice.endswith("/")] == []
    for part in ("notes", "choices", "titles", "messages"):
        assert [text for text in chinese[part].values() if not CHINESE.search(text)] == []


@pytest.mark.parametrize(("template", "node", "name", "value"), REFUSED, ids=str)
def test_what_a_node_refuses_is_told_in_chinese(
    comfyui: RunningComfyUI, api_graph: Callable[[str], Any], template: str, node: str, name: str, value: str
) -> None:
    graph = api_graph(template)
    next(part["inputs"] for part in graph.values() if part["class_type"] == node)[name] = value
    status, answer = comfyui.post("/prompt", {"prompt": graph})
    assert status == 400
    (errors,) = (part["errors"] for part in answer["node_errors"].values())
    (said,) = {error["details"].partition(" - ")[2].removeprefix(f"{name}: ") for error in errors}
    told = in_chinese(said)
    left = re.sub(r"motionrag index build \S+ --output|motionrag convert [^\u4e00-\u9fff]+", "", told)
    assert CHINESE.search(left), told
    assert not re.search(r"\b(Expected|received|found|choose|write)\b", left), told


def test_reports_are_told_in_chinese(comfyui: RunningComfyUI) -> None:
    graph = {
        "1": {"class_type": "MotionRAGDoctor", "inputs": {"only_faults": False}},
        "2": {"class_type": "MotionRAGLoadMotionDatabase", "inputs": {"database": DATABASE_NAME}},
        "3": {
            "class_type": "MotionRAGDatabaseInfo",
            "inputs": {"database": ["2", 0], "samples": 2, "map_size": 256, "map_clips": 2},
        },
    }
    reported = queue(comfyui, graph)
    for node in ("1", "3"):
        (report,) = reported.shown(node)["text"]
        lines = [line.strip() for line in in_chinese(report).splitlines() if line.strip()]
        left = [line for line in lines if not CHINESE.search(line.removeprefix("正常").strip())]
        assert [line for line in left if not _VERSION.fullmatch(line.removeprefix("正常").strip())] == []


def test_the_chinese_help_names_choices_as_the_editor_shows_them(comfyui: RunningComfyUI) -> None:
    known = comfyui.get("/i18n")["zh"]["motionrag"]["choices"]
    for node_name, node in _own(comfyui).items():
        page = comfyui.text(PAGES["zh"].format(node_name))
        for spec in _inputs(node).values():
            choices = spec[1].get("options", spec[0] if isinstance(spec[0], list) else [])
            english = [choice for choice in choices if choice in known and f"`{choice}`" in page]
            assert english == [], f"{node_name}: write {[known[choice] for choice in english]}"
