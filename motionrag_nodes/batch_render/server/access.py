"""How a server is reached: its address, what proves who asks, and whom to trust. Secrets never leave this object."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from motionrag_nodes.batch_render.errors import RenderError

BEARER_VARIABLE = "MOTIONRAG_SERVER_BEARER"
_HIDDEN = "***"


@dataclass(frozen=True)
class Access:
    """`url` is safe to show: the user, the password and the query of the given one are kept apart."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def hide(self, text: str) -> str:
        """`text` without any secret of this access, for messages and manifests."""
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    @property
    def websocket_url(self) -> str:
        """Where the server tells its events."""
        return self.url.replace("http", "ws", 1) + "/ws"


def parse_access(
    url: str, *, headers: Sequence[str] = (), ca_file: Path | None = None, insecure: bool = False
) -> Access:
    """An address as users give it: `host:8188`, `https://user:password@host/prefix/?token=...`.

    `headers` are "Name: value"; MOTIONRAG_SERVER_BEARER holds a bearer token that no process list shows.
    Raises RenderError: no address, a header of another form, an unreadable certificate file.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        port = ":?"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == ":?":
        shown = parts.netloc.rpartition("@")[2]
        raise RenderError(f"Expected an address such as http://host:8188, received {shown!r}: check --server.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    clean = urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", ""))
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    sent: dict[str, str] = {}
    secrets = list(query.values())
    bearer = os.environ.get(BEARER_VARIABLE)
    if bearer:
        sent["Authorization"] = f"Bearer {bearer}"
    if parts.username is not None:
        user, password = unquote(parts.username), unquote(parts.password or "")
        sent["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        secrets += [password, parts.password or ""]
    for header in headers:
        name, colon, value = header.partition(":")
        if not colon or not name.strip() or not value.strip():
            raise RenderError(
                "Expected a --header of the form 'Name: value', received another: write for example 'Authorization: "
                "Bearer TOKEN'."
            )
        sent[name.strip()] = value.strip()
    secrets += [word for value in sent.values() for word in (value, value.rpartition(" ")[2])]
    known = tuple(sorted({s for s in secrets if len(s) >= 3}, key=len, reverse=True))
    return Access(clean, sent, query, _tls(parts.scheme, ca_file, insecure), known)


def _tls(scheme: str, ca_file: Path | None, insecure: bool) -> ssl.SSLContext | None:
    if scheme != "https":
        return None
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise RenderError(
            f"Expected certificates in {ca_file}, but they cannot be read ({error}): give a PEM file to --ca."
        ) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def parse_secret_url(url: str) -> tuple[str, tuple[str, ...]]:
    """An address without user, password and query, fit to be shown; and the passwords that were in it."""
    parts = urlsplit(url)
    shown = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return shown, tuple(s for s in (parts.password, unquote(parts.password or "")) if s)
