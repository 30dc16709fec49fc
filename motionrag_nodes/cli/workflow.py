"""`motionrag workflow`: what a saved workflow becomes when it is sent to a server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from index_builder.border import border, read_regular
from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.cli.terminal import Console, escape, print_json

if TYPE_CHECKING:
    from motionrag_nodes.batch_render.workflow_file import ObjectInfo, WorkflowFile

EXIT_DIFFERENT = 1
_MOST_BYTES = 64 << 20

app = typer.Typer(no_args_is_help=True)


@app.callback()
def workflow() -> None:
    """Look at and convert saved ComfyUI workflows."""


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(help="A workflow as saved in ComfyUI.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the prompt; else it is printed on stdout.")
    ] = None,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compare with the server's own editor, opened in headless Chromium."),
    ] = False,
    server: Annotated[str | None, typer.Option("--server", help="URL of a running ComfyUI.")] = None,
    comfyui: Annotated[
        Path | None,
        typer.Option("--comfyui", help="ComfyUI folder to start one from (else COMFYUI_PATH, else the installed one)."),
    ] = None,
    object_info: Annotated[
        Path | None,
        typer.Option("--object-info", help="File with a server's /object_info, instead of asking a server."),
    ] = None,
) -> None:
    """Turn a saved workflow into the prompt that ComfyUI's editor would send ("Export (API)").

    Exit code: 0 converted, 1 the editor sends something else (--check), 2 bad input, or the file does not
    determine a value.
    """
    from motionrag_nodes.batch_render.workflow_file import read_workflow, to_api_graph

    if object_info is not None and (check or server is not None or comfyui is not None):
        raise RenderError(
            "Expected no server beside --object-info, received one: leave out --server, --comfyui and --check, or "
            "--object-info."
        )
    saved = read_workflow(file)
    console = Console(stderr=True)
    if object_info is not None:
        prompt, different = to_api_graph(saved, _read_object_info(object_info)), False
    else:
        with _server_url(server, comfyui, console) as url:
            info = _ask_object_info(url)
            different = check and not _check(saved, info, url, console)
            prompt = to_api_graph(saved, info)
    if output is None:
        print_json(prompt)
    else:
        _write(output, json.dumps(prompt, indent=2, ensure_ascii=False))
        console.print(f"{len(prompt)} nodes in {escape(str(output))}", highlight=False)
    if different:
        raise typer.Exit(EXIT_DIFFERENT)


def _check(saved: WorkflowFile, info: ObjectInfo, url: str, console: Console) -> bool:
    """Whether the editor sends the same; shows what differs."""
    from motionrag_nodes.batch_render.conversion.convert import convert_workflow
    from motionrag_nodes.batch_render.conversion.editor_page import FirstAlternative, differences, open_editor_page
    from motionrag_nodes.batch_render.errors import ConversionError

    if not saved.ui_form:
        raise RenderError(
            f"Expected a workflow as the editor saves it, received {saved.path} in API form: there is nothing to "
            "check, leave --check out."
        )
    with console.status("Opening the editor ..."), open_editor_page(url) as page:
        export = page.export(saved.data)
    try:
        ours = convert_workflow(saved.data, info, now=export.time, chance=FirstAlternative())
    except ConversionError:
        what = f"refuses it as well: {export.refusal}" if export.prompt is None else "sends it nevertheless"
        what = "sends it, but the server lacks classes and refuses it" if export.lacks_classes else what
        console.print(f"The editor {escape(what)}.", highlight=False, soft_wrap=True)
        raise
    if export.prompt is None:
        console.print(f"The editor refuses it: {escape(export.refusal)}", highlight=False, soft_wrap=True)
        return False
    lines = differences(ours, export.prompt)
    for line in lines:
        console.print(escape(line), highlight=False, soft_wrap=True)
    console.print(
        f"The editor sends {'something else' if lines else 'the same'} ({len(export.prompt)} nodes).", highlight=False
    )
    return not lines


@contextmanager
def _server_url(url: str | None, comfyui: Path | None, console: Console) -> Iterator[str]:
    if url is not None:
        yield url
        return
    from motionrag_nodes.batch_render.server.install import find_comfyui
    from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

    server = ComfyUIServer(find_comfyui(comfyui))
    with console.status("Starting ComfyUI ...") as status:
        server.start(lambda waited, line: status.update(f"Waiting for ComfyUI, {waited:.0f} s  {escape(line[:80])}"))
    with server:
        yield server.url


def _ask_object_info(url: str) -> ObjectInfo:
    from motionrag_nodes.batch_render.server.client import ComfyUIClient

    async def ask() -> ObjectInfo:
        async with ComfyUIClient(url) as client:
            return await client.object_info()

    return asyncio.run(ask())


def _read_object_info(path: Path) -> ObjectInfo:
    def refusal(reason: str) -> RenderError:
        return RenderError(
            f"Expected a server's classes in {path}, but it cannot be read ({reason}). Save /object_info there."
        )

    try:
        with border(refusal):
            info: Any = json.loads(read_regular(path, most_bytes=_MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise refusal(str(error)) from None
    if not isinstance(info, dict) or not all(isinstance(entry, dict) for entry in info.values()):
        raise RenderError(
            f"Expected the classes of a server by name in {path}, received something else. Save /object_info there."
        )
    return info


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")  # JSON's own escapes
    except OSError as error:
        raise RenderError(
            f"Expected to write {path}, but it is not possible ({error.strerror or error}). Choose another place."
        ) from None
