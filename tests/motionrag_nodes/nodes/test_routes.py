"""What this project answers over HTTP: every database by name, whatever lies beside it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from tests.index_builder.sample_rows import write_database
from tests.mutations import not_for_ever

PACKAGED_DATABASE = "demo_world"


@pytest.fixture
def folder(comfy: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import folder_paths

    from motionrag_nodes.nodes import model_folders

    monkeypatch.setitem(folder_paths.folder_names_and_paths, model_folders.DATABASES, ([str(tmp_path)], set()))
    monkeypatch.delenv("MOTIONRAG_DATABASES", raising=False)
    write_database(tmp_path / "good")
    return tmp_path


def asked() -> tuple[int, dict[str, Any]]:
    from motionrag_nodes.nodes import routes

    async def ask() -> tuple[int, dict[str, Any]]:
        app = web.Application()
        app.router.add_get(routes.DATABASES_ROUTE, routes._generations)
        async with TestClient(TestServer(app)) as client:
            answer = await client.get(routes.DATABASES_ROUTE)
            return answer.status, await answer.json()

    with not_for_ever(60):
        return asyncio.run(ask())


ODD = {
    "deep": b"[" * 100_000,
    "list": b"[]",
    "shapes": b'{"format": 5, "segments": {"a": [[]]}}',
    "no json": b"\xff\xfe\x00",
    "empty": b"",
}


def test_odd_manifests_cost_nobody_the_list(folder: Path) -> None:
    for name, content in ODD.items():
        (folder / name).mkdir()
        (folder / name / "manifest-000007.json").write_bytes(content)
    (folder / "fifo").mkdir()
    os.mkfifo(folder / "fifo" / "manifest-000008.json")
    (folder / "folder" / "manifest-000009.json").mkdir(parents=True)
    (folder / "odd name" / "manifest-x.json").mkdir(parents=True)
    (folder / "loop").mkdir()
    (folder / "loop" / "manifest-000010.json").symlink_to(folder / "loop" / "manifest-000010.json")
    status, found = asked()
    assert status == 200 and found["good"] == 4
    assert {name: found[name] for name in ODD} == dict.fromkeys(ODD, 7)
    assert found["fifo"] == 8 and "odd name" not in found


def test_a_folder_that_cannot_be_listed_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def refuse(path: Any) -> list[str]:
        if Path(path).name == "locked":
            raise PermissionError(13, "Permission denied")
        return real(path)

    (folder / "locked").mkdir()
    (folder / "locked" / "manifest-000001.json").write_text("x")
    monkeypatch.setattr("index_builder.database.format.manifest.os.listdir", refuse)
    status, found = asked()
    assert status == 200 and set(found) == {"good", "locked", PACKAGED_DATABASE}
    assert found["good"] == 4 and found["locked"] is None
