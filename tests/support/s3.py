"""A real S3 server: versitygw, whose buckets are directories, and whose objects are files in them."""

import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.process import free_ports
from tests.support.waiting import wait_until

MODULE = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"
TOOLS = Path(__file__).parents[2] / ".venv" / "tools"
ACCESS_KEY, SECRET_KEY = "inventory-tests", "not-a-secret-of-anybody"
REGION = "eu-test-1"
BUCKET = "attachments-of-tests"


@dataclass(frozen=True)
class S3Server:
    """Where it is, and what it keeps."""

    url: str
    directory: Path
    pid: int

    def environment(self) -> dict[str, str]:
        """As a service has it that uses this server, and nothing else of this machine."""
        return {
            "AWS_ENDPOINT_URL_S3": self.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def make_bucket(self, name: str) -> str:
        (self.directory / name).mkdir()
        return name

    def objects(self, bucket: str) -> list[str]:
        """The keys of all that is there; also what is half written."""
        root = self.directory / bucket
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@contextmanager
def s3_server(directory: Path, *, tls: Mapping[str, Path] | None = None) -> Iterator[S3Server]:
    """Its buckets in that directory, until left. `tls`: the files `cert` and `key`."""
    binary = shutil.which("versitygw") or shutil.which("versitygw", path=str(TOOLS))
    assert binary, f"the tests need versitygw, a server of S3: GOBIN={TOOLS} go install {MODULE}"
    (port,) = free_ports(1)
    options = [f"--{name}={path}" for name, path in (tls or {}).items()]
    server = ["--keep-alive", "--quiet", "--region", REGION, "--port", f"127.0.0.1:{port}", *options]
    with (directory / "versitygw.log").open("wb") as log:
        buckets = directory / "buckets"
        buckets.mkdir(exist_ok=True)
        process = subprocess.Popen(
            [binary, "--access", ACCESS_KEY, "--secret", SECRET_KEY, *server, "posix", buckets],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_until(lambda: _listens(process, port))
        yield S3Server(f"{'https' if tls else 'http'}://127.0.0.1:{port}", buckets, process.pid)
    finally:
        process.kill()
        process.wait()


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    assert process.poll() is None, "versitygw has ended"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
