"""A small Hugging Face hub on this machine: models with commits, hashes, ranges, redirects, terms, and faults."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Above it a file counts as large: named by its sha256, and sent by another address.
LARGE_BYTES = 1000


@dataclass
class Repository:
    """One model. files: content by name. gated: whether terms must be accepted. absent: commits that are gone."""

    commit: str
    files: dict[str, bytes]
    gated: bool = False
    licence: dict[str, str] = field(default_factory=lambda: {"license": "apache-2.0"})


@dataclass
class HubServer:
    """The server's models and faults, and what it was asked."""

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    # name of a file -> how many bytes of each answer are sent before the connection is cut
    cut_after: dict[str, int] = field(default_factory=dict)
    corrupt: set[str] = field(default_factory=set)
    # name of a file -> what the hub states in place of its hash, or names as the address of its bytes
    etags: dict[str, str] = field(default_factory=dict)
    locations: dict[str, str] = field(default_factory=dict)
    # name of a file -> where the store behind the hub leads on to
    led_on: dict[str, str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    sent_bytes: Counter[str] = field(default_factory=Counter)
    tokens: set[str] = field(default_factory=set)
    # (host that the store was asked as, whether a token came)
    told: list[tuple[str, bool]] = field(default_factory=list)


def etag(content: bytes) -> str:
    """As the hub names a file's content."""
    if len(content) > LARGE_BYTES:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def running_hub() -> Iterator[HubServer]:
    """A running server; its models and faults may change while it runs."""
    state = HubServer()

    class Handler(_Handler):
        hub = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        parts = [part for part in urlsplit(self.path).path.split("/") if part]
        if self.headers.get("authorization"):
            self.hub.tokens.add(parts[0])
        if parts[:2] == ["api", "models"]:
            self._facts(parts[2:])
        elif parts[0] == "store":
            host = self.headers.get("host", "").partition(":")[0]
            self.hub.told.append((host, bool(self.headers.get("authorization"))))
            self._content("/".join(parts[1:3]), "/".join(parts[3:]), body)
        elif len(parts) > 4 and parts[2] == "resolve":
            self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]), body)
        else:
            self._refuse(404, "")

    def _facts(self, parts: list[str]) -> None:
        name = "/".join(parts[:2])
        self.hub.asked[name] += 1
        found = self.hub.repositories.get(name)
        if found is None:
            return self._refuse(401, "RepoNotFound")
        if parts[2:] == ["auth-check"]:
            return self._refuse(403, "GatedRepo") if found.gated else self._json({})
        if parts[2:3] == ["revision"] and parts[3] not in (found.commit, "main"):
            return self._refuse(404, "RevisionNotFound")
        siblings = [
            {"rfilename": name, "size": len(content), "blobId": etag(content)} for name, content in found.files.items()
        ]
        card = {"id": name, "modelId": name, "sha": found.commit, "cardData": found.licence, "siblings": siblings}
        return self._json(card | {"gated": "auto" if found.gated else False, "tags": [], "private": False})

    def _resolve(self, repo: str, commit: str, name: str, body: bool) -> None:
        found = self.hub.repositories.get(repo)
        if found is None or found.commit != commit or name not in found.files:
            return self._refuse(404, "EntryNotFound")
        if found.gated:
            return self._refuse(403, "GatedRepo")
        content = found.files[name]
        stated = self.hub.etags.get(name, etag(content))
        headers = {"X-Repo-Commit": commit, "ETag": f'"{stated}"'}
        if len(content) > LARGE_BYTES:
            headers |= {"X-Linked-Etag": f'"{stated}"', "X-Linked-Size": str(len(content))}
            # Another host name, as the hub's store has.
            location = self.hub.url.replace("127.0.0.1", "localhost") + f"/store/{repo}/{name}"
            return self._send(302, b"", headers | {"Location": self.hub.locations.get(name, location)})
        return self._send(200, content if body else b"", headers | {"Content-Length": str(len(content))})

    def _content(self, repo: str, name: str, body: bool) -> None:
        if name in self.hub.led_on:
            return self._send(302, b"", {"Location": self.hub.led_on[name]})
        content = self.hub.repositories[repo].files[name]
        if name in self.hub.corrupt:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked:
            self.hub.ranges.append(f"{name} from {start}")
        rest = content[start:]
        headers = {"Content-Length": str(len(rest)), "Accept-Ranges": "bytes"}
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        cut = self.hub.cut_after.get(name)
        if cut is not None and len(rest) > cut:
            rest = rest[:cut]
            self.close_connection = True
        self.hub.sent_bytes[name] += len(rest)
        self._send(206 if asked else 200, rest if body else b"", headers)

    def _json(self, values: dict) -> None:
        content = json.dumps(values).encode()
        self._send(200, content, {"Content-Length": str(len(content)), "Content-Type": "application/json"})

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code, "X-Error-Message": code})

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)
