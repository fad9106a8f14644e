"""Clients that a drain must not wait for: each holds a connection with something that does not come to its end."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx

from tests.support.service import AUTHORIZATION

DRIP_SECONDS = 1.0
SMALL_BUFFER = 4096
# An answer of so many times so much, with what was before and after: more than all buffers between hold.
ENTRIES = 200
ENTRY_BYTES = 16_000


def grow_audit(api: str, sku: str) -> None:
    """Make it longer than what a connection's buffers hold; best done while the service has nothing else to do."""
    with httpx.Client(base_url=api, headers=AUTHORIZATION) as client:
        for number in range(ENTRIES):
            attributes = {"number": number, "text": "x" * ENTRY_BYTES}
            client.patch(f"/inventory/{sku}", json={"attributes": attributes}).raise_for_status()


@contextmanager
def stuck_clients(api: str, sku: str) -> Iterator[None]:
    """Half of a head; an answer that is not read, or by a byte a second; a body of a byte a second; an idle one.

    The answers are the audit of the item: see `grow_audit`.
    """
    fields = {"Host": "127.0.0.1", **AUTHORIZATION}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    get = f"GET /inventory/{sku}/audit?limit={ENTRIES} HTTP/1.1\r\n{head}\r\n".encode()
    put = f"PUT /inventory/{sku} HTTP/1.1\r\n{head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    stopped = threading.Event()
    with ExitStack() as stack:
        half, deaf, slow, dripping, _idle = (stack.enter_context(_connected(api)) for _ in range(5))
        half.sendall(get[:-10])
        dripping.sendall(put.encode())
        for reader in (deaf, slow):
            reader.sendall(get)
            reader.recv(1)  # it is being answered
        thread = threading.Thread(target=_drip, args=(stopped, slow, dripping))
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()


def _connected(api: str) -> socket.socket:
    url = httpx.URL(api)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    client.settimeout(30)
    client.connect((url.host, url.port))
    return client


def _drip(stopped: threading.Event, slow: socket.socket, dripping: socket.socket) -> None:
    while not stopped.wait(DRIP_SECONDS):
        for one_byte in (lambda: slow.recv(1), lambda: dripping.send(b" ")):
            with suppress(OSError):  # the service may be tired of it
                one_byte()
