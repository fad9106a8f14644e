"""Where the storage is, as a setting says it: `s3://BUCKET[/PREFIX]` or `file:///DIRECTORY`."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
IPV4 = re.compile(r"\d+\.\d+\.\d+\.\d+")
# Of the characters that mean nothing to a URL, a shell or a policy.
PREFIX_PART = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class S3Address:
    """A bucket. `prefix` is empty, or ends with a slash: it stands before each key."""

    bucket: str
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class FileAddress:
    """A directory of this machine, absolute."""

    directory: Path


Address = S3Address | FileAddress


def parse(text: str) -> Address:
    """
    Raises:
        ValueError: it is none; the message says why in one line, and repeats nothing of it.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in {"s3", "file"}:
        raise ValueError("must be s3://BUCKET, s3://BUCKET/PREFIX or file:///DIRECTORY")
    if "?" in rest or "#" in rest:
        raise ValueError("must have neither a query nor a fragment; in a directory, '?' is %3F and '#' is %23")
    return _s3(rest) if scheme == "s3" else _file(rest)


def _s3(rest: str) -> S3Address:
    bucket, _, prefix = rest.partition("/")
    if "@" in bucket:
        raise ValueError("must not have credentials; they come from the environment, or from where AWS's tools look")
    if not BUCKET.fullmatch(bucket) or ".." in bucket or IPV4.fullmatch(bucket):
        raise ValueError(
            "a bucket's name has 3 to 63 lower-case letters, digits, hyphens and single dots, and is no address"
        )
    prefix = prefix.removesuffix("/")
    parts = prefix.split("/") if prefix else []
    if not all(PREFIX_PART.fullmatch(part) and part.strip(".") for part in parts):
        raise ValueError("a prefix has letters, digits, '_', '.' and '-', in parts with single slashes between them")
    return S3Address(bucket, f"{prefix}/" if prefix else "")


def _file(rest: str) -> FileAddress:
    directory = Path(unquote(rest))
    if not rest.startswith("/"):
        raise ValueError("a directory is absolute: file:/// and then the path, without the name of a machine")
    if "\0" in directory.as_posix() or ".." in directory.parts or directory == Path("/"):
        raise ValueError("a directory must not be the root, and must not have '..' in its path")
    return FileAddress(directory)
