"""Images that other programs take for a document, which they know by what is near the beginning."""

import re

from inventory_api.attachments.content import Reader
from inventory_api.errors import ContentMismatch

# Readers of PDF look for its header in the first 1024 bytes (PDF 1.7 of Adobe, appendix H.3, note 13), browsers for
# HTML in the first 1445 (MIME Sniffing of WHATWG, 5.2). A comment there that has such a word in it is refused as well.
HEAD_BYTES = 4096
DOCUMENT = re.compile(rb"%PDF-|%!PS-Adobe|<\?php|<script|<html|<!doctype|<svg|<iframe|<body", re.IGNORECASE)


def refuse(reader: Reader) -> None:
    """Look at the head of an image, and leave the reader where it was.

    Raises:
        ContentMismatch: it has what a document begins with.
    """
    if DOCUMENT.search(reader.peek(HEAD_BYTES)):
        raise ContentMismatch("The image begins as a document or a script as well.")
