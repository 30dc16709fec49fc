"""300 mutated answers of a server: what the client makes of each is a result or one clear sentence."""

import asyncio
import random
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

from index_builder.errors import MotionRAGError
from motionrag_nodes.batch_render.server.answers import PromptRun, read_end
from motionrag_nodes.batch_render.server.client import JOB_MARK, ComfyUIClient
from tests.motionrag_nodes.batch_render.graphs import object_info
from tests.mutations import as_json, limited, mutated

ROUNDS = 45
GRAPH = {"9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0]}, "_meta": {"title": "Save"}}}
QUEUED = [3, "id-1", GRAPH, {JOB_MARK: "job-1", "client_id": "c"}, ["9"]]
ENTRY = {
    "prompt": QUEUED,
    "outputs": {"9": {"images": [{"filename": "a.png", "subfolder": "", "type": "output"}], "text": ["x"]}},
    "status": {"status_str": "success", "completed": True, "messages": [["execution_start", {"prompt_id": "id-1"}]]},
    "meta": {"9": {"node_id": "9", "display_node": "9", "parent_node": None}},
}
FAILED = {
    "error": {"type": "prompt_outputs_failed_validation", "message": "no", "details": "", "extra_info": {}},
    "node_errors": {"9": {"errors": [{"message": "m", "details": "d"}], "class_type": "SaveImage"}},
}
ANSWERS = {
    "/system_stats": {"system": {"comfyui_version": "0.3.75", "python_version": "3"}, "devices": []},
    "/object_info": {"SaveImage": object_info()["SaveImage"]},
    "/queue": {"queue_running": [QUEUED], "queue_pending": [[4, "id-2", GRAPH, {}, ["9"]]]},
    "/history": {"id-1": ENTRY},
    "/motionrag/databases": {"winter": 3},
    "/prompt": {"prompt_id": "id-1", "number": 3, "node_errors": {}},
    "/upload/image": {"name": "a.png", "subfolder": "motionrag", "type": "input"},
}


async def ask(client: ComfyUIClient, picture: Path) -> int:
    """Every question that a batch asks; how many were refused by name."""
    refused = 0
    for question in (
        client.version,
        client.object_info,
        client.database_generations,
        client.queue,
        lambda: client.history("id-1"),
        lambda: client.find_in_history("job-9"),
        lambda: client.upload(picture, sha256="0" * 64),
        lambda: client.submit(GRAPH, prompt_id="job-7"),
    ):
        try:
            await asyncio.wait_for(question(), 60)
        except MotionRAGError as error:
            refused += 1
            assert str(error)
    return refused


async def play(picture: Path, generator: random.Random) -> int:
    async def answer(request: web.Request) -> web.Response:
        path = "/history" if request.path.startswith("/history") else request.path
        body = as_json(ANSWERS.get(path, {}), generator)
        return web.Response(
            body=body, status=generator.choice([200, 200, 200, 400, 500]), content_type="application/json"
        )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    refused = 0
    async with TestServer(app) as server:
        for _ in range(ROUNDS):
            async with ComfyUIClient(str(server.make_url("")).rstrip("/"), patience_sec=0.01) as client:
                refused += await ask(client, picture)
    return refused


def test_mutated_answers_end_in_results_or_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    with limited(seconds=300):
        refused = asyncio.run(play(tmp_path / "a.png", random.Random(11)))
    assert 0 < refused < 8 * ROUNDS


def test_mutated_histories_and_refusals() -> None:
    generator = random.Random(12)
    for number in range(200):
        run = PromptRun(prompt_id="id-1")
        try:
            with limited():
                read_end(run, mutated(ENTRY if number % 2 else FAILED, generator), GRAPH, saving=frozenset({"9"}))
        except MotionRAGError as error:
            assert str(error)
