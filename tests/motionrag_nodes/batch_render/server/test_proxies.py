"""Servers behind real proxies: reached with credentials, which are written nowhere, and explained where they refuse."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from motionrag_nodes.batch_render.errors import ComfyUIConnectionError, ServerRefusedAccess
from motionrag_nodes.batch_render.server.access import BEARER_VARIABLE
from motionrag_nodes.cli.render import render
from tests.motionrag_nodes.batch_render.graphs import picture_to_picture, write_workflow
from tests.motionrag_nodes.batch_render.server.proxy import LIMIT_BYTES, PASSWORD, SECRET, USER, proxy_before
from tests.motionrag_nodes.batch_render.tiny_comfyui import TinyComfyUI

app = typer.Typer()
app.command()(render)

WRITTEN = quote(PASSWORD, safe="")
# Whatever part of a secret is found somewhere gives it away.
SECRETS = (b"geheim", b"p@ss", b"p%40ss", b"cmVuZGVyOnBAc3M")  # the last: user and password in base64


@pytest.fixture
def server(tmp_path: Path) -> Iterator[TinyComfyUI]:
    (tmp_path / "server").mkdir()
    with TinyComfyUI(tmp_path / "server") as running:
        yield running


def _run(folder: Path, *options: str) -> Result:
    workflow = write_workflow(folder / "invert.json", picture_to_picture())
    command = [str(workflow), "--output", str(folder / "out"), "--json", "--log-json", "--patience", "5", *options]
    result = CliRunner().invoke(app, command)
    kept = [file.read_bytes() for file in (folder / "out").rglob("*") if file.is_file()]
    for secret in SECRETS:
        assert all(secret not in text for text in (*kept, result.stdout_bytes, result.stderr_bytes))
        assert secret.decode() not in str(result.exception)
    return result


@pytest.mark.parametrize(
    ("kind", "address", "options"),
    [
        ("prefix", "http://{}", []),
        ("basic", f"http://{USER}:{WRITTEN}@{{}}", []),
        ("token", f"http://{{}}/?token={SECRET}", []),
        ("bearer", "{}", ["--header", f"Authorization: Bearer {SECRET}"]),
        ("header", "{}", ["--header", f"X-Farm-Key: {SECRET}"]),
        ("flaky", "{}", []),
        ("slow", "{}", []),
        ("no events", "{}", []),
        ("cut events", "{}", []),
    ],
)
def test_jobs_are_done_through_a_proxy(
    server: TinyComfyUI, tmp_path: Path, kind: str, address: str, options: list[str]
) -> None:
    with proxy_before(server.url, kind) as place:
        result = _run(tmp_path, "--server", address.format(place), *options)
    assert result.exit_code == 0, result.stderr
    assert len(server.queued) == 1
    assert (tmp_path / "out" / "invert" / "Result_1.txt").exists()


def test_a_bearer_token_of_the_environment(
    server: TinyComfyUI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BEARER_VARIABLE, SECRET)
    with proxy_before(server.url, "bearer") as place:
        assert _run(tmp_path, "--server", place).exit_code == 0


@pytest.mark.parametrize(
    ("kind", "address", "options"),
    [
        ("basic", f"http://{USER}:geheim-wrong@{{}}", []),
        ("token", "http://{}/?token=geheim-wrong", []),
        ("bearer", "{}", ["--header", "Authorization: Bearer geheim-wrong"]),
        ("header", "{}", []),
    ],
)
def test_wrong_credentials_are_refused_before_the_first_job(
    server: TinyComfyUI, tmp_path: Path, kind: str, address: str, options: list[str]
) -> None:
    with proxy_before(server.url, kind) as place:
        result = _run(tmp_path, "--server", address.format(place), *options)
    assert isinstance(result.exception, ServerRefusedAccess)
    assert "refuses access (HTTP 401" in str(result.exception)
    assert "--header 'Authorization: Bearer ...'" in str(result.exception)
    assert server.queued == []


def test_a_picture_above_the_limit_fails_with_what_to_raise(server: TinyComfyUI, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(LIMIT_BYTES))
    with proxy_before(server.url, "limit") as place:
        result = _run(tmp_path, "--server", place, "--set", f"1.image={tmp_path / 'large.png'}")
    assert result.exit_code == 1
    assert "large.png (1.0 MB), but it is too large for it (HTTP 413). Raise the limit" in result.stdout
    assert "client_max_body_size of a proxy" in result.stdout


def test_a_workflow_above_the_limit_fails_with_what_to_raise(server: TinyComfyUI, tmp_path: Path) -> None:
    with proxy_before(server.url, "limit") as place:
        result = _run(tmp_path, "--server", place, "--set", f"3.filename_prefix={'x' * LIMIT_BYTES}")
    assert result.exit_code == 1
    assert "to take the job, but it is too large for it (HTTP 413): raise its proxy's limit." in result.stdout


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_of_one_s_own(server: TinyComfyUI, tmp_path: Path) -> None:
    made, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=farm", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(made, key)
    with proxy_before(server.url, "basic", tls=tls) as place:
        address = f"https://{USER}:{WRITTEN}@{place}"
        refused = _run(tmp_path, "--server", address)
        assert isinstance(refused.exception, ComfyUIConnectionError)
        assert "Its certificate is not trusted: give --ca FILE, or --insecure." in str(refused.exception)
        assert _run(tmp_path, "--server", address, "--ca", str(made)).exit_code == 0
        assert _run(tmp_path, "--server", address, "--insecure", "--force").exit_code == 0
    assert len(server.queued) == 2
