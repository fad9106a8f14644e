"""The script of `helm test` passes on a service that keeps the contract, and fails on one that does not."""

import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from helm.command import CHART

from tests.support.http_server import Handler, answering

KEY = "a-key"


class Contract(Handler):
    """Answers as the service would; each attribute breaks one part of that."""

    protocol_version = "HTTP/1.1"
    forgets_request_id: ClassVar[bool] = False
    admits_anyone: ClassVar[bool] = False
    error_fields: ClassVar[dict[str, object]] = {"message": "no", "trace_id": None, "details": None}

    def asked(self) -> None:
        """Answer readiness, and everything else by the key."""
        if self.path == "/system/ready":
            self._answer(200, {"status": "ready"})
        elif self.admits_anyone or self.headers["Authorization"] == f"Bearer {KEY}":
            self._error(404, "NOT_FOUND")
        else:
            self._error(401, "UNAUTHENTICATED")

    def _error(self, status: int, kind: str) -> None:
        request_id = "another" if self.forgets_request_id else self.headers["X-Request-ID"]
        self._answer(status, {"error": {"type": kind, "request_id": request_id, **self.error_fields}})

    def _answer(self, status: int, body: object) -> None:
        self.answer(status, json.dumps(body).encode(), X_Request_ID=self.headers["X-Request-ID"] or "minted")


class ForgetsTheRequestId(Contract):
    """Its errors carry another request id."""

    forgets_request_id = True


class AdmitsAnyone(Contract):
    """It asks for no key."""

    admits_anyone = True


class HasAnotherErrorShape(Contract):
    """Its errors lack fields."""

    error_fields: ClassVar[dict[str, object]] = {}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """The mounted clear key."""
    path = tmp_path / "admin"
    path.write_text(KEY)
    return path


def check(contract: type[Contract], key_file: Path) -> tuple[int, list[str]]:
    """Exit code and lines of the script against such a service."""
    with answering(contract) as url:
        done = subprocess.run(
            [sys.executable, "-c", (CHART / "files" / "check_service.py").read_text()],
            env={"SERVICE_URL": url, "KEY_FILE": str(key_file)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    return done.returncode, done.stdout.splitlines()


def test_a_service_that_keeps_the_contract_passes(key_file: Path) -> None:
    """One line per check, all of them ok."""
    code, lines = check(Contract, key_file)
    assert code == 0
    assert [line.split(":")[0] for line in lines] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("contract", "broken"),
    [
        (ForgetsTheRequestId, ["ok", "FAILED", "FAILED"]),
        (AdmitsAnyone, ["ok", "FAILED", "ok"]),
        (HasAnotherErrorShape, ["ok", "FAILED", "FAILED"]),
    ],
)
def test_a_broken_contract_fails(key_file: Path, contract: type[Contract], broken: list[str]) -> None:
    """The check that sees it says so, and the others are still made."""
    code, lines = check(contract, key_file)
    assert code == 1
    assert [line.split(":")[0] for line in lines] == broken


def test_without_a_clear_key_the_output_says_what_was_left_out(tmp_path: Path) -> None:
    """An existingSecret need not hold one; nothing pretends that it was checked."""
    code, lines = check(Contract, tmp_path / "absent")
    assert code == 0
    assert [line.split(":")[0] for line in lines] == ["left out", "ok", "ok"]
