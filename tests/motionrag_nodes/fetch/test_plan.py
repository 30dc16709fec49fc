"""The plan: sizes, licence and commits as the hub states them; what is here already; refusals with what to do."""

import shutil
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from motionrag_nodes.errors import HubRefused, HubUnreachable
from motionrag_nodes.fetch.download import download
from motionrag_nodes.fetch.hub import Hub
from motionrag_nodes.fetch.plan import plan_fetch, require_room
from tests.motionrag_nodes.fetch.conftest import COMMIT, LARGE
from tests.motionrag_nodes.fetch.hub_server import Repository


def test_a_plan_says_what_it_costs(server, hub, source) -> None:
    server.repositories["someone/model"].licence = {"license": "other", "license_name": "a-licence-of-its-own"}
    (entry,) = plan_fetch([source], hub).repositories
    assert (entry.commit, entry.licence, entry.gated) == (COMMIT, "a-licence-of-its-own", False)
    assert [(file.name, file.size_bytes, file.cached) for file in entry.files] == [
        ("config.json", 2, False),
        ("weights/model.safetensors", len(LARGE), False),
    ]
    assert entry.missing_bytes == entry.size_bytes == len(LARGE) + 2
    assert not hub.cache_folder.exists()


def test_what_is_here_needs_no_hub(server, hub, source, monkeypatch) -> None:
    plan = plan_fetch([source], hub)
    download(plan, hub)
    asked = server.asked.copy()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    again = plan_fetch([source], hub)
    assert again.missing_bytes == 0 and server.asked == asked
    assert again.commit_of("someone/model") == COMMIT
    with pytest.raises(HubUnreachable, match="HF_HUB_OFFLINE forbids it: unset it"):
        plan_fetch([replace(source, files=("other.json",))], hub)


def test_latest_takes_the_newest_commit(server, hub, source) -> None:
    server.repositories["someone/model"] = Repository("b" * 40, {name: b"new" for name in source.files})
    assert plan_fetch([source], hub, latest=True).commit_of("someone/model") == "b" * 40
    with pytest.raises(HubRefused, match=r"the pinned commit of someone/model on the hub, found none: .*--latest"):
        plan_fetch([source], hub)


def test_a_repository_with_terms_is_explained(server, hub, source) -> None:
    server.repositories["someone/model"].gated = True
    with pytest.raises(HubRefused, match=r"their terms first: open https://huggingface.co/someone/model .*hf auth"):
        plan_fetch([source], hub)


def test_a_repository_or_file_that_is_gone_is_named(server, hub, source) -> None:
    with pytest.raises(HubRefused, match=r"Expected model\.fp16\.safetensors in someone/model at a+, found 3 other"):
        plan_fetch([replace(source, files=("config.json", "model.fp16.safetensors"))], hub)
    with pytest.raises(HubRefused, match="the repository someone/else on the hub, found none that you may see"):
        plan_fetch([replace(source, repo="someone/else")], hub)


def test_no_connection_is_said(server, source, tmp_path: Path) -> None:
    with pytest.raises(HubUnreachable, match="an answer of the hub about someone/model, received none"):
        plan_fetch([source], Hub(endpoint="http://127.0.0.1:9", cache=tmp_path))


def test_a_full_disk_is_said_before_the_download(hub, source, monkeypatch) -> None:
    plan = plan_fetch([source], hub)
    require_room(plan, hub.cache_folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(1000))
    with pytest.raises(HubRefused, match=r"Expected 2\.1 GB free for .*cache, found 0\.0 GB: make room, or .*--cache"):
        require_room(plan, hub.cache_folder)
    download(plan, hub)
    require_room(plan_fetch([source], hub), hub.cache_folder)
