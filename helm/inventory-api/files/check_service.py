"""Asks the Service what a client would ask, read-only, and prints one line per check (`helm test`)."""

# ruff: noqa: S310 -- the URL is the chart's, and the output is what `helm test` shows

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

URL = os.environ["SERVICE_URL"]
KEY_FILE = Path(os.environ["KEY_FILE"])
ABSENT = f"/inventory/helm-test-{uuid.uuid4().hex}"
PATIENCE_SECONDS = 60
READY = 200
ERROR_FIELDS = {"type", "message", "request_id", "trace_id", "details"}


class CheckError(Exception):
    """The service did not answer as it should; the message says how it did."""


def service_is_ready() -> None:
    """GET /system/ready is 200 through the Service"""
    until = time.monotonic() + PATIENCE_SECONDS
    while (seen := readiness()) not in {"ready", "degraded"}:
        if time.monotonic() > until:
            raise CheckError(f"not within {PATIENCE_SECONDS} s; last: {seen}")
        time.sleep(1)
    if seen == "degraded":
        print(
            "degraded: something that is not required does not answer; /system/ready of the management port says what"
        )


def key_is_demanded() -> None:
    """GET without a key is 401 UNAUTHENTICATED"""
    expect_error(401, "UNAUTHENTICATED", {})


def key_is_accepted() -> None:
    """GET of an absent sku with the key is 404 NOT_FOUND under the request id that was sent"""
    expect_error(404, "NOT_FOUND", {"Authorization": f"Bearer {KEY_FILE.read_text().strip()}"})


def readiness() -> str:
    """What /system/ready says, or what kept it from answering."""
    try:
        status, _, body = get("/system/ready", {})
        return str(json.loads(body)["status"]) if status == READY else str(status)
    except (OSError, HTTPException) as error:
        return repr(error)


def expect_error(status: int, kind: str, headers: Mapping[str, str]) -> None:
    """An absent sku answers with that error, in the one shape, under the request id that was sent."""
    request_id = f"helm-test-{uuid.uuid4().hex}"
    got, echoed, body = get(ABSENT, {**headers, "X-Request-ID": request_id})
    error = json.loads(body)["error"] if got == status else {}
    if missing := ERROR_FIELDS - error.keys():
        raise CheckError(f"got {got} {body[:200]!r}, without {', '.join(sorted(missing))}")
    if (error["type"], error["request_id"], echoed) != (kind, request_id, request_id):
        raise CheckError(f"sent the request id {request_id}, got {echoed} and {error}")


def get(path: str, headers: Mapping[str, str]) -> tuple[int, str | None, bytes]:
    """Status, echoed request id and body, whatever the status."""
    request = urllib.request.Request(URL + path, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.headers["X-Request-ID"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["X-Request-ID"], error.read()


def main() -> int:
    """Make every check, also after one has failed."""
    checks = [service_is_ready, key_is_demanded]
    if KEY_FILE.exists():
        checks.append(key_is_accepted)
    else:
        print("left out: reading with a key, for the Secret of the API keys has no clear key `admin`")
    failed = False
    for check in checks:
        try:
            check()
            print(f"ok: {check.__doc__}", flush=True)
        except Exception as error:
            failed = True
            print(f"FAILED: {check.__doc__}: {error}", flush=True)
    return int(failed)


sys.exit(main())
