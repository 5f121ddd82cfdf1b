"""What a picture says of itself in its first bytes: its type, and how wide and high it is shown.

Nothing is unpacked, so no picture can be a bomb here. PNG, JPEG, GIF and WebP only: an SVG is a document with scripts.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from workers.rows import RowError

MOST_PIXELS = 50_000_000
"""Of a picture once a browser has unpacked it: 200 MB."""
SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""JPEG markers of a frame; the three others in their midst are tables."""
BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
"""JPEG markers without a length."""
ORIENTATION = 0x0112
TURNED = (5, 6, 7, 8)
"""Orientations in which a camera was held sideways."""


class Header(NamedTuple):
    type: str
    width: int
    height: int


def header_of(data: bytes, field: str) -> Header:
    """Type and size of a picture, by its content and not by what it is called. Raises RowError for anything else."""
    known = next((size for magic, size in READ.items() if data.startswith(magic)), None)
    if known is None or (known is webp and data[8:12] != b"WEBP"):
        raise RowError("is no PNG, JPEG, GIF or WebP picture", field)
    try:
        header = known(data)
    except (struct.error, IndexError):
        header = None
    if header is None:
        raise RowError("is a picture cut short", field)
    if not header.width or not header.height:
        raise RowError("is a picture without width or height", field)
    if header.width * header.height > MOST_PIXELS:
        size = f"{header.width} × {header.height} pixels"
        raise RowError(f"has {size}; at most {MOST_PIXELS // 10**6} million", field)
    return header


def png(data: bytes) -> Header | None:
    """The first chunk has the size; the last one is called IEND."""
    at, name = 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, at)
        at += 12 + length
    width, height = struct.unpack_from(">II", data, 16)
    return Header("image/png", width, height) if data[12:16] == b"IHDR" and at <= len(data) else None


def gif(data: bytes) -> Header | None:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("image/gif", width, height) if data.rstrip(b"\0").endswith(b";") else None


def jpeg(data: bytes) -> Header | None:
    """Segments up to the frame, which has the size; a camera held sideways says so in an Exif segment before it."""
    at, turned = 2, False
    while True:
        while data[at + 1] == 0xFF:  # any number of these may stand before a marker
            at += 1
        mark, marker = data[at], data[at + 1]
        if mark != 0xFF or marker in (0xD9, 0xDA):
            return None
        at += 2
        if marker in BARE:
            continue
        (length,) = struct.unpack_from(">H", data, at)
        if marker in SOF:
            height, width = struct.unpack_from(">HH", data, at + 3)
            size = (height, width) if turned else (width, height)
            return Header("image/jpeg", *size) if b"\xff\xd9" in data[at + length :] else None
        if marker == 0xE1 and data[at + 2 : at + 8] == b"Exif\0\0":
            turned = orientation(data[at + 8 : at + length]) in TURNED
        at += length


def orientation(exif: bytes) -> int:
    """How a camera was held, 1 where it does not say; what is broken here spoils no picture."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2], "")
    if not order:
        return 1
    try:
        (at,) = struct.unpack_from(f"{order}I", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, at)
        for n in range(min(count, 200)):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, at + 2 + 12 * n)
            if tag == ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return 1


def webp(data: bytes) -> Header | None:
    """Its first chunk is a lossy frame, a lossless one, or a header of its own."""
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 > len(data):
        return None
    match data[12:16]:
        case b"VP8 ":
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", data, 21)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            width, height = (int.from_bytes(data[n : n + 3], "little") + 1 for n in (24, 27))
        case _:
            return None
    return Header("image/webp", width, height)


READ: dict[bytes, Callable[[bytes], Header | None]] = {
    b"\x89PNG\r\n\x1a\n": png,
    b"\xff\xd8\xff": jpeg,
    b"GIF87a": gif,
    b"GIF89a": gif,
    b"RIFF": webp,
}
