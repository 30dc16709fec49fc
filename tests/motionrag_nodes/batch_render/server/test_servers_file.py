"""servers.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from motionrag_nodes.batch_render.errors import RenderError
from motionrag_nodes.batch_render.server.servers_file import read_servers_file


def _read(folder: Path, text: str):
    path = folder / "servers.toml"
    path.write_text(text)
    return read_servers_file(path)


def test_servers_with_weights_and_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_TOKEN", "hush")
    first, second = _read(
        tmp_path,
        '[[server]]\nurl = "http://one:8188"\nweight = 2\nbearer_variable = "FARM_TOKEN"\n'
        '[[server]]\nurl = "https://u:pass@two"\nheaders = { X-Key = "abc" }\ninsecure = true\n',
    )
    assert (first.access.url, first.weight) == ("http://one:8188", 2.0)
    assert first.access.headers == {"Authorization": "Bearer hush"}
    assert set(second.access.headers) == {"Authorization", "X-Key"}
    assert second.access.tls is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[server]", "Expected TOML in"),
        ("", "for each server in .*, found none"),
        ("server = 'x'", "for each server in .*, found none"),
        ("[[server]]\nurl = 'a'\n[[server]]\nweight = 1", "server 2: Expected a url .*received no url"),
        ("[[server]]\nurl = 'a'\nspeed = 1", "received speed"),
        ("[[server]]\nurl = 'a'\nweight = 0", "Expected a weight above 0, received 0"),
        ("[[server]]\nurl = 'a'\nheaders = 'x'", "Expected headers as a table"),
        (
            "[[server]]\nurl = 'a'\nbearer_variable = 'NOT_SET_ANYWHERE'",
            "token in the environment variable NOT_SET_ANYWHERE, found none",
        ),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RenderError, match=message):
        _read(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"Expected a list of servers at .*No such file"):
        read_servers_file(tmp_path / "none.toml")
