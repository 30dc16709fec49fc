"""Downloads: exactly the files asked for, into the hub's own cache; cut connections, damage, and a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motionrag_nodes.errors import DownloadDamaged, HubRefused, HubUnreachable
from motionrag_nodes.fetch.addresses import open_address, require_address
from motionrag_nodes.fetch.download import PARTIAL, download
from motionrag_nodes.fetch.plan import plan_fetch
from tests.motionrag_nodes.fetch.conftest import COMMIT, LARGE

WEIGHTS = "weights/model.safetensors"


def partials(hub) -> list[Path]:
    return list(hub.cache_folder.rglob(f"*{PARTIAL}*"))


def test_exactly_the_files_of_the_plan_are_there_for_every_program(server, hub, source) -> None:
    from huggingface_hub import snapshot_download

    came = []
    download(plan_fetch([source], hub), hub, progress=lambda name, count: came.append(count))
    assert sum(came) == len(LARGE) + 2
    folder = hub.snapshot("someone/model", COMMIT)
    assert (folder / WEIGHTS).read_bytes() == LARGE
    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["config.json", "model.safetensors"]
    found = snapshot_download("someone/model", revision=COMMIT, cache_dir=hub.cache_folder, local_files_only=True)
    assert Path(found) == folder
    assert server.sent_bytes == {WEIGHTS: len(LARGE)} and not partials(hub)
    download(plan_fetch([source], hub), hub)
    assert server.sent_bytes == {WEIGHTS: len(LARGE)}


def test_a_cut_connection_goes_on_where_it_was(server, hub, source) -> None:
    server.cut_after[WEIGHTS] = 70_000
    download(plan_fetch([source], hub), hub)
    assert (hub.snapshot("someone/model", COMMIT) / WEIGHTS).read_bytes() == LARGE
    assert server.ranges == [f"{WEIGHTS} from {start}" for start in (70_000, 140_000, 210_000, 280_000)]
    assert server.sent_bytes[WEIGHTS] == len(LARGE)


def test_a_connection_that_brings_nothing_is_given_up_and_keeps_what_came(server, hub, source, monkeypatch) -> None:
    plan = plan_fetch([source], hub)
    server.cut_after[WEIGHTS] = 100_000
    cut = iter([False, True, True, True, True])
    original = server.cut_after.get
    monkeypatch.setattr(server, "cut_after", Cutting(lambda name, _=None: 0 if next(cut) else original(name)))
    with pytest.raises(HubUnreachable, match=r"the rest of .* from 127.0.0.1:\d+, but the connection fails .*run this"):
        download(plan, hub)
    (partial,) = [path for path in partials(hub) if path.name.endswith(PARTIAL)]
    assert partial.read_bytes() == LARGE[:100_000]
    monkeypatch.setattr(server, "cut_after", {})
    download(plan_fetch([source], hub), hub)
    assert server.ranges[-1] == f"{WEIGHTS} from 100000" and not partials(hub)
    assert (hub.snapshot("someone/model", COMMIT) / WEIGHTS).read_bytes() == LARGE


class Cutting:
    """A table of cuts that changes with each question."""

    def __init__(self, get) -> None:
        self.get = get


def test_damage_on_the_way_is_found_and_removed(server, hub, source) -> None:
    server.corrupt.add(WEIGHTS)
    with pytest.raises(DownloadDamaged, match=r"model\.safetensors of someone/model with the hash .*was removed"):
        download(plan_fetch([source], hub), hub)
    assert not [path for path in partials(hub) if path.suffix != ".lock"]
    assert hub.cached_file("someone/model", WEIGHTS, COMMIT) is None
    server.corrupt.clear()
    download(plan_fetch([source], hub), hub)
    assert hub.cached_file("someone/model", WEIGHTS, COMMIT).read_bytes() == LARGE


def test_terms_that_came_after_the_plan_are_explained(server, hub, source) -> None:
    plan = plan_fetch([source], hub)
    server.repositories["someone/model"].gated = True
    with pytest.raises(HubRefused, match="accept their terms first"):
        download(plan, hub)


def test_the_token_is_not_given_to_the_store(server, hub, source, monkeypatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    download(plan_fetch([source], hub), hub)
    assert "store" not in server.tokens and "someone" in server.tokens


@pytest.mark.parametrize("stated", ["../../../../evil", "/etc/evil", "a" * 40 + "/x", "A" * 64, "a" * 39, "x\\y", ".."])
def test_a_hash_that_is_none_names_no_file(server, hub, source, stated: str) -> None:
    for name in source.files:
        server.etags = {name: stated}
        with pytest.raises(HubRefused, match=r"Expected the hub to state a hash of .* of someone/model, received"):
            download(plan_fetch([source], hub), hub)
    assert not [path for path in hub.cache_folder.parent.rglob("*evil*")] and not partials(hub)


ADDRESSES = ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "http://192.0.2.1/x", "http:///x", "http://[x/", "x"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_answer_leads_to_any_other_address(server, hub, source, address: str) -> None:
    plan = plan_fetch([source], hub)
    server.locations[WEIGHTS] = address
    if "://" in address[5:] or address.startswith(("file", "data")):
        with pytest.raises(HubRefused, match="lead on to an https address"):
            download(plan, hub)
    with pytest.raises(HubRefused, match="lead on to an https address"):
        require_address(address, "https://huggingface.co/a/b")
    assert not server.sent_bytes


def test_the_store_leads_on_as_the_hub_does(server, hub, source) -> None:
    plan = plan_fetch([source], hub)
    server.led_on[WEIGHTS] = "http://192.0.2.1/x"
    with pytest.raises(HubRefused, match="lead on to an https address"):
        download(plan, hub)
    # Where the hub sends its bytes itself and leads on from there, the token stays.
    server.led_on[WEIGHTS] = f"{server.url.replace('127.0.0.1', 'localhost')}/store/someone/model/weights/again.bin"
    own = f"{server.url}/store/someone/model/{WEIGHTS}"
    server.told.clear()
    with open_address(own, {"authorization": "x"}, asked=server.url) as answer:
        assert answer.read() == LARGE[::-1]
    assert server.told == [("127.0.0.1", True), ("localhost", False)]


def test_an_unencrypted_hub_that_was_asked_for_is_used() -> None:
    require_address("http://mirror.example/x", "http://mirror.example:8000/a/b")
    require_address("https://store.example/x", "http://mirror.example/a/b")
    with pytest.raises(HubRefused, match="lead on to an https address"):
        require_address("http://store.example/x", "http://mirror.example/a/b")


def test_a_commit_that_is_none_names_no_folder(server, hub, source) -> None:
    server.repositories["someone/model"].commit = "../../x"
    with pytest.raises(HubRefused, match="Expected a commit of someone/model"):
        plan_fetch([source], hub, latest=True)


def test_a_killed_download_goes_on_where_it_was(server, hub, source, tmp_path: Path) -> None:
    server.cut_after[WEIGHTS] = 150_000
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from motionrag_nodes.backbones.hub_source import HubSource\n"
        "from motionrag_nodes.fetch import download\n"
        "from motionrag_nodes.fetch.hub import Hub\n"
        "from motionrag_nodes.fetch.plan import plan_fetch\n"
        "download.PAUSES_SEC = (600.0,)\n"  # waits after the cut
        "hub = Hub(endpoint=sys.argv[1], cache=Path(sys.argv[2]))\n"
        f"source = HubSource({source.repo!r}, {source.revision!r}, 'x', 'x', {source.files!r})\n"
        "download.download(plan_fetch([source], hub), hub)\n"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "0"}
    arguments = [sys.executable, "-c", program, server.url, str(hub.cache_folder)]
    process = subprocess.Popen(arguments, env=environment)
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size == 150_000 for path in partials(hub)):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.cut_after.clear()
    download(plan_fetch([source], hub), hub)
    assert server.ranges == [f"{WEIGHTS} from 150000"] and server.sent_bytes[WEIGHTS] == len(LARGE)
    assert (hub.snapshot("someone/model", COMMIT) / WEIGHTS).read_bytes() == LARGE
