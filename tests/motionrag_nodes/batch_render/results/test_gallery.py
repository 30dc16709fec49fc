"""The page of results."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from motionrag_nodes.batch_render.results.gallery import settings_of, write_gallery
from motionrag_nodes.batch_render.results.manifest import JobRecord, OutputFile


class _Page(HTMLParser):
    """Text and addresses of a page; counts what is open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.words += data


def _record(name: str, *files: str, **more: Any) -> JobRecord:
    outputs = tuple(OutputFile(file, "9", "Save", "output", "", 1) for file in files)
    values = {"status": "done", "workflow": "w", "values": {}, "fingerprint": "", "comfyui_version": "", "server": "s"}
    return JobRecord(name=name, outputs=outputs, **{**values, **more})


def test_results_prompts_seeds_and_neighbours_are_shown(tmp_path: Path) -> None:
    neighbours = [{"rank": 1, "caption": "a <b>cat</b>", "source": "/clips/cat.mp4", "score": 0.5}]
    records = [
        _record("a", "a/x 1.png", "a/y#2.mp4", "a/z.wav", "a/t.txt", shown={"4": {"neighbours": neighbours}}),
        _record("<b>", status="failed", error="<script>alert(1)</script>", settings={"KSampler.seed": "7"}),
        _record("c", shown={"4": {"neighbours": "none"}, "5": {"text": ["x"]}}, values={"6.text": "a boat"}),
    ]
    page = _Page(write_gallery(tmp_path, records).read_text())
    assert {"a/x%201.png", "a/y%232.mp4#t=0.001", "a/z.wav", "a/t.txt"} <= set(page.sources)
    assert page.tags.count("article") == 3
    assert not {"script", "b"} & set(page.tags)
    for words in ("a <b>cat</b>", "0.50", "<script>alert(1)</script>", "seedKSampler7", "a boat", "2 done, 1 failed"):
        assert words in page.words
    assert [path.name for path in tmp_path.iterdir()] == ["gallery.html"]


def test_settings_are_values_that_tell_results_apart() -> None:
    graph = {
        "1": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 4, "model": ["2", 0]}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a boat"}, "_meta": {"title": "Positive"}},
        "3": {"class_type": "CLIPTextEncode", "inputs": {"text": ["2", 0]}},
    }
    assert settings_of(graph) == {"KSampler.seed": "7", "Positive.text": "a boat"}
