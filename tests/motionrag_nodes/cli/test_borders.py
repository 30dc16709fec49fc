"""What strangers hand over, through the program's own entry: a result or one sentence, exit code 2, no traceback.

A few of each kind: the tests of the readers themselves try hundreds.
"""

from __future__ import annotations

import http.server
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from motionrag_nodes.cli import index_options, main
from tests.index_builder.projection_encoder import ProjectionEncoder
from tests.index_builder.sample_rows import write_database
from tests.index_builder.sample_videos import write_video
from tests.motionrag_nodes.batch_render.graphs import object_info, text_to_image, write_workflow
from tests.motionrag_nodes.cli.one_process import END, command_line
from tests.mutations import as_json, limited, mutated_bytes

ROOT = Path(__file__).resolve().parents[3]
Entered = Callable[..., tuple[int, str]]


@pytest.fixture
def enter(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Entered:
    """Runs `motionrag ARGUMENTS` in this process; gives the exit code and what it said of an error."""
    monkeypatch.setattr(main.logging, "basicConfig", lambda **_: None)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["motionrag", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end, limited():
            main.main()
        said = capsys.readouterr().err
        code = end.value.code or 0
        assert code in (0, 1, 2) and "Traceback" not in said and "\x1b" not in said
        assert code != 2 or f"\n{said}".count("\nError:") == 1, said
        return int(code), said

    return run


def test_mutated_workflows(enter: Entered, tmp_path: Path) -> None:
    generator, info = random.Random(31), tmp_path / "info.json"
    info.write_text(json.dumps(object_info()))
    codes = []
    for _ in range(6):
        (tmp_path / "w.json").write_bytes(as_json(text_to_image(), generator))
        codes.append(enter("workflow", "convert", tmp_path / "w.json", "--object-info", info)[0])
    assert {0, 2} == set(codes)


def test_mutated_descriptions_of_nodes(enter: Entered, tmp_path: Path) -> None:
    generator, workflow = random.Random(32), write_workflow(tmp_path / "w.json", text_to_image())
    codes = []
    for _ in range(6):
        (tmp_path / "info.json").write_bytes(as_json(object_info(), generator))
        codes.append(enter("workflow", "convert", workflow, "--object-info", tmp_path / "info.json")[0])
    assert 2 in codes


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".tar"])
def test_mutated_caption_tables(enter: Entered, tmp_path: Path, suffix: str) -> None:
    generator, content = random.Random(suffix), b'path,caption\na.mp4,"a ball"\n' * 20
    (tmp_path / "videos").mkdir()
    for _ in range(3):
        (tmp_path / f"t{suffix}").write_bytes(mutated_bytes(content, generator))
        arguments = ["index", "build", tmp_path / "videos", "-o", tmp_path / "db"]
        assert enter(*arguments, "--captions", tmp_path / f"t{suffix}")[0] == 2


def test_mutated_packs(enter: Entered, tmp_path: Path, write_tiny_pack) -> None:
    generator, folder = random.Random(33), write_tiny_pack(tmp_path / "pack")
    database = write_database(tmp_path / "db")
    original = (folder / "pack.json").read_bytes()
    for _ in range(6):
        (folder / "pack.json").write_bytes(as_json(json.loads(original), generator))
        assert enter("index", "search", database, "-p", "a ball", "--pack", folder)[0] == 2


def test_mutated_databases(enter: Entered, tmp_path: Path) -> None:
    generator, database = random.Random(34), write_database(tmp_path / "db")
    codes = set()
    for _ in range(4):
        copy = shutil.copytree(database, tmp_path / "copy")
        path = generator.choice(sorted(p for p in copy.rglob("*") if p.is_file()))
        path.write_bytes(mutated_bytes(path.read_bytes(), generator))
        for command in ("verify", "inspect"):
            codes.add(enter("index", command, copy)[0])
        shutil.rmtree(copy)
    assert codes >= {0, 1} or codes >= {1, 2}


@pytest.fixture
def server() -> Iterator[tuple[str, dict]]:
    """Answers every question with mutated JSON; with "endless" in its settings they never end."""
    settings: dict = {"generator": random.Random(35), "endless": False}
    answers = {
        "/system_stats": {"system": {"comfyui_version": "0.3.75"}},
        "/object_info": object_info(),
        "/motionrag/databases": {"winter": 3},
    }

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            try:
                while settings["endless"]:
                    self.wfile.write(b"[" * 65536)
                self.wfile.write(as_json(answers.get(self.path.split("?")[0], {}), settings["generator"]))
            except ConnectionError:
                pass

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as opened:
        opened.daemon_threads = True
        threading.Thread(target=opened.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{opened.server_port}", settings
        opened.shutdown()


def test_mutated_servers(enter: Entered, tmp_path: Path, server: tuple[str, dict]) -> None:
    workflow = write_workflow(tmp_path / "w.json", text_to_image())
    codes = [
        enter("render", workflow, "-o", tmp_path / "out", "--server", server[0], "--dry-run", "--patience", 0)[0]
        for _ in range(6)
    ]
    assert 2 in codes


FILES = {
    "sheet": ("index", "inspect", "DB", "--sheet"),
    "atlas": ("index", "inspect", "DB", "--atlas"),
    "found": ("index", "search", "BUILT", "-p", "a ball", "--sheet"),
    "report": ("index", "build", "VIDEOS", "-o", "BUILT", "--report"),
    "export": ("index", "export", "DB"),
    "prompt": ("workflow", "convert", "WORKFLOW", "--object-info", "INFO", "--output"),
    "pack": (
        "convert",
        "--backbone",
        "svd",
        "--motion-proj",
        "INFO",
        "--motion-transformer",
        "INFO",
        "--adapter",
        "INFO",
        "--output",
    ),
    "fetched": ("fetch", "svd", "--output"),
    "renders": ("render", "WORKFLOW", "--server", "http://127.0.0.1:9", "--patience", "0", "--output"),
    "calibration": ("calibrate", "--database", "DB", "--pack"),
    "captions": ("caption", "VIDEOS", "--model", "m", "--endpoint", "http://127.0.0.1:9/v1", "--output"),
}
FOLDERS = ("pack", "fetched", "renders", "calibration")
SUFFIXES = dict.fromkeys(FOLDERS, "") | {"export": ".parquet", "prompt": ".json", "captions": ".csv", "report": ".html"}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_cannot_be_written(
    enter: Entered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """In a place below a file, and where a folder lies, or for a folder a file; on a terminal without UTF-8."""
    monkeypatch.setattr(index_options, "load_encoder", lambda pack, device="cpu": ProjectionEncoder())
    monkeypatch.setattr(index_options, "say_what_is_unlike", lambda *_, **__: None)
    (tmp_path / "file").write_text("")
    suffix = SUFFIXES.get(kind, ".png")
    (tmp_path / f"folder{suffix}" / "x").mkdir(parents=True)
    write_video(tmp_path / "videos" / "é ☃.mp4").with_suffix(".txt").write_text("a ball")
    (tmp_path / "info.json").write_text(json.dumps(object_info()))
    places = {
        "DB": lambda: write_database(tmp_path / "db"),
        "VIDEOS": lambda: tmp_path / "videos",
        "BUILT": lambda: tmp_path / "built",
        "WORKFLOW": lambda: write_workflow(tmp_path / "w.json", text_to_image()),
        "INFO": lambda: tmp_path / "info.json",
    }
    if kind == "found":
        assert enter("index", "build", tmp_path / "videos", "-o", tmp_path / "built", "--workers", 1)[0] == 0
    arguments = [places[part]() if part in places else part for part in FILES[kind]]
    sys.stdout.reconfigure(encoding="ascii")
    for target in (f"file/x{suffix}", "file" if kind in FOLDERS else f"folder{suffix}"):
        code, said = enter(*arguments, tmp_path / target)
        assert code == 2 and target.split("/")[0] in " ".join(said.split()).replace(" ", ""), said
    assert not list(tmp_path.glob("*.tmp")) and (tmp_path / "file").read_text() == ""


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))


def test_as_a_process_of_its_own(tmp_path: Path, server: tuple[str, dict]) -> None:
    """With a limit on memory that the system keeps, and a terminal of ASCII; its reader goes away in the end."""
    whole, workflow = write_database(tmp_path / "whole"), write_workflow(tmp_path / "w.json", text_to_image())
    (tmp_path / "deep.json").write_text('{"nodes": ' + "[" * 200_000)
    (tmp_path / "db").mkdir()
    with (tmp_path / "db" / "manifest-000001.json").open("wb") as stream:
        os.truncate(stream.fileno(), 1 << 40)
    server[1]["endless"] = True
    commands = [
        ["workflow", "convert", tmp_path / "deep.json", "--object-info", workflow],
        ["index", "inspect", tmp_path / "db"],
        ["render", workflow, "-o", tmp_path / "out", "--server", server[0], "--dry-run", "--patience", 0],
        ["index", "inspect", whole, "--json"],
    ]
    running = subprocess.Popen(
        command_line(commands),
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=limit_memory,
    )
    assert running.stdout and all(running.stdout.readline().startswith(END.encode()) for _ in commands[1:])
    assert running.stdout.read(1) == b"{"
    running.stdout.close()
    running.stdout = None
    _, said = running.communicate(timeout=120)
    assert b"Traceback" not in said, said[-2000:]
    assert said.count(b"Error:") == 3 and said.count(f"{END} 2".encode()) >= 3, said[-2000:]
