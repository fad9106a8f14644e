"""Signed uploads to this service itself: what one may hold is promised by a signature, and nothing of it is kept.

The signature is an HMAC-SHA256 of the method, the key, the size, the media type, the checksum and the end, by a key of
32 random bytes that all server workers find in the directory.
"""

import hmac
import json
import os
import re
import secrets
import tempfile
import time
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path

from inventory_api.storage.model import SignedRequest, StoredObject

METHOD = "PUT"
SIGNING_KEY_BYTES = 32
CHECKSUM_HEADER = "x-amz-checksum-sha256"
NUMBER = re.compile(r"[0-9]{1,15}")


class SignatureRefused(ValueError):
    """The request is not one that was signed, or not any more."""


def signing_key(path: Path) -> bytes:
    """The key in that file; made where there is none, once, however many ask. It blocks.

    Raises:
        OSError: it cannot be read or made, or is no key.
    """
    if not path.exists():
        _make(path)
    key = path.read_bytes()
    if len(key) != SIGNING_KEY_BYTES:
        raise OSError(f"{path} is not a key of {SIGNING_KEY_BYTES} bytes")
    return key


def signed(signing: bytes, key: str, promise: StoredObject, expires: int) -> SignedRequest:
    """`expires` is in seconds since 1970. The URL is a path of this service."""
    query = f"expires={expires}&signature={_signature(signing, key, promise, expires)}"
    url = f"/attachments/uploads/{key.rpartition('/')[2]}/content?{query}"
    headers = {
        "content-length": str(promise.size),
        "content-type": promise.media_type,
        CHECKSUM_HEADER: b64encode(bytes.fromhex(promise.sha256 or "")).decode(),
    }
    return SignedRequest(METHOD, url, headers)


def verified(signing: bytes, key: str, query: Mapping[str, str], headers: Mapping[str, str]) -> StoredObject:
    """What was promised of the body of a request with that query and those headers, by their lower-case names.

    Raises:
        SignatureRefused: it was not signed, or its time is over.
    """
    expires, size = query.get("expires", ""), headers.get("content-length", "")
    if not NUMBER.fullmatch(expires) or not NUMBER.fullmatch(size):
        raise SignatureRefused
    try:
        checksum = b64decode(headers.get(CHECKSUM_HEADER, ""), validate=True).hex()
    except ValueError:
        raise SignatureRefused from None
    promise = StoredObject(int(size), headers.get("content-type", ""), checksum)
    signature = _signature(signing, key, promise, int(expires))
    if not hmac.compare_digest(signature.encode(), query.get("signature", "").encode()):
        raise SignatureRefused
    if time.time() >= int(expires):
        raise SignatureRefused
    return promise


def _signature(signing: bytes, key: str, promise: StoredObject, expires: int) -> str:
    # As JSON, no two of them read the same.
    covered = json.dumps([METHOD, key, promise.size, promise.media_type, promise.sha256, expires])
    return hmac.new(signing, covered.encode(), "sha256").hexdigest()


def _make(path: Path) -> None:
    """Whole from the beginning; whoever comes second finds that of the first."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SIGNING_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(name)
        except FileExistsError:
            return
    finally:
        Path(name).unlink()
