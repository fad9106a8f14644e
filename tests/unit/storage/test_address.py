"""What a storage's address may be."""

import subprocess
import sys
from pathlib import Path

import pytest

from inventory_api.storage.address import Address, FileAddress, S3Address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("s3://bucket", S3Address("bucket")),
        ("s3://bucket/", S3Address("bucket")),
        ("s3://a.b-c.1/inventory/Eu_1", S3Address("a.b-c.1", "inventory/Eu_1/")),
        ("s3://bucket/inventory/", S3Address("bucket", "inventory/")),
        ("file:///var/lib/inventory", FileAddress(Path("/var/lib/inventory"))),
        ("file:///with%20space/", FileAddress(Path("/with space"))),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "", "bucket", "s3:bucket", "s3://", "S3://bucket", "http://bucket", "gs://bucket",
        "s3://ab", "s3://" + "a" * 64, "s3://Bucket", "s3://-bucket", "s3://bucket-", "s3://a..b", "s3://10.0.0.1",
        "s3://buck_et", "s3://bucket:9000", "s3://bucket?region=x", "s3://bucket#x",
        "s3://bucket//x", "s3://bucket/a//b", "s3://bucket/../x", "s3://bucket/.", "s3://bucket/a b", "s3://bucket/ä",
        "file://", "file:///", "file://host/dir", "file://relative", "file:///a/../b", "file:///a/%2e%2e/b", "file:///a?b",
        "file:///a%00b", "s3://bucket\n",
    ],
)  # fmt: skip
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        parse(text)


def test_credentials_are_not_repeated() -> None:
    with pytest.raises(ValueError, match="credentials") as raised:
        parse("s3://AKIA:hunter2@bucket")
    assert "hunter2" not in str(raised.value)


def test_the_client_of_s3_is_imported_for_a_bucket_only() -> None:
    """It takes 30 MB."""
    program = """if True:
        import sys
        from pathlib import Path
        from inventory_api.storage import check, measured
        from inventory_api.storage.address import parse
        from inventory_api.storage.create import create
        create(parse("file:///nowhere/at/all"), 1)
        assert not {"botocore", "aiobotocore", "aiohttp", "fastapi", "starlette"} & set(sys.modules)
    """
    subprocess.run([sys.executable, "-c", program], check=True)
