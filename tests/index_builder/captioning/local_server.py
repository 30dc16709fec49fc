"""A server on this machine that answers as OpenAI-compatible ones do, with what a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalServer:
    """`answers` are given in turn, the last one from then on: words, or (status, body). `asked` are the requests."""

    def __init__(self, *answers: str | tuple[int, str]) -> None:
        self.answers, self.asked, self.headers = list(answers), [], []
        self.endpoint = ""

    def next_answer(self) -> tuple[int, str]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            return 200, json.dumps({"choices": [{"message": {"role": "assistant", "content": answer}}]})
        return answer


@contextmanager
def serving(*answers: str | tuple[int, str]) -> Iterator[LocalServer]:
    told = LocalServer(*answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.append((self.path, json.loads(body)))
            told.headers.append(dict(self.headers))
            status, answer = told.next_answer()
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.endpoint = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
