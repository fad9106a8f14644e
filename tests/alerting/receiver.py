"""Where Alertmanager sends to: each path is a receiver, and what comes is noted."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Message:
    """One alert that one receiver was told of, `firing` or `resolved`; `at` by the monotonic clock.

    `group`: what Alertmanager tells together, and a pager has as one.
    """

    receiver: str
    group: str
    status: str
    labels: dict[str, str]
    annotations: dict[str, str]
    at: float


class Receiver:
    def __init__(self, url: str) -> None:
        self.url = url
        self.messages: list[Message] = []


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            now = time.monotonic()
            told_by = self.path.strip("/"), body["groupKey"]
            receiver.messages += [
                Message(*told_by, alert["status"], alert["labels"], alert["annotations"], now)
                for alert in body["alerts"]
            ]
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
