"""Clients that upload one file each, all at once, from a process of their own; some leave in the middle.

Run as a program, with its plan as JSON on its standard input; what became of each is JSON on its standard output.
"""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
BOUNDARY = "b0undary"
CHUNK_BYTES = 65_536
PATIENCE_SECONDS = 200.0
NICE = 10
LOST = ("lost", 1.0)
RETRY_AFTER = re.compile(rb"(?i)\r\nretry-after: *([0-9]+)")


@dataclass(frozen=True)
class Uploads:
    """`results` counts what each client came to at last: `201`, `left`, or the status or the error of its last try."""

    results: Counter[str]
    tries: int
    seconds: float


class Uploading:
    """They run until `wait`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait(self) -> Uploads:
        out, _ = self._process.communicate(timeout=PATIENCE_SECONDS + 30)
        found = json.loads(out)
        return Uploads(Counter(found["results"]), found["tries"], found["seconds"])


def uploading(port: int, path: str, file: Path, *, clients: int, leavers: int, headers: Mapping[str, str]) -> Uploading:
    """Begin; each client sends the file until it is taken, a leaver a part of it, once.

    All come within a second.
    """
    plan = {
        "port": port, "path": path, "file": str(file), "clients": clients, "leavers": leavers, "headers": dict(headers),
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.drills.uploading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    process.stdin = None
    return Uploading(process)


class _Clients:
    def __init__(self, plan: Mapping[str, Any]) -> None:
        self._plan = plan
        part = 'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png'
        content = Path(plan["file"]).read_bytes()
        self._body = f"--{BOUNDARY}\r\n{part}\r\n\r\n".encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        self.tries = 0

    async def upload(self) -> str:
        await asyncio.sleep(random.uniform(0, 1))  # noqa: S311
        ends = time.monotonic() + PATIENCE_SECONDS
        result = "never tried"
        while time.monotonic() < ends:
            result, pause = await self._try(len(self._body))
            if result not in {"503", "lost"}:
                break
            await asyncio.sleep(pause)
        return result

    async def leave(self) -> str:
        await asyncio.sleep(random.uniform(0, 5))  # noqa: S311
        await self._try(random.randrange(len(self._body)))  # noqa: S311
        return "left"

    async def _try(self, length: int) -> tuple[str, float]:
        """The status, and its `Retry-After` in seconds; sent as far as that, and answered only where that is all."""
        self.tries += 1
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._plan["port"])
        except OSError:
            return LOST
        answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
        try:
            await self._send(writer, length, answer)
            if length < len(self._body):
                return "left", 0.0
            return _told(await asyncio.wait_for(answer, 60))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            # What was answered before it was all sent is there, where the system has kept it.
            return _told(answer.result()) if answer.done() and not answer.exception() else LOST
        finally:
            answer.cancel()
            writer.transport.abort()

    async def _send(self, writer: asyncio.StreamWriter, length: int, answer: asyncio.Future[bytes]) -> None:
        headers = {
            **self._plan["headers"],
            "Host": "127.0.0.1",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": str(len(self._body)),
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"POST {self._plan['path']} HTTP/1.1\r\n{head}\r\n".encode())
        for start in range(0, length, CHUNK_BYTES):
            if answer.done():
                return
            writer.write(self._body[start : min(start + CHUNK_BYTES, length)])
            await writer.drain()


def _told(head: bytes) -> tuple[str, float]:
    found = RETRY_AFTER.search(head)
    return head.split()[1].decode(), float(found[1]) if found else 1.0


async def _run(plan: Mapping[str, Any]) -> None:
    clients = _Clients(plan)
    began = time.monotonic()
    uploads = [clients.upload() for _ in range(plan["clients"])] + [clients.leave() for _ in range(plan["leavers"])]
    results = Counter(await asyncio.gather(*uploads))
    found = {"results": results, "tries": clients.tries, "seconds": time.monotonic() - began}
    print(json.dumps(found))


if __name__ == "__main__":
    with suppress(OSError):
        os.nice(NICE)
    asyncio.run(_run(json.load(sys.stdin)))
