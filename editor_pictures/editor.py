"""ComfyUI's editor in Chromium, driven as an artist drives it: by its templates, its Run button and its menus."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Locator, Page

Box = tuple[float, float, float, float]

NODE_PREFIX = "MotionRAG"
GALLERY_SECTION = "MotionRAG"  # locales/*/main.json gives the folder below custom_nodes this name
TIMEOUT_MS = 90_000  # far more than an idle machine takes: a busy one is no fault
RUN_TIMEOUT_MS = 600_000
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
# What the editor asks for by itself and no setting turns off. Part of the complaint -> why it comes.
KNOWN_COMPLAINTS = {
    "/user.css": "the page links a style sheet beside its own program, which ComfyUI does not ship",
    "/favicon.ico": "Chromium asks for it before the page has named its icon",
    "https://api.comfy.org/nodes?": "the editor looks a workflow's packs up in the public registry, which ComfyUI "
    "itself forbids when it is started with --disable-api-nodes",
    "en.md)": "help is asked for in the editor's language first, and English is the page of no language",
    "filename=%28none": "a node that uploads videos asks for a preview of its choice, also of none",
    # An effect of useVueNodeLifecycle in 1.32.9; its stack is part of the message.
    "TypeError: Cannot read properties of undefined (reading 'id')\n    at onChange": "opening any page, the editor "
    "stores LiteGraph.Canvas.MinFontSizeForLOD before it has registered that setting",
    # From 1.49.6 on.
    "ComfyApp graph accessed before initialization": "the editor reads its own graph while it starts",
    # From 1.58.1 on, where the ComfyUI is older than the editor: it does not have these routes.
    "/api/jobs?": "the editor asks for the list of jobs",
    "JobsApiError: Failed to fetch jobs: 404": "the editor tells of that answer",
    "/templates/index_logo.json": "the editor asks for the logos of models",
    "https://huggingface.co/": "the editor looks up the models of the workflow that it opens first, which ComfyUI "
    "itself forbids when it is started with --disable-api-nodes",
}
_SETTINGS = {
    "Comfy.TutorialCompleted": True,  # else the gallery of templates lies over the graph
    "LiteGraph.Canvas.MinFontSizeForLOD": 0,  # texts stay when the whole graph is in view
    "Comfy.Minimap.Visible": False,
    "Comfy.Graph.CanvasInfo": False,
    "Comfy.PromptFilename": False,  # exporting asks for a file name otherwise
}
# Files that the editor reads at its start and complains about where a user has none yet.
_USER_FILES = {"user.css": "", "comfy.templates.json": "[]"}
_USER_FOLDERS = ("workflows", "subgraphs")
_READY = (
    "() => !!(window.app && window.app.graph && window.app.extensionManager && window.LiteGraph)"
    # Ready before the nodes are registered, and before the first workflow is open: wait for both.
    " && 'MotionRAGGenerateVideo' in window.LiteGraph.registered_node_types"
    " && !!window.app.extensionManager.workflow.activeWorkflow"
)
_RED = """() => window.app.graph.nodes.flatMap(node => [
    ...(node.has_errors ? [node.type] : []),
    ...(node.inputs ?? []).filter(input => input.hasErrors).map(input => `${node.type}.${input.name}`),
    ...(node.widgets ?? []).filter(widget => widget.type === 'combo' && Array.isArray(widget.options?.values)
        && !widget.options.values.includes(widget.value)).map(w => `${node.type}.${w.name}=${w.value}`),
])"""
_WATCH_PROGRESS = """() => {
    window.titlesSeen = []
    new MutationObserver(() => window.titlesSeen.push(document.title))
        .observe(document.querySelector('title'), {childList: true, characterData: true, subtree: true})
}"""
# The workflow in the foremost tab; undefined where none is open.
_ACTIVE_NAME = "window.app.extensionManager.workflow.activeWorkflow?.filename"
_ADD = """type => {
    const node = window.LiteGraph.createNode(type)
    window.app.graph.add(node)
    node.pos = [0, 0]
}"""
_TITLE = "type => window.app.graph.nodes.find(node => node.type === type).title"
_TITLE_PLACE = """type => {
    const canvas = window.app.canvas
    const node = window.app.graph.nodes.find(node => node.type === type)
    const box = canvas.canvas.getBoundingClientRect()
    const [x, y, width] = node.boundingRect
    const at = (value, axis) => (value + canvas.ds.offset[axis]) * canvas.ds.scale
    return [box.left + at(x + width / 2, 0), box.top + at(y + 12, 1)]
}"""
# In later editors (1.49.6) a node from the search hangs at the pointer until a click puts it down.
_HANGING = "() => (window.app.canvas.state?.ghostNodeId ?? null) !== null"
# Clear of the editor's bars and, in a new workflow, of everything.
_EMPTY_PLACE = (900, 500)
_SEARCH_TRIES = 5  # the canvas of a new workflow overlooks a double click now and then
_SEARCH_PAUSE_MS = 600  # the box waits a while for the next letter
# Scroll the canvas so that a rectangle of the graph lies at (left, top) of the page.
_MOVE_TO = """([x, y, left, top, scale]) => {
    const box = window.app.canvas.canvas.getBoundingClientRect()
    window.app.canvas.ds.scale = scale
    window.app.canvas.ds.offset = [(left - box.left) / scale - x, (top - box.top) / scale - y]
    window.app.canvas.setDirty(true, true)
}"""


def find_chromium() -> str | None:
    """The browser's program, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def prepare_user_folder(base: Path, **settings: Any) -> None:
    """Gives ComfyUI's user what the editor otherwise misses or greets a newcomer with. `base`: as given to ComfyUI."""
    user = base / "user" / "default"
    for name in _USER_FOLDERS:
        (user / name).mkdir(parents=True, exist_ok=True)
    for name, text in _USER_FILES.items():
        (user / name).write_text(text)
    path = user / "comfy.settings.json"
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps({**known, **_SETTINGS, **settings}, indent=2))


@dataclass
class Editor:
    """The open page. `complaints`: errors in its console since it was opened, KNOWN_COMPLAINTS left out."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))

    def reload(self) -> None:
        """Loads the page again, without the workflows that were open."""
        self.page.evaluate("() => { localStorage.clear(); sessionStorage.clear() }")
        self._load()

    def open_gallery(self) -> None:
        """Opens Workflow > Browse Templates at our templates, and waits until their pictures are there."""
        self.page.evaluate("() => void window.app.extensionManager.command.execute('Comfy.BrowseTemplates')")
        section = self.page.get_by_text(GALLERY_SECTION, exact=True)
        dialog = self.page.get_by_role("dialog").filter(has=section)
        dialog.get_by_text(GALLERY_SECTION, exact=True).first.click()
        dialog.locator("[data-testid^=template-workflow-] img").first.wait_for()
        self.page.wait_for_load_state("networkidle")

    def open_template(self, name: str) -> None:
        """Opens one of our templates by a click on its card."""
        self.open_gallery()
        self.page.evaluate("() => window.app.graph.nodes.forEach(node => { node.openedBefore = true })")
        self.page.get_by_test_id(f"template-workflow-{name}").click()
        self._wait_for_workflow(name)

    def new_workflow(self) -> None:
        """Opens an empty workflow in a tab of its own."""
        self._command("Comfy.NewBlankWorkflow")
        self.page.wait_for_function("() => window.app.graph.nodes.length === 0")

    def add_node(self, node_type: str) -> None:
        """Adds a node as it comes from the menu."""
        self.page.evaluate(_ADD, node_type)

    def open_help(self, node_type: str) -> Locator:
        """Selects a node by a click on its title, presses its info button, and returns its help page."""
        x, y = self.page.evaluate(_TITLE_PLACE, node_type)
        self.page.mouse.click(x, y)
        self.page.get_by_test_id("info-button").click()
        title = self.page.evaluate(_TITLE, node_type)
        heading = self.page.get_by_role("heading", level=1, name=title, exact=True)
        help_page = self.page.locator(":has(> h1)").filter(has=heading)
        help_page.wait_for()
        help_page.get_by_role("img").first.wait_for()
        self.page.wait_for_load_state("networkidle")
        return help_page

    def search(self, words: str) -> list[str]:
        """Opens the search by a double click on the canvas, types, and returns what is offered, best first."""
        box = self._search_box()
        for _ in range(_SEARCH_TRIES):
            self.page.mouse.dblclick(*_EMPTY_PLACE)
            self.page.wait_for_timeout(_SEARCH_PAUSE_MS)
            if box.is_visible():
                break
        box.click()
        self.page.keyboard.type(words, delay=10)
        options = self._offers()
        found, before = options.all_inner_texts(), None
        while found != before:  # it offers what is used most, then what fits the letters so far
            self.page.wait_for_timeout(_SEARCH_PAUSE_MS)
            found, before = options.all_inner_texts(), found
        return [" ".join(text.split()) for text in found]

    def take_offer(self, words: str) -> None:
        """Adds what the open search offers first among the entries that hold these words."""
        before = len(self.node_types())
        self._offers().filter(has_text=words).first.click()
        self.page.wait_for_function("count => window.app.graph.nodes.length > count", arg=before)
        self.page.wait_for_timeout(_SEARCH_PAUSE_MS)  # it is in the graph a moment before it hangs
        if self.page.evaluate(_HANGING):
            self.page.mouse.click(*_EMPTY_PLACE)
            self.page.wait_for_function(f"() => !({_HANGING})()")

    def close_search(self) -> None:
        """Closes the search, nothing chosen."""
        box = self._search_box()
        # PrimeVue's box fails at its own change event when it is closed with text in it.
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.press("Backspace")
        while box.is_visible():
            self.page.keyboard.press("Escape")
            self.page.wait_for_timeout(_SEARCH_PAUSE_MS)

    def fit_view(self) -> None:
        """Shows the whole graph."""
        self._command("Comfy.Canvas.FitView")
        self.page.wait_for_timeout(700)  # the editor glides there

    def own_node_types(self) -> list[str]:
        """Ids of the nodes that this project brings, as the editor knows them."""
        known: list[str] = self.page.evaluate("() => Object.keys(window.LiteGraph.registered_node_types)")
        return sorted(kind for kind in known if kind.startswith(NODE_PREFIX))

    def node_types(self) -> list[str]:
        """The type of each node of the graph."""
        types: list[str] = self.page.evaluate("() => window.app.graph.nodes.map(node => node.type)")
        return types

    def unknown_nodes(self) -> list[str]:
        """Types of the graph's nodes that the editor does not know."""
        known = set(self.page.evaluate("() => Object.keys(window.LiteGraph.registered_node_types)"))
        return [kind for kind in self.node_types() if kind not in known]

    def red_inputs(self) -> list[str]:
        """Nodes and inputs that the editor marks as wrong, and choices which it does not offer."""
        found: list[str] = self.page.evaluate(_RED)
        return found

    def set_widget(self, widget: str, value: Any, *, node_prefix: str = "") -> None:
        """Sets an input by its name or label, in every node that has it and whose type begins with `node_prefix`."""
        self.page.evaluate(
            """([prefix, name, value]) => window.app.graph.nodes.filter(node => node.type.startsWith(prefix))
                .flatMap(node => node.widgets ?? []).filter(w => w.name === name || w.label === name)
                .forEach(widget => { widget.value = value; widget.callback?.(value) })""",
            [node_prefix, widget, value],
        )

    def run(self) -> list[str]:
        """Presses Run and waits for the end. Returns the page titles on the way, which tell the progress.

        Raises AssertionError with the editor's own words when the run ends in an error.
        """
        self.page.evaluate(_WATCH_PROGRESS)
        with self.page.expect_response(lambda response: response.url.endswith("/api/prompt")) as answer:
            self.page.get_by_test_id("queue-button").click()
        body = answer.value.json()
        assert answer.value.ok, f"the run was refused: {json.dumps(body, ensure_ascii=False)}"
        path = f"{self.url}/history/{body['prompt_id']}"
        entry: dict[str, Any] = self.page.evaluate(
            """async ([path, id, seconds]) => {
                for (let waited = 0; waited < seconds; waited += 0.25) {
                    const history = await (await fetch(path)).json()
                    if (history[id]?.status?.completed !== undefined) return history[id].status
                    await new Promise(done => setTimeout(done, 250))
                }
                return {status_str: 'still running'}
            }""",
            [path, body["prompt_id"], RUN_TIMEOUT_MS / 1000],
        )
        failed = [said for kind, said in entry.get("messages", []) if kind == "execution_error"]
        assert entry["status_str"] == "success", [
            f"{f['node_type']}: {f['exception_message']}" for f in failed
        ] or entry
        titles: list[str] = self.page.evaluate("() => window.titlesSeen")
        return titles

    def play_output(self) -> tuple[int, int, float]:
        """Presses play on the video that the run made and waits until it moves on. (width, height, seconds)"""
        video = self.page.locator("video[src*='type=output']:visible").first
        video.wait_for()
        handle = video.element_handle()
        self.page.wait_for_function("video => video.readyState >= 3", arg=handle)
        video.click()
        self.page.wait_for_function("video => !video.paused && video.currentTime > 0.2", arg=handle)
        width, height, seconds = video.evaluate("video => [video.videoWidth, video.videoHeight, video.duration]")
        return width, height, seconds

    def set_setting(self, name: str, value: Any) -> None:
        """Changes one of the editor's settings, as its dialog does."""
        self.page.evaluate(
            "async ([name, value]) => { await window.app.extensionManager.setting.set(name, value) }", [name, value]
        )

    def exported(self) -> dict[str, Any]:
        """The API form of the graph, as the file that Workflow > Export (API) saves."""
        with self.page.expect_download() as download:
            self._command("Comfy.ExportWorkflowAPI")
        graph: dict[str, Any] = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
        return graph

    def screenshot(self, path: Path, clip: Box | None = None) -> None:
        """The whole page, or (x, y, width, height) of it, as PNG."""
        path.parent.mkdir(parents=True, exist_ok=True)
        box = None if clip is None else dict(zip(("x", "y", "width", "height"), clip, strict=True))
        self.page.screenshot(path=str(path), clip=box)

    def show_at(self, corner: tuple[float, float], place: tuple[float, float], *, scale: float = 1.0) -> None:
        """Scrolls the canvas so that this point of the graph lies at this place of the page."""
        self.page.evaluate(_MOVE_TO, [*corner, *place, scale])
        self.page.wait_for_timeout(400)  # texts and videos in the nodes follow a few frames later

    def _search_box(self) -> Locator:
        return self.page.get_by_role("search").get_by_role("combobox")

    def _offers(self) -> Locator:
        field = self.page.get_by_role("combobox")  # in 1.32 an option of a list of its own
        return self.page.get_by_role("listbox").get_by_role("option").filter(has_not=field)

    def _load(self) -> None:
        self.page.goto(self.url)
        self.page.wait_for_function(_READY)
        self.page.wait_for_load_state("networkidle")

    def _wait_for_workflow(self, name: str) -> None:
        # A name that is open already gets a number, "name (2)", or does not (1.49.6): fresh nodes tell that it is open.
        opened = f"name => {_ACTIVE_NAME}?.startsWith(name) && window.app.graph.nodes.length > 0"
        fresh = "window.app.graph.nodes.every(node => !node.openedBefore)"
        self.page.wait_for_function(f"{opened} && {fresh}", arg=name)
        self.page.wait_for_load_state("networkidle")

    def _command(self, name: str) -> None:
        self.page.evaluate("async name => { await window.app.extensionManager.command.execute(name) }", name)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        said = f"{message.text} ({message.location.get('url', '')})"
        known = (f"({self.url}{part}" if part.startswith("/") else part for part in KNOWN_COMPLAINTS)
        if not any(part in said for part in known):
            self.complaints.append(said)


@contextmanager
def open_editor(url: str, *, width: int = 1600, height: int = 900, pixels_per_point: float = 1.0) -> Iterator[Editor]:
    """Starts Chromium and opens the editor of the ComfyUI that answers at `url`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=find_chromium(), args=_FLAGS)
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height}, device_scale_factor=pixels_per_point
            )
            # The banner that advertises a new look of the nodes.
            context.add_init_script("localStorage.setItem('vueNodesBannerDismissed', 'true')")
            context.set_default_timeout(TIMEOUT_MS)
            editor = Editor(context.new_page(), url)
            editor._load()
            yield editor
        finally:
            browser.close()
