"""The entries of a queue file, and what it begins with: docs/edge-format.md, section 3."""

import secrets
import struct
import zlib

from . import format as fmt

MAGIC = b"HFQUEUE3"
SALT_SIZE = 16
HEADER_SIZE = 133
ORIGIN, FOLLOWING = 76, 101
FIRST_SALT, SECOND_SALT = 8, 109
OVERHEAD = 9
MAX_PAYLOAD = 2 << 20
OPERATION, LOST, BATCH, DONE, DOUBT = 1, 2, 3, 4, 5


def checksum(salt, data):
    return struct.pack(">I", zlib.crc32(data, zlib.crc32(salt)))


def entry(salt, kind, payload):
    data = struct.pack(">IB", len(payload), kind) + payload
    return data + checksum(salt, data)


def header(salt, incarnation, device, origin, following):
    salted = salt + checksum(b"", salt)
    data = MAGIC + salted + incarnation + device + origin.encode()
    data += struct.pack(">Q", following) + salted
    return data + checksum(b"", data)


def salt_of(head):
    """The first of the two that is whole; without one a new one, with which nothing is an entry."""
    for at in (FIRST_SALT, SECOND_SALT):
        salt, end = head[at : at + SALT_SIZE], at + SALT_SIZE
        if len(salt) == SALT_SIZE and head[end : end + 4] == checksum(b"", salt):
            return salt
    return secrets.token_bytes(SALT_SIZE)


def region_of(payload):
    """Sequence, time and key region of an encoded operation; None when lengths do not add up."""
    if len(payload) < 19:
        return None
    sequence, millis, kind, space = struct.unpack_from(">QQBH", payload)
    at = 19 + space
    if not 1 <= sequence < 1 << 63 or millis >= 1 << 63 or not 1 <= space <= 64:
        return None
    if at + 2 > len(payload):
        return None
    key = struct.unpack_from(">H", payload, at)[0]
    at += 2 + key
    if not 1 <= key <= fmt.MAX_KEY_BYTES or at > len(payload):
        return None
    end = at
    if kind == fmt.PUT:
        if at + 2 > len(payload):
            return None
        length = struct.unpack_from(">H", payload, at)[0]
        at += 2 + length
        if length > fmt.MAX_TYPE_BYTES or at + 4 > len(payload):
            return None
        length = struct.unpack_from(">I", payload, at)[0]
        if length > fmt.MAX_VALUE_BYTES:
            return None
        at += 4 + length
    if kind not in (fmt.PUT, fmt.DELETE) or at != len(payload):
        return None
    return sequence, millis, payload[17:end]


def origin_of(head):
    try:
        return fmt.decode_origin(head[ORIGIN:FOLLOWING])
    except fmt.Malformed:
        return None
