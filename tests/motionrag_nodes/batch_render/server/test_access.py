"""Addresses with secrets in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.server.access import BEARER_VARIABLE, parse_access, parse_secret_url


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("host:8188", "http://host:8188"),
        ("https://host/comfy/", "https://host/comfy"),
        ("http://u:p%40ss@host:1/x?token=secret&a=b", "http://host:1/x"),
        ("http://[::1]:8188", "http://[::1]:8188"),
    ],
)
def test_addresses_are_safe_to_show(given: str, url: str) -> None:
    access = parse_access(given)
    assert access.url == url
    assert "p@ss" not in repr(access)
    assert "secret" not in repr(access)


def test_credentials_are_sent_and_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    access = parse_access("http://u:p%40ss@host?token=hush", headers=["X-Key: abc def"])
    assert access.headers == {"Authorization": "Basic dTpwQHNz", "X-Key": "abc def"}
    assert access.query == {"token": "hush"}
    assert access.hide("p@ss and p%40ss, hush, dTpwQHNz, abc def") == "*** and ***, ***, ***, ***"
    monkeypatch.setenv(BEARER_VARIABLE, "from-environment")
    assert parse_access("host").headers == {"Authorization": "Bearer from-environment"}
    assert parse_access("host", headers=["Authorization: Bearer mine"]).headers["Authorization"] == "Bearer mine"


@pytest.mark.parametrize("given", ["", "ftp://host", "http://", "http://user:geheim@host:99999"])
def test_what_is_no_address(given: str) -> None:
    with pytest.raises(RenderError, match="Expected an address such as http://host:8188") as caught:
        parse_access(given)
    assert "geheim" not in str(caught.value)


def test_bad_headers_and_certificates(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="of the form 'Name: value', received another") as caught:
        parse_access("host", headers=["Bearer geheim"])
    assert "geheim" not in str(caught.value)
    with pytest.raises(RenderError, match=r"Expected certificates in .*none\.pem"):
        parse_access("https://host", ca_file=tmp_path / "none.pem")


def test_database_addresses_are_shown_without_secrets() -> None:
    assert parse_secret_url("postgresql://me:p%40ss@host/db?sslkey=x") == ("postgresql://host/db", ("p%40ss", "p@ss"))
