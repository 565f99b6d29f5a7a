"""
Small records in JSON that say whether they are as they were written.

    {"check":"5e884898","commit":"16eb10fe...","source":"pets"}

`check` is the CRC-32 of the record without it. It stands first, so that the rest is taken as bytes.
"""

import re
import zlib

SEALED = re.compile(rb'\{"check":"([0-9a-f]{8})"(?:,(.*))?\}\n', re.DOTALL)


def sealed(record: bytes) -> bytes:
    """Return a JSON object with its checksum, and a newline behind it."""
    inner = record.strip()[1:-1]
    return b'{"check":"%08x"%b%b}\n' % (zlib.crc32(inner), b"," if inner else b"", inner)


def unsealed(data: bytes) -> bytes | None:
    """Return the JSON object that `sealed` was given, None where it is damaged."""
    match = SEALED.fullmatch(data)
    if match is None:
        return None
    inner = match[2] or b""
    return b"{%b}" % inner if b"%08x" % zlib.crc32(inner) == match[1] else None
