"""Where the bytes of a download may come from: a hub's answer names the next address, and may name any."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from motionrag_nodes.errors import HubRefused

TIMEOUT_SEC = 60.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_CREDENTIALS = frozenset({"authorization", "cookie", "proxy-authorization"})


def require_address(address: str, asked: str) -> None:
    """Check the address that a hub's answer names; `asked` is the one that was asked.

    Only https leads on, and http to this machine, or to the host of a hub that is itself set to http (HF_ENDPOINT).

    Raises HubRefused: any other address, such as a file of this machine.
    """
    try:
        to, hub = urlsplit(address), urlsplit(asked)
        host, unencrypted = to.hostname, hub.scheme == "http" and to.hostname == hub.hostname
    except ValueError:
        host = None
    if not host or not (to.scheme == "https" or (to.scheme == "http" and (host in _LOCAL or unencrypted))):
        raise HubRefused(
            f"Expected the hub to lead on to an https address, received {address[:100]!r}: check HF_ENDPOINT and the "
            "network's proxies, and run this again."
        )


def same_host(one: str, other: str) -> bool:
    """Whether two addresses have scheme, host and port in common, so that what is told to one may be told to both."""
    return urlsplit(one)[:2] == urlsplit(other)[:2]


def open_address(address: str, headers: Mapping[str, str], *, asked: str) -> Any:
    """The answer of an address, as urllib.request.urlopen gives it; credentials among `headers` go to the host of
    `asked` alone, and every redirect is checked.

    Raises HubRefused: the address, or one that it redirects to, may not be opened. OSError: there is no answer.
    """
    require_address(address, asked)
    sent = {name: value for name, value in headers.items() if _may_have(name, address, asked)}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _Redirects(asked),
    ):
        opener.add_handler(handler)
    return opener.open(urllib.request.Request(address, headers=sent), timeout=TIMEOUT_SEC)


def _may_have(name: str, address: str, asked: str) -> bool:
    return name.lower() not in _CREDENTIALS or same_host(address, asked)


class _Redirects(urllib.request.HTTPRedirectHandler):
    """urllib's own handler passes every header on, to any host."""

    def __init__(self, asked: str) -> None:
        self._asked = asked

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """The request that follows, without what the next host may not know."""
        require_address(newurl, self._asked)
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            for name in [name for name in following.headers if not _may_have(name, newurl, self._asked)]:
                following.remove_header(name)
        return following
