"""What may go wrong with S3, in the words of `storage.model`."""

from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
)

from inventory_api.errors import ServiceError
from inventory_api.storage.model import Failure, ObjectMissing, StorageUnavailable, WrongChecksum

# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and those of STS, MinIO and Ceph.
FULL = {"InsufficientStorage", "QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
DENIED = {"ExpiredToken", "ExpiredTokenException", "InvalidIdentityToken", "InvalidToken", "TokenRefreshRequired"}
OTHER_CONTENT = {"BadDigest", "XAmzContentChecksumMismatch"}
TIMEOUTS = (TimeoutError, ConnectTimeoutError, ReadTimeoutError)
WITHOUT_CREDENTIALS = (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)
FAILURES = (BotoCoreError, ClientError, aiohttp.ClientError, OSError)


@contextmanager
def translated() -> Iterator[None]:
    """Raise what `Storage` says, with what has happened as its cause."""
    try:
        yield
    except FAILURES as error:
        raise _translated(error) from error


def code(error: ClientError) -> str:
    """Why S3 has refused; where its answer has no body, the HTTP status."""
    return error.response.get("Error", {}).get("Code", "")


def is_busy(error: ClientError) -> bool:
    """Whether S3 asks to be asked again."""
    return _status(error) in {500, 503}


def _translated(error: Exception) -> ServiceError | ObjectMissing:
    if isinstance(error, ClientError) and code(error) == "NoSuchKey":
        return ObjectMissing()
    if isinstance(error, ClientError) and code(error) in OTHER_CONTENT:
        return WrongChecksum()
    return StorageUnavailable(_failure(error))


def _failure(error: Exception) -> Failure:
    if isinstance(error, TIMEOUTS):
        return "timeout"
    if isinstance(error, WITHOUT_CREDENTIALS):
        return "denied"
    if isinstance(error, ClientError):
        if code(error) in FULL or _status(error) == 507:  # noqa: PLR2004 -- RFC 4918
            return "full"
        if code(error) in DENIED or _status(error) in {401, 403}:
            return "denied"
    return "unavailable"


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
