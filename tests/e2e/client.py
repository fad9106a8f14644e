"""HTTP to the release through `kubectl port-forward`."""

import json
import re
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.waiting import await_claim

from .cluster import Cluster

ATTEMPT_SECONDS = 10


class PortForward:
    """Forwards a free port of this machine; starts again when it has died, as it does with its pod."""

    def __init__(self, cluster: Cluster, target: str, port: int) -> None:
        self._command = ["kubectl", "--namespace", cluster.namespace, "port-forward", target, f":{port}"]
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def url(self) -> str:
        """Where to connect to; awaits that it accepts."""
        if self._process is None or self._process.poll() is not None:
            await_claim(f"{' '.join(self._command)} accepts", self._start, seconds=60)
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        """End the process; the next use starts another."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def _start(self) -> bool:
        self.stop()
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "output"
            with output.open("wb") as sink:
                process = subprocess.Popen(self._command, stdout=sink, stderr=subprocess.STDOUT)
            self._process = process
            await_claim(
                "it says its port, or ends", lambda: process.poll() is not None or b"Forwarding" in output.read_bytes()
            )
            said = re.search(rb"Forwarding from 127\.0\.0\.1:(\d+)", output.read_bytes())
        if said is None:
            return False
        self._port = int(said[1])
        return self._accepts()

    def _accepts(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=ATTEMPT_SECONDS):
                return True
        except OSError:
            return False


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    headers: Message
    text: str
    request_id: str

    @property
    def json(self) -> Any:
        """The parsed body."""
        return json.loads(self.text)


@dataclass
class Client:
    """Sends requests through a port-forward, with a request id and the key if there is one."""

    forward: PortForward
    key: str = ""

    def request(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Send, and send again (under the same request id) when the forward breaks."""
        request_id = f"e2e-{uuid.uuid4().hex}"
        sent = {"X-Request-ID": request_id, "Content-Type": "application/json", **(headers or {})}
        if self.key:
            sent["Authorization"] = f"Bearer {self.key}"
        content = None if body is None else json.dumps(body).encode()
        return await_claim(
            f"{method} {path} is answered", lambda: self._attempt(method, path, content, sent, request_id), seconds=60
        )

    def _attempt(
        self, method: str, path: str, content: bytes | None, headers: dict[str, str], request_id: str
    ) -> Answer | None:
        request = urllib.request.Request(self.forward.url() + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=ATTEMPT_SECONDS) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode(), request_id)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode(), request_id)
        except (OSError, HTTPException):
            self.forward.stop()
            return None
