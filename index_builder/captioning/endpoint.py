"""A vision-language model behind an OpenAI-compatible server, as Ollama, vLLM and LM Studio speak it:
https://platform.openai.com/docs/api-reference/chat."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any

from index_builder.border import border
from index_builder.captioning.captioner import TimedFrame
from index_builder.errors import CaptionerFailed, CaptionerUnavailable

KEY_VARIABLE = "OPENAI_API_KEY"
TRIES, FIRST_WAIT_SEC = 3, 1.0
# The server is busy or restarts; others say that the request is wrong.
PASSING = frozenset({408, 429, 500, 502, 503, 504})
MAX_ANSWER_BYTES = 4 << 20


class EndpointCaptioner:
    """Implements Captioner. `endpoint` ends as servers say it, e.g. http://localhost:11434/v1."""

    def __init__(self, endpoint: str, *, model: str, max_tokens: int = 128, timeout_sec: float = 600.0) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise CaptionerUnavailable(
                f"Expected an endpoint that begins with http:// or https://, received {endpoint}: e.g. "
                "http://localhost:11434/v1."
            )
        self.url = f"{endpoint.rstrip('/').removesuffix('/chat/completions')}/chat/completions"
        self.name, self.max_tokens, self.timeout_sec = model, max_tokens, timeout_sec

    def describe(self, frames: Sequence[TimedFrame], prompt: str) -> str:
        """The model's words; a server that is busy is asked again."""
        content: list[dict[str, Any]] = []
        for frame in frames:
            content += [{"type": "text", "text": f"{frame.seconds:.1f} s:"}, _as_part(frame)]
        content.append({"type": "text", "text": prompt})
        request = {
            "model": self.name,
            "messages": [{"role": "user", "content": content}],
            "max_tokens": self.max_tokens,
            "temperature": 0,
        }
        answer = self._ask(json.dumps(request).encode())
        with border(
            lambda reason: CaptionerFailed(f"the server's answer is no chat completion ({reason}): {answer[:200]!r}")
        ):
            words = json.loads(answer)["choices"][0]["message"]["content"]
        if not isinstance(words, str):
            raise CaptionerFailed(f"the server answered without words: {answer[:200]!r}")
        return words

    def _ask(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        for tried in range(1, TRIES + 1):
            try:
                request = urllib.request.Request(self.url, data=body, headers=headers)
                with _OPENER.open(request, timeout=self.timeout_sec) as answer:
                    return _whole(answer, time.monotonic() + self.timeout_sec)
            except urllib.error.HTTPError as error:
                said = error.read(500).decode("utf-8", errors="replace").strip()
                if error.code in (401, 403, 404):
                    raise CaptionerUnavailable(
                        f"Expected the model {self.name} at {self.url}, received HTTP {error.code} ({said}): check "
                        f"--endpoint and --model, and the key in {KEY_VARIABLE}."
                    ) from error
                if error.code not in PASSING or tried == TRIES:
                    raise CaptionerFailed(f"the server refused with HTTP {error.code}: {said}") from error
            except (OSError, http.client.HTTPException) as error:
                if tried == TRIES:
                    raise CaptionerUnavailable(
                        f"Expected a server at {self.url}, but it cannot be reached "
                        f"({getattr(error, 'reason', error)}): start it, or correct --endpoint."
                    ) from error
            time.sleep(FIRST_WAIT_SEC * 2 ** (tried - 1))
        raise AssertionError("the last try returns or raises")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Another address would get the key, and may be one that only this machine reaches."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """None: the answer is the refusal that it is."""
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def _whole(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """Up to MAX_ANSWER_BYTES. Raises TimeoutError for an answer that comes drop by drop."""
    body = bytearray()
    while len(body) < MAX_ANSWER_BYTES and (block := answer.read1(1 << 16)):
        body += block
        if time.monotonic() > deadline:
            raise TimeoutError("its answer does not end")
    return bytes(body)


def _as_part(frame: TimedFrame) -> dict[str, Any]:
    buffer = io.BytesIO()
    frame.picture.save(buffer, "JPEG", quality=88)
    content = base64.b64encode(buffer.getvalue()).decode()
    return {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{content}"}}
