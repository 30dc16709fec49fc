"""Starting and stopping, with small stand-in programs in place of ComfyUI's main.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import ComfyUIStartError
from motionrag_nodes.batch_render.server.install import ComfyUIInstall, checkout_folder
from motionrag_nodes.batch_render.server.own_server import ComfyUIServer

ANSWERS = """
import http.server, json, os, subprocess, sys
port = int(sys.argv[sys.argv.index("--port") + 1])
open("argv.json", "w").write(json.dumps(sys.argv[1:]))
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open("pids", "w").write(f"{os.getpid()} {child.pid}")
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(json.dumps({"system": {"seen": os.environ.get("SEEN")}}).encode())
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + ANSWERS
DIES = "print('No module named torchsde')\nraise SystemExit(3)\n"
HANGS = "import time\nprint('loading', flush=True)\ntime.sleep(600)\n"


def _install(folder: Path, program: str) -> ComfyUIInstall:
    app = folder / "app"
    (app / "comfy").mkdir(parents=True)
    (app / "nodes.py").write_text("")
    (app / "main.py").write_text(program)
    return ComfyUIInstall(folder=app, version="1", from_package=False)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A dead child that nobody has waited for yet still has its pid.
    return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text() if Path("/proc").is_dir() else True


def _gone(pids: list[int]) -> bool:
    for _ in range(100):
        if not any(_alive(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("program", [ANSWERS, STUBBORN], ids=["polite", "stubborn"])
def test_start_and_stop_leave_no_process(tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionrag_nodes.batch_render.server.own_server._STOP_GRACE_SEC", 0.2)
    install = _install(tmp_path, program)
    waits: list[float] = []
    with ComfyUIServer(install, base=tmp_path / "base", environment={"SEEN": "1"}).start(
        lambda seconds, line: waits.append(seconds)
    ) as server:
        assert server.running
        assert waits
        assert "listening" in server.log_tail()
        pids = [int(pid) for pid in (install.folder / "pids").read_text().split()]
        assert len(pids) == 2
    assert not server.running
    assert _gone(pids)
    server.stop()


def test_a_user_s_own_comfyui_gets_folders_and_nodes_without_being_written_to(tmp_path: Path) -> None:
    install = _install(tmp_path, ANSWERS)
    (install.folder / "custom_nodes" / "theirs").mkdir(parents=True)
    (install.folder / "models" / "checkpoints").mkdir(parents=True)
    with ComfyUIServer(install, base=tmp_path / "base"):
        arguments = json.loads((install.folder / "argv.json").read_text())
    assert arguments[arguments.index("--base-directory") + 1] == str(tmp_path / "base")
    listed = Path(arguments[arguments.index("--extra-model-paths-config") + 1]).read_text()
    assert str(install.folder / "models" / "checkpoints") in listed
    assert str(install.folder / "custom_nodes") in listed
    assert (tmp_path / "base" / "custom_nodes" / "motionrag").resolve() == checkout_folder()
    assert [path.name for path in (install.folder / "custom_nodes").iterdir()] == ["theirs"]


def test_a_program_that_dies_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = ComfyUIServer(_install(tmp_path, DIES), base=tmp_path / "base")
    with pytest.raises(ComfyUIStartError, match=r"(?s)exit code 3\).*No module named torchsde"):
        server.start()
    assert not server.running


def test_a_program_that_never_answers_is_stopped(tmp_path: Path) -> None:
    server = ComfyUIServer(_install(tmp_path, HANGS), base=tmp_path / "base", start_timeout_sec=1.0)
    with pytest.raises(ComfyUIStartError, match=r"(?s)to answer .* within 1 s, but it did not.*loading"):
        server.start()
    assert not server.running


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_it_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    install = _install(tmp_path, ANSWERS)
    program = (
        "import time\nfrom pathlib import Path\n"
        "from motionrag_nodes.batch_render.server.install import ComfyUIInstall\n"
        "from motionrag_nodes.batch_render.server.own_server import ComfyUIServer\n"
        f"install = ComfyUIInstall(folder=Path({str(install.folder)!r}), version='1', from_package=False)\n"
        f"ComfyUIServer(install, base=Path({str(tmp_path / 'base')!r})).start()\n"
        "print('started', flush=True)\ntime.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], cwd=checkout_folder(), stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"started\n"
    pid, child = (int(pid) for pid in (install.folder / "pids").read_text().split())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert _gone([pid])
    os.kill(child, signal.SIGKILL)
