"""Operations, ranges, claims and batches: docs/edge-format.md, sections 1 and 2."""

import base64
import hashlib
import re
import struct
from collections import namedtuple

from . import ed25519

MAX_KEY_BYTES = 1024
MAX_TYPE_BYTES = 255
MAX_VALUE_BYTES = 1 << 20
MAX_ITEMS = 4096
MAX_BATCH_BYTES = 8 << 20
MEDIA_TYPE = "application/vnd.holdfast.batch"

COLLAPSED, EXPIRED, DROPPED, REJECTED = 1, 2, 3, 4
PUT, DELETE = 1, 2

_SPACE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_DEVICE = re.compile(r"[a-z0-9._-]{1,64}")
_TYPE = re.compile(r"[ -~]{0,255}")
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


class Malformed(Exception):
    """Bytes that are not what they should be."""


class Range(namedtuple("Range", "reason first last")):
    """Operations that will not be sent, and why."""

    __slots__ = ()

    def encode(self):
        return struct.pack(">BQQ", self.reason, self.first, self.last)

    @property
    def count(self):
        return self.last - self.first + 1


def decode_range(data):
    if len(data) != 17:
        raise Malformed("a range has 17 bytes")
    found = Range(*struct.unpack(">BQQ", data))
    if not COLLAPSED <= found.reason <= REJECTED or not 1 <= found.first <= found.last < 1 << 63:
        raise Malformed("no range: %s" % (found,))
    return found


def check_device(name):
    if not _DEVICE.fullmatch(name):
        raise ValueError("a device's name has 1 to 64 of a-z 0-9 . _ -, unlike %r" % name)


def _text16(data):
    return struct.pack(">H", len(data)) + data


def key_region(space, key):
    """text16 space, text16 key: what tells two keys apart."""
    if not _SPACE.fullmatch(space):
        raise ValueError(
            "a space has 1 to 64 of a-z 0-9 . _ - and begins with a letter or digit, unlike %r"
            % space
        )
    name = key.encode("utf-8")
    if not 1 <= len(name) <= MAX_KEY_BYTES:
        raise ValueError("a key has 1 to 1024 bytes in UTF-8, not %d" % len(name))
    return _text16(space.encode("ascii")) + _text16(name)


class Operation(namedtuple("Operation", "sequence time kind space key type value")):
    """One change of a key; time is a claim, in milliseconds since 1970."""

    __slots__ = ()

    def encode(self):
        if not 0 <= self.sequence < 1 << 63 or not 0 <= self.time < 1 << 63:
            raise ValueError("sequence numbers and times are below 2^63 and not negative")
        head = struct.pack(">QQB", self.sequence, self.time, self.kind)
        head += key_region(self.space, self.key)
        if self.kind == DELETE:
            return head
        if not _TYPE.fullmatch(self.type):
            raise ValueError("a content type is visible ASCII of at most 255 characters")
        if len(self.value) > MAX_VALUE_BYTES:
            raise ValueError("a value has at most 1 MiB, not %d bytes" % len(self.value))
        return (
            head
            + _text16(self.type.encode("ascii"))
            + struct.pack(">I", len(self.value))
            + self.value
        )


class _Input:
    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def malformed(self, problem):
        return Malformed("the %s %s" % (self.what, problem))

    def raw(self, count):
        if count > len(self.data) - self.at:
            raise self.malformed("ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size, most):
        value = int.from_bytes(self.raw(size), "big")
        if value > most:
            raise self.malformed("holds the number %d, more than %d" % (value, most))
        return value

    def text16(self, most):
        try:
            return self.raw(self.number(2, most)).decode("utf-8")
        except UnicodeDecodeError:
            raise self.malformed("holds text that is not UTF-8") from None

    def end(self):
        if self.at != len(self.data):
            raise self.malformed("is followed by bytes that do not belong to it")


_U63 = (1 << 63) - 1


def _read_operation(source):
    sequence, time, kind = source.number(8, _U63), source.number(8, _U63), source.number(1, 255)
    space, key = source.text16(64), source.text16(MAX_KEY_BYTES)
    content_type, value = "", b""
    if kind == PUT:
        content_type = source.text16(MAX_TYPE_BYTES)
        value = source.raw(source.number(4, MAX_VALUE_BYTES))
    elif kind != DELETE:
        raise source.malformed("is of the unknown kind %d" % kind)
    made = Operation(sequence, time, kind, space, key, content_type, value)
    try:
        made.encode()
    except ValueError as problem:
        raise source.malformed("is against a rule: %s" % problem) from None
    return made


def decode_operation(data):
    source = _Input(data, "operation")
    made = _read_operation(source)
    source.end()
    return made


def root_of(operations):
    """The Merkle root over encoded operations; 32 zero bytes over none."""
    level = [hashlib.sha256(b"hf1.devl" + one).digest() for one in operations]
    if not level:
        return bytes(32)
    while len(level) > 1:
        pairs = [
            hashlib.sha256(b"hf1.devn" + level[i] + level[i + 1]).digest()
            for i in range(0, len(level) - 1, 2)
        ]
        level = pairs + level[len(pairs) * 2 :]
    return level[0]


FIRST, CONTINUES, CONTINUES_AT_LEAST, UNKNOWN = 0, 1, 2, 3
ORIGIN_SIZE = 25


class Origin(namedtuple("Origin", "kind before last")):
    """What an incarnation goes on from: said in the claim that begins with number 1."""

    __slots__ = ()

    def encode(self):
        return struct.pack(">B16sQ", self.kind, self.before, self.last)


NOTHING_BEFORE = Origin(FIRST, bytes(16), 0)
UNKNOWN_BEFORE = Origin(UNKNOWN, bytes(16), 0)


def decode_origin(data):
    found = Origin(*struct.unpack(">B16sQ", data))
    names = found.kind in (CONTINUES, CONTINUES_AT_LEAST)
    if found.kind > UNKNOWN or found.last >= 1 << 63:
        raise Malformed("no origin: %s" % (found,))
    if not names and found[1:] != (bytes(16), 0):
        raise Malformed("an origin that goes on from nothing names something")
    return found


class Claim(
    namedtuple("Claim", "device incarnation first last ranges operations root origin")
):
    """What a device says of the numbers first to last; origin only where first is 1."""

    __slots__ = ()

    def check(self):
        if (self.first == 1) != (self.origin is not None):
            raise ValueError("a claim has an origin exactly when it begins with 1")
        if not 1 <= self.first <= self.last < 1 << 63:
            raise ValueError("a claim cannot cover %d to %d" % (self.first, self.last))
        if len(self.ranges) > MAX_ITEMS or not 0 <= self.operations <= MAX_ITEMS:
            raise ValueError("too many ranges or operations")
        left, following, before = self.last - self.first + 1, self.first, None
        for one in self.ranges:
            if one.first < following or one.last > self.last:
                raise ValueError("%s overlaps another or lies outside" % (one,))
            if before and one.first == following and one.reason == before.reason:
                raise ValueError("two ranges that touch have the same reason")
            left -= one.count
            following, before = one.last + 1, one
        if left != self.operations or (left == 0 and self.root != bytes(32)):
            raise ValueError("the ranges leave %d, there are %d" % (left, self.operations))
        return self

    def encode(self):
        return b"".join(
            [
                self.device,
                self.incarnation,
                struct.pack(">QQI", self.first, self.last, len(self.ranges)),
                *[one.encode() for one in self.ranges],
                struct.pack(">I", self.operations),
                self.root,
                self.origin.encode() if self.origin else b"",
            ]
        )


class SignedClaim(namedtuple("SignedClaim", "claim signature")):
    """A claim and its device's signature."""

    __slots__ = ()

    def encode(self):
        return self.claim.encode() + self.signature


def sign_claim(key, claim):
    return SignedClaim(claim.check(), key.sign(b"hf1.devb", claim.encode()))


def _read_signed_claim(source):
    device, incarnation = source.raw(32), source.raw(16)
    first, last = source.number(8, _U63), source.number(8, _U63)
    count = source.number(4, MAX_ITEMS)
    ranges = tuple(decode_range(source.raw(17)) for _ in range(count))
    operations, root = source.number(4, MAX_ITEMS), source.raw(32)
    origin = decode_origin(source.raw(ORIGIN_SIZE)) if first == 1 else None
    claim = Claim(device, incarnation, first, last, ranges, operations, root, origin)
    try:
        claim.check()
    except ValueError as problem:
        raise source.malformed("is against a rule: %s" % problem) from None
    return SignedClaim(claim, source.raw(64))


def decode_signed_claim(data):
    source = _Input(data, "signed claim")
    made = _read_signed_claim(source)
    source.end()
    return made


def encode_batch(signed, operations):
    """A batch of a signed claim and encoded operations; refused unless they belong together."""
    claim = signed.claim
    numbers, following, ranges = [], claim.first, list(claim.ranges) + [None]
    at = 0
    while following <= claim.last:
        if ranges[at] is not None and ranges[at].first == following:
            following = ranges[at].last + 1
            at += 1
        else:
            numbers.append(following)
            following += 1
            if len(numbers) > claim.operations:
                break
    found = [int.from_bytes(one[:8], "big") for one in operations]
    if found != numbers or root_of(operations) != claim.root:
        raise Malformed("the operations are not those of the claim")
    data = b"\x01" + signed.encode() + b"".join(operations)
    if len(data) > MAX_BATCH_BYTES:
        raise Malformed("a batch has at most 8 MiB")
    return data


def decode_batch(data):
    """The signed claim and the operations of a batch; the signature is not verified."""
    if len(data) > MAX_BATCH_BYTES:
        raise Malformed("the batch has more than 8 MiB")
    source = _Input(data, "batch")
    if source.number(1, 255) != 1:
        raise source.malformed("is of an unknown version")
    signed = _read_signed_claim(source)
    operations = [_read_operation(source) for _ in range(signed.claim.operations)]
    source.end()
    if encode_batch(signed, [one.encode() for one in operations]) != data:
        raise source.malformed("is not the encoding of its value")
    return signed, operations


class DeviceKey:
    """The Ed25519 key of a device, kept as PKCS#8 PEM."""

    def __init__(self, seed):
        self._seed = seed
        self.public = ed25519.public_key(seed)

    @staticmethod
    def parse_pem(text):
        found = re.search(
            "-----BEGIN PRIVATE KEY-----(.*?)-----END PRIVATE KEY-----", text, re.DOTALL
        )
        if not found:
            raise ValueError("no PRIVATE KEY block found; expected PKCS#8 PEM")
        der = base64.b64decode("".join(found.group(1).split()), validate=True)
        if len(der) != 48 or not der.startswith(_PKCS8):
            raise ValueError("the PRIVATE KEY block does not hold an Ed25519 key")
        return DeviceKey(der[16:])

    def to_pem(self):
        body = base64.b64encode(_PKCS8 + self._seed).decode("ascii")
        return "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n" % body

    def sign(self, tag, message):
        return ed25519.sign(self._seed, tag + message)

    def sign_enrolment(self, name, user):
        check_device(name)
        message = _text16(name.encode("ascii")) + _text16(user.encode("utf-8"))
        return self.sign(b"hf1.deve", message)
