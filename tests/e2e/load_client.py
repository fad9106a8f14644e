"""Runs in a pod of the service image: sends requests through the Service until it is told to stop, and counts.

Two threads keep their connection, two open one for each request; of each pair one reads and one writes. Nothing is
sent twice: a request that fails is a request that a client has lost. Prints one JSON object.
"""

import json
import os
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path

HOST = os.environ["HOST"]
SKU = os.environ["SKU"]
KEY = Path("/etc/credentials/admin").read_text()
STOP = Path("/tmp/stop")  # noqa: S108 -- the pod's own
LONGEST_SECONDS = 300
PAUSE_SECONDS = 0.02

stopping = threading.Event()
counts: Counter[str] = Counter()
failures: list[str] = []
lock = threading.Lock()


def send(connection: HTTPConnection, number: int, writes: bool) -> str:
    """Send one request; answer what was wrong with it."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    try:
        if writes:
            connection.request("PATCH", f"/inventory/{SKU}", json.dumps({"name": f"Name {number}"}), headers)
        else:
            connection.request("GET", f"/inventory/{SKU}", headers=headers)
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as error:
        connection.close()
        return repr(error)
    return "" if answer.status == 200 else f"{answer.status} {body[:200]!r}"


def client(keeps: bool, writes: bool) -> None:
    """Send one after the other."""
    kind = f"{'kept' if keeps else 'new'} connection, {'PATCH' if writes else 'GET'}"
    connection = HTTPConnection(HOST, timeout=10)
    number = 0
    while not stopping.wait(PAUSE_SECONDS):
        number += 1
        wrong = send(connection, number, writes)
        if not keeps:
            connection.close()
        with lock:
            counts[kind] += 1
            if wrong:
                failures.append(f"{time.time():.3f} {kind}: {wrong}")
    connection.close()


def main() -> None:
    """Run all clients until the file appears."""
    threads = [
        threading.Thread(target=client, args=(keeps, writes)) for keeps in (True, False) for writes in (True, False)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LONGEST_SECONDS
    while not STOP.exists() and time.monotonic() < until:
        stopping.wait(0.1)
    stopping.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"sent": counts, "failures": failures}))


main()
