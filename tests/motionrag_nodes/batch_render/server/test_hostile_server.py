"""A server that means harm: answers without end, compressed or leading elsewhere, events and files of any shape."""

import asyncio
import contextlib
import gzip
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from index_builder.errors import MotionRAGError
from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, JobFailed
from motionrag_nodes.batch_render.results.content import check_content, local_suffix
from motionrag_nodes.batch_render.server import client as client_module
from motionrag_nodes.batch_render.server import http
from motionrag_nodes.batch_render.server.answers import PromptRun, ServerFile, read_end
from motionrag_nodes.batch_render.server.client import ComfyUIClient
from tests.mutations import as_json, limited, mutated_bytes

FILE = ServerFile("9", "a.png", "", "output")
EVENTS = [
    {"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}, "sid": "x", "prompt_id": "id-1"}},
    {"type": "executing", "data": {"node": "9", "display_node": "9", "prompt_id": "id-1"}},
    {"type": "progress", "data": {"value": 1, "max": 2, "node": "9", "prompt_id": "id-1"}},
    {"type": "execution_cached", "data": {"nodes": ["9"], "prompt_id": "id-1"}},
]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def asked(handler: Handler) -> AsyncIterator[ComfyUIClient]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    async with TestServer(app) as server:
        async with ComfyUIClient(str(server.make_url("")).rstrip("/"), patience_sec=0.01) as client:
            yield client


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b"[" * 65536)
    return response


def run(handler: Handler, use: Callable[[ComfyUIClient], Awaitable[object]]) -> object:
    async def play() -> object:
        async with asked(handler) as client:
            return await asyncio.wait_for(use(client), 60)

    with limited(seconds=120):
        return asyncio.run(play())


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_ANSWER_BYTES", 1 << 20)
    for use in (ComfyUIClient.object_info, lambda client: client.history("id-1"), ComfyUIClient.database_generations):
        with pytest.raises(ComfyUIConnectionError, match=r"Expected at most 1 MiB .* answers without end"):
            run(endless, use)
    monkeypatch.setattr(http, "MOST_ANSWER_SEC", -1.0)
    with pytest.raises(ComfyUIConnectionError, match="answers without end"):
        run(endless, ComfyUIClient.queue)


def test_a_file_without_end_is_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(client_module, "_MOST_RESULT_BYTES", 1 << 20)
    with (tmp_path / "a").open("wb") as out, pytest.raises(JobFailed, match=r"of a\.png from .*does not end"):
        run(endless, lambda client: client.view(FILE, out))
    assert (tmp_path / "a").stat().st_size <= 1 << 20
    monkeypatch.setattr(client_module, "_MOST_RESULT_BYTES", 1 << 40)
    monkeypatch.setattr(client_module, "_SLOW_SEC", -1e9)
    with pytest.raises(JobFailed, match="KiB a second"):
        run(endless, lambda client: client.view(FILE))


def test_nothing_compressed_is_unpacked() -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "identity"
        body = gzip.compress(b"[" * (8 << 20))
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    with pytest.raises(ComfyUIConnectionError, match="Expected JSON from"):
        run(bomb, ComfyUIClient.object_info)


def test_json_that_would_fill_the_memory_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_PARTS", 1000)
    with pytest.raises(ValueError, match="more than 1000 tables and lists"):
        http.parsed("[" + "[]," * 2000 + "[]]")
    monkeypatch.setattr(http, "MOST_MEMBERS", 1000)
    with pytest.raises(ValueError, match="more than 1000 members"):
        http.parsed("[" + "1," * 2000 + "1]")
    assert http.parsed('{"a": [1]}') == {"a": [1]}


def test_an_encoding_of_its_own_invention() -> None:
    async def odd(_: web.Request) -> web.Response:
        return web.Response(body=b'{"x": {}}', headers={"Content-Type": "application/json; charset=no-such"})

    assert run(odd, ComfyUIClient.object_info) == {"x": {}}


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//other", "elsewhere"])
def test_nobody_is_led_elsewhere(place: str) -> None:
    """Not by an answer, and not by the websocket's, whose request would take the credentials along."""
    asked_for = []

    async def lead(request: web.Request) -> web.Response:
        asked_for.append(request.path)
        where = str(request.url.origin()) + "/taken" if place == "elsewhere" else place
        return web.Response(status=302, headers={"Location": where})

    with pytest.raises(MotionRAGError, match="sends /object_info on to"):
        run(lead, ComfyUIClient.object_info)
    assert run(lead, lambda client: client.listen(0.3)) is False
    assert "/taken" not in asked_for and "/ws" in asked_for


def test_mutated_events_are_passed_by_and_the_stream_goes_on() -> None:
    """300 of them, and then one that is as it should be."""
    generator, heard = random.Random(21), []

    async def stream(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        for number in range(300):
            text = as_json(EVENTS[number % len(EVENTS)], generator).decode("utf-8", "replace")
            await socket.send_str(text)
            await socket.send_bytes(mutated_bytes(b"\0\0\0\1\0\0\0\1" + b"x" * 64, generator))
        await socket.send_str("x" * 200_000)
        await socket.send_json({"type": "executing", "data": {"node": None, "prompt_id": "id-1"}})
        async for _ in socket:
            pass
        return socket

    def trip(kind: str, data: dict) -> None:
        heard.append(kind)
        if kind == "progress":
            return data["value"] / data["max"]  # of whatever type they are

    async def listen(client: ComfyUIClient) -> None:
        notes = client_module._Notes(PromptRun(prompt_id="id-1"), asyncio.Event(), trip)
        with client._events.listening("id-1", notes):
            assert await client.listen(10)
            await asyncio.wait_for(_ended(notes), 30)
        await client.close()  # raises what ended the stream, if anything did

    async def _ended(notes: client_module._Notes) -> None:
        while not (heard and heard[-1] == "executing" and notes.current is None and notes.ended.is_set()):
            await asyncio.sleep(0.01)

    run(stream, listen)
    assert len(heard) > 50


def test_mutated_files_end_as_files_or_in_sentences(tmp_path: Path) -> None:
    """300 answers of /view: what comes is kept only if it is whole."""
    generator, ended = random.Random(22), {"kept": 0, "refused": 0}
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 40 + b"IEND\xaeB`\x82"
    bodies = [
        png,
        b"RIFF\x08\0\0\0WEBPVP8 ",
        b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov",
        b"GIF89a;",
        b"glTF" * 4,
    ]
    names = ["a.png", "../../a.png", "/etc/passwd", "a\0b.png", "a" * 5000, "\x1b[2Ja.mp4", "a.ex\u202egpj", "."]

    async def give(_: web.Request) -> web.Response:
        status = generator.choice([200] * 8 + [404, 400])
        body = mutated_bytes(generator.choice(bodies), generator) if generator.random() < 0.8 else b""
        return web.Response(status=status, body=body)

    async def fetch(client: ComfyUIClient) -> None:
        for number in range(300):
            file = ServerFile("9", generator.choice(names), generator.choice(["", "../..", "\0"]), "output")
            try:
                with (tmp_path / "part").open("wb") as out:
                    await client.view(file, out)
                content = check_content(tmp_path / "part", name=file.filename)
                suffix = local_suffix(file.filename, content)
                assert suffix == "" or suffix[1:].isalnum()
                ended["kept"] += 1
            except MotionRAGError as error:
                assert str(error) and "\x1b" not in str(error) and "\u202e" not in str(error), number
                ended["refused"] += 1

    run(give, fetch)
    assert min(ended.values()) > 20


def test_more_files_than_any_job_has(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [{"filename": f"{number}.png"} for number in range(20_001)]
    entry = {"outputs": {"9": {"images": files}}, "status": {"status_str": "success"}}
    with pytest.raises(JobFailed, match="files of one job, received 20001"):
        read_end(PromptRun(prompt_id="id-1"), json.loads(json.dumps(entry)), {})


def test_the_trace_of_redirects_is_a_client_error() -> None:
    with pytest.raises(aiohttp.ClientError, match="another address"):
        asyncio.run(http._refuse_redirect())
