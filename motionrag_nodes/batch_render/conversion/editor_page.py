"""Asks the editor itself: opens a server's page in headless Chromium, loads a workflow there and reads its prompt."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from motionrag_nodes.batch_render.conversion.convert import Prompt
from motionrag_nodes.batch_render.errors import EditorPageError

if TYPE_CHECKING:
    from playwright.sync_api import Page

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --disable-sync".split()
_TIMEOUT_MS = 120_000
_SETTLE_MS = 1_500  # the page goes on registering nodes for a moment after it is ready
_READY = (
    "() => !!(window.app?.graph && window.app.extensionManager && window.LiteGraph)"
    " && Object.values(window.LiteGraph.registered_node_types).some(type => type.nodeData)"
    " && !!window.app.extensionManager.workflow.activeWorkflow"
)
# Reroutes and inputs that share a type settle in the frames after loading. Of random alternatives the first is taken.
_EXPORT = """async text => {
    const errors = [], report = console.error, chance = Math.random
    console.error = (...parts) => errors.push(parts.map(part => part?.message ?? String(part)).join(' '))
    const frame = () => new Promise(done => requestAnimationFrame(() => done()))
    try {
        await window.app.loadGraphData(JSON.parse(text), true, false)
        await frame(); await frame()
        await new Promise(done => setTimeout(done, 20))
        const now = new Date()
        Math.random = () => 0
        const { output } = await window.app.graphToPrompt()
        const time = [now.getFullYear(), now.getMonth() + 1, now.getDate(),
                      now.getHours(), now.getMinutes(), now.getSeconds()]
        return JSON.stringify({ output, time })
    } catch (error) {
        return JSON.stringify({ error: String(error), errors })
    } finally {
        console.error = report
        Math.random = chance
        document.querySelectorAll('.p-dialog-mask').forEach(dialog => dialog.remove())
    }
}"""


@dataclass(frozen=True)
class EditorExport:
    """What the editor would send, or why it sends nothing. `time`: the page's clock at that moment."""

    prompt: Prompt | None
    refusal: str = ""
    time: datetime | None = None

    @property
    def lacks_classes(self) -> bool:
        """Whether it has nodes that the server doesn't know, so that the server refuses it."""
        return self.prompt is not None and any("class_type" not in node for node in self.prompt.values())


class FirstAlternative(random.Random):
    """Stands for chance where the page's is fixed to its first alternative."""

    def choice(self, seq: Any) -> Any:
        """The first of `seq`."""
        return seq[0]


class EditorPage:
    """An open page. Use open_editor_page()."""

    def __init__(self, page: Page) -> None:
        self._page = page

    def export(self, workflow: Mapping[str, Any]) -> EditorExport:
        """Loads a workflow and reads the prompt that the editor would send."""
        result = json.loads(self._page.evaluate(_EXPORT, json.dumps(workflow)))
        if "output" not in result:
            return EditorExport(prompt=None, refusal="; ".join([result["error"], *result["errors"]]))
        return EditorExport(prompt=result["output"], time=datetime(*result["time"]))


@contextmanager
def open_editor_page(url: str, *, object_info: Mapping[str, Any] | None = None) -> Iterator[EditorPage]:
    """Opens the editor of the ComfyUI at `url`; `object_info` stands in for what that server declares.

    Raises EditorPageError: there is no browser, no playwright, or no editor at the address.
    """
    program = next((path for path in map(shutil.which, _BROWSERS) if path), None)
    if program is None:
        raise EditorPageError(
            "Expected Chromium to open the editor with, found none: install it (apt-get install chromium)."
        )
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise EditorPageError(
            "Expected the package playwright to drive Chromium with, found none: run `pip install playwright`."
        ) from None
    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            page = browser.new_page()
            page.set_default_timeout(_TIMEOUT_MS)
            if object_info is not None:
                body = json.dumps(object_info)
                page.route(
                    lambda address: address.split("?")[0].endswith("/object_info"),
                    lambda route: route.fulfill(body=body, content_type="application/json"),
                )
            try:
                page.goto(url)
                page.wait_for_function(_READY)
            except Error as error:
                raise EditorPageError(
                    f"Expected ComfyUI's editor at {url}, received {error.message.splitlines()[0]}: check the address."
                ) from None
            page.wait_for_timeout(_SETTLE_MS)
            yield EditorPage(page)
        finally:
            browser.close()


def differences(ours: Prompt, editors: Prompt) -> list[str]:
    """What differs between two prompts, a line each. Titles are left out: the page translates those of classes."""
    lines = []
    for node_id in [*editors, *(node_id for node_id in ours if node_id not in editors)]:
        one, other = ours.get(node_id), editors.get(node_id)
        if one is None or other is None:
            owner, node = ("the editor", other) if one is None else ("the conversion", one)
            lines.append(f"node {node_id} ({(node or {}).get('class_type')}): only {owner} sends it")
            continue
        if one["class_type"] != other.get("class_type"):
            lines.append(f"node {node_id}: class {one['class_type']}, in the editor {other.get('class_type')}")
        for name in dict.fromkeys([*other["inputs"], *one["inputs"]]):
            value, expected = (node["inputs"].get(name, "(nothing)") for node in (one, other))
            if value != expected or isinstance(value, bool) != isinstance(expected, bool):
                lines.append(
                    f"node {node_id} ({one['class_type']}), {name}: {_short(value)}, in the editor {_short(expected)}"
                )
    return lines


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."
