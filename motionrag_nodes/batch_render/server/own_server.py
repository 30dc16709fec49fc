"""Starts ComfyUI headless as a child process, waits until it answers, and stops it whatever happens."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from index_builder.plain_text import plain_logger
from motionrag_nodes.batch_render.errors import ComfyUIStartError
from motionrag_nodes.batch_render.server.install import (
    ComfyUIInstall,
    checkout_folder,
    default_cache,
    prepare_base,
    working_copy,
)
from motionrag_nodes.batch_render.server.model_paths import write_config

logger = plain_logger(__name__)

PYTHON_VARIABLE = "COMFYUI_PYTHON"
_LOG_TAIL_LINES = 30
_STOP_GRACE_SEC = 5.0
_PR_SET_PDEATHSIG = 1
# Threads that spin while waiting for each other cost a shared machine dearly: measured on 2 busy cores, a denoising
# step of the tiny pack took 6 s with spinning threads and 1.4 s with sleeping ones.
_PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


class ComfyUIServer:
    """A running ComfyUI of one's own. Use as a context manager, or call start() and stop().

    `base` holds its models, input, output, temp and user folders; without one a temporary folder is used.
    A user's own ComfyUI keeps its models and custom nodes, and those of `base` come to them. `models` are further
    folders like its models/, `extra_paths` files like its extra_model_paths.yaml, `arguments` more options for its
    command line.
    """

    def __init__(
        self,
        install: ComfyUIInstall,
        *,
        base: Path | None = None,
        cache: Path | None = None,
        environment: Mapping[str, str] | None = None,
        models: Sequence[Path] = (),
        extra_paths: Sequence[Path] = (),
        arguments: Sequence[str] = (),
        start_timeout_sec: float = 180.0,
    ) -> None:
        self.install = install
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start_timeout_sec = start_timeout_sec
        self._cache = cache or default_cache()
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        if base is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="motionrag-comfyui-")
            base = Path(self._scratch.name)
        self.base = base.resolve()
        self.log_path = self.base / "comfyui.log"
        self._environment = dict(environment or {})
        self._models, self._extra_paths = tuple(models), tuple(extra_paths)
        self._arguments = tuple(arguments)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, on_wait: Callable[[float, str], None] | None = None) -> ComfyUIServer:
        """Starts and waits until it answers; `on_wait(seconds so far, last log line)` is called about twice a second.

        Raises ComfyUIStartError with the tail of its log when it stops or does not answer in time.
        """
        app = working_copy(self.install, self._cache)
        prepare_base(self.base, app=app, link_checkout=self.install.from_package or not _holds_checkout(app))
        environment = {**_PATIENT_THREADS, **os.environ, **self._environment, "PYTHONUNBUFFERED": "1"}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(app),
                cwd=app,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a terminal's Ctrl-C reaches us alone; we then stop it in order
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        atexit.register(self.stop)
        try:
            self._wait_until_ready(on_wait)
        except BaseException:
            self.stop()
            raise
        return self

    def restart(self) -> None:
        """Starts again, with its folders as they are, on another port: the old one may still be in use.

        Raises ComfyUIStartError.
        """
        self._end_process()
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def stop(self) -> None:
        """Ends the process and its children: asks, waits a little, then kills. Safe to call twice."""
        self._end_process()
        atexit.unregister(self.stop)
        if self._scratch is not None:
            self._scratch.cleanup()

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            _end_group(process, forcibly=False)
            try:
                process.wait(_STOP_GRACE_SEC)
            except subprocess.TimeoutExpired:
                logger.debug("ComfyUI did not end when asked; killing it")
        if process is not None:
            _end_group(process, forcibly=True)
            process.wait()

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines that ComfyUI logged."""
        if not self.log_path.is_file():
            return ""
        written = [line for line in self.log_path.read_text(errors="replace").splitlines() if line.strip()]
        return "\n".join(written[-lines:])

    def __enter__(self) -> ComfyUIServer:
        return self if self.running else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _command(self, app: Path) -> list[str]:
        python = os.environ.get(PYTHON_VARIABLE) or sys.executable
        command = [python, "-u", "main.py", "--port", str(self.port), "--listen", "127.0.0.1", "--disable-auto-launch"]
        # API nodes call out to the network; a render farm's machine has none to spare.
        command += ["--disable-api-nodes", "--database-url", "sqlite:///:memory:"]
        # A user's own folder is read from and never written to: all that a run leaves lies in `base`.
        command += ["--base-directory", str(self.base)]
        models, custom_nodes = list(self._models), None
        if not self.install.from_package and self.base != app.resolve():
            models += [app / "models"] if (app / "models").is_dir() else []
            custom_nodes = app / "custom_nodes" if (app / "custom_nodes").is_dir() else None
        config = write_config(self.base, models=models, custom_nodes=custom_nodes)
        files = [str(path) for path in (config, *self._extra_paths) if path is not None]
        if files:
            command += ["--extra-model-paths-config", *files]
        if not _gpu_present():
            command.append("--cpu")
        return [*command, *self._arguments]

    def _wait_until_ready(self, on_wait: Callable[[float, str], None] | None) -> None:
        started = time.monotonic()
        while True:
            waited_sec = time.monotonic() - started
            if self._process is None or self._process.poll() is not None:
                code = self._process.returncode if self._process else "?"
                raise ComfyUIStartError(
                    f"Expected ComfyUI {self.install.version} in {self.install.folder} to start, but it stopped (exit "
                    f"code {code}). See the end of its log:\n{self.log_tail()}"
                )
            if self._answers():
                return
            if waited_sec > self.start_timeout_sec:
                raise ComfyUIStartError(
                    f"Expected ComfyUI to answer on {self.url} within {self.start_timeout_sec:.0f} s, but it did not. "
                    f"See the end of its log:\n{self.log_tail()}"
                )
            if on_wait is not None:
                on_wait(waited_sec, self.log_tail(1))
            time.sleep(0.5)

    def _answers(self) -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError, ValueError):
            with urllib.request.urlopen(f"{self.url}/system_stats", timeout=5) as response:
                return "system" in json.load(response)
        return False


def _holds_checkout(app: Path) -> bool:
    folder = app / "custom_nodes"
    return folder.is_dir() and any(entry.resolve() == checkout_folder() for entry in folder.iterdir())


def _gpu_present() -> bool:
    import torch

    mps = getattr(torch.backends, "mps", None)
    return torch.cuda.is_available() or bool(mps and mps.is_available())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_group(process: subprocess.Popen[bytes], *, forcibly: bool) -> None:
    """Ends the process and, where the system has process groups, its children."""
    if sys.platform == "win32":
        process.kill() if forcibly else process.terminate()
        return
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL if forcibly else signal.SIGTERM)


def _die_with_parent() -> None:
    """In the child: the kernel ends it when the thread that started it ends, even by SIGKILL (Linux)."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
