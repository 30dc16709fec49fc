"""Downloading into the hub's own cache: each file goes on where it stopped, and is checked against its hash."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import shutil
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from index_builder.content_hash import BLOCK_BYTES, add_content
from motionrag_nodes.errors import DownloadDamaged, HubRefused, HubUnreachable
from motionrag_nodes.fetch.addresses import open_address
from motionrag_nodes.fetch.hub import Hub, asking
from motionrag_nodes.fetch.plan import FetchPlan, PlannedRepository

PARTIAL = ".motionrag-part"
# Pauses between attempts that bring nothing; one that brings bytes starts the row again.
PAUSES_SEC = (1.0, 3.0, 10.0, 30.0)
# Names of files are made of it, so it holds nothing else: a sha256 of large files, git's sha1 of small ones.
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")

Progress = Callable[[str, int], None]


def download(plan: FetchPlan, hub: Hub, *, progress: Progress | None = None) -> None:
    """Download every file of the plan that is not here. `progress` hears a file's name and bytes that came.

    huggingface_hub names the files and keeps them, so other programs find them; it would begin an interrupted file
    from the start, so the bytes are brought here.

    Raises HubUnreachable: the connection failed for good. What came stays; the next call goes on with it. HubRefused: a
    file may not be read, or the hub names it or its address as no hub does. DownloadDamaged: a file is not of the hash
    that the hub states.
    """
    for repository in plan.repositories:
        for file in repository.files:
            if not file.cached:
                _download(repository, file.name, hub, progress or (lambda name, count: None))


def _download(repository: PlannedRepository, name: str, hub: Hub, progress: Progress) -> None:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import WeakFileLock

    repo, commit = repository.source.repo, repository.commit
    url = hf_hub_url(repo, name, revision=commit, endpoint=hub.endpoint)
    with asking(repo):
        facts = get_hf_file_metadata(url)
        etag = _digest(facts.etag, f"{name} of {repo}")
        blobs = hub.snapshot(repo, commit).parents[1] / "blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        blob, partial = blobs / etag, blobs / f"{etag}{PARTIAL}"
        with WeakFileLock(f"{partial}.lock"):
            if not blob.exists():
                _bring(url, facts, partial, lambda count: progress(name, count))
                _require_hash(partial, etag, f"{name} of {repo}")
                partial.replace(blob)
        Path(f"{partial}.lock").unlink(missing_ok=True)
        _name_at_commit(blob, hub.snapshot(repo, commit) / name)


def _digest(etag: Any, what: str) -> str:
    """An etag that is a hash and nothing else. Raises HubRefused."""
    if not isinstance(etag, str) or not _DIGEST.fullmatch(etag):
        raise HubRefused(
            f"Expected the hub to state a hash of {what}, received {str(etag)[:100]!r}: check HF_ENDPOINT and the "
            "network's proxies, and run this again."
        )
    return etag


def _name_at_commit(blob: Path, named: Path) -> None:
    """The name by which a file of a commit is found in the hub's cache: a link, or a copy where there are no links.

    huggingface_hub would ask the server again, and take names of files from that answer.
    """
    named.parent.mkdir(parents=True, exist_ok=True)
    named.unlink(missing_ok=True)
    try:
        named.symlink_to(os.path.relpath(blob, named.parent))
    except OSError:
        shutil.copyfile(blob, named)


def _bring(url: str, facts: Any, partial: Path, progress: Callable[[int], None]) -> None:
    """Fill `partial` up to the stated size, over as many connections as it takes."""
    from huggingface_hub import get_hf_file_metadata

    pauses = iter(PAUSES_SEC)
    progress(partial.stat().st_size if partial.exists() else 0)
    while facts.size is None or not partial.exists() or partial.stat().st_size < facts.size:
        before = partial.stat().st_size if partial.exists() else 0
        try:
            _append(url, facts.location, partial, progress)
            if facts.size is None:
                return
            if partial.stat().st_size < facts.size:
                raise ConnectionError("it ended early")
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == 416:  # nothing is left to send
                return
            if partial.exists() and partial.stat().st_size > before:
                pauses = iter(PAUSES_SEC)
            pause = next(pauses, None)
            if pause is None:
                raise HubUnreachable(
                    f"Expected the rest of {partial.name.removesuffix(PARTIAL)[:12]} from {urlsplit(url).netloc}, but "
                    f"the connection fails ({error}): run this again, it goes on with what came."
                ) from error
            time.sleep(pause)
            facts = get_hf_file_metadata(url)  # the address of the bytes is signed for an hour


def _append(url: str, location: str, partial: Path, progress: Callable[[int], None]) -> None:
    from huggingface_hub.utils import build_hf_headers

    headers = build_hf_headers()
    start = partial.stat().st_size if partial.exists() else 0
    if start:
        headers["Range"] = f"bytes={start}-"
    # A token is the hub's business, not that of the store behind it.
    with open_address(location, headers, asked=url) as answer:
        resumed = answer.status == 206
        if start and not resumed:
            progress(-start)
        with partial.open("ab" if resumed else "wb") as file:
            while block := answer.read(BLOCK_BYTES):
                file.write(block)
                progress(len(block))


def _require_hash(path: Path, etag: str, what: str) -> None:
    """The hub names large files by their sha256 and small ones as git does. Raises DownloadDamaged."""
    digest = hashlib.sha256() if len(etag) == 64 else hashlib.sha1(f"blob {path.stat().st_size}\0".encode())
    add_content(digest, path)
    if digest.hexdigest() != etag:
        path.unlink()
        raise DownloadDamaged(
            f"Expected {what} with the hash {etag}, received {digest.hexdigest()}: what came was removed, run this "
            "again."
        )
