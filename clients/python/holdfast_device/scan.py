"""Reads a queue file from head to end."""

import os
import struct

from . import format as fmt
from .entries import (
    BATCH,
    DONE,
    DOUBT,
    FIRST_SALT,
    FOLLOWING,
    HEADER_SIZE,
    LOST,
    MAGIC,
    MAX_PAYLOAD,
    OPERATION,
    ORIGIN,
    OVERHEAD,
    SALT_SIZE,
    SECOND_SALT,
    checksum,
    origin_of,
    region_of,
    salt_of,
)
from .state import State


class Scan:
    """Reads a file from head to end, and tells a torn end from damage.

    Values come from others, and one may hold what looks like entries. What is torn is therefore
    never searched; what is searched is compared with sums that nobody can make who does not know
    the file's salt.
    """

    WINDOW = MAX_PAYLOAD + (64 << 10)

    def __init__(self, handle, max_age):
        self.handle, self.max_age = handle, max_age
        self.size = os.fstat(handle).st_size
        self.window, self.start = b"", 0
        self.state = self.device = self.incarnation = self.salt = self.origin = None
        self.damaged, self.unreadable = False, 0
        self.whole_end = min(self.size, HEADER_SIZE)

    def run(self):
        head = os.pread(self.handle, HEADER_SIZE, 0)
        self.salt = salt_of(head)
        following = int.from_bytes(head[FOLLOWING : FOLLOWING + 8], "big")
        if (
            len(head) == HEADER_SIZE
            and head[:8] == MAGIC
            and head[-4:] == checksum(b"", head[:-4])
            and head[FIRST_SALT : FIRST_SALT + 20] == head[SECOND_SALT : SECOND_SALT + 20]
            and head[FIRST_SALT : FIRST_SALT + SALT_SIZE] == self.salt
            and 1 <= following < 1 << 63
            and origin_of(head) is not None
        ):
            self.incarnation, self.device = head[28:44], head[44:ORIGIN]
            self.origin = origin_of(head)
            self.state = State(following, self.max_age)
        else:
            self.damaged = True
        at = HEADER_SIZE
        while at < self.size:
            found = self._entry(at, False)
            if found and self.state is None:
                self.state = State(self._first_number(*found), self.max_age)
            if found and self._apply(at, *found):
                at += OVERHEAD + len(found[1])
                self.whole_end = at
                continue
            if self._goes_on_behind_the_end(at):
                break
            at = next((n for n in range(at + 1, self.size - 8) if self._entry(n, True)), None)
            if at is None:
                break
            self.damaged = True
        if self.state is None:
            self.state = State(1, self.max_age)
        return self

    def _read(self, at, count):
        if at < self.start or at + count > self.start + len(self.window):
            self.start, self.window = at, os.pread(self.handle, self.WINDOW, at)
        return self.window[at - self.start : at - self.start + count]

    def _entry(self, at, strict):
        head = self._read(at, 5)
        if len(head) < 5:
            return None
        length, kind = struct.unpack(">IB", head)
        if not self._plausible(length, kind):
            return None
        if at + OVERHEAD + length > self.size:
            return None
        data = self._read(at, OVERHEAD + length)
        payload = data[5:-4]
        if strict and not self._sensible(kind, payload):
            return None
        if data[-4:] != checksum(self.salt, data[:-4]):
            return None
        return kind, payload

    @staticmethod
    def _plausible(length, kind):
        return length <= MAX_PAYLOAD and OPERATION <= kind <= DOUBT

    def _goes_on_behind_the_end(self, at):
        """Whether an entry begins here whose end was never written."""
        head = self._read(at, 5)
        if len(head) < 5:
            return True
        length, kind = struct.unpack(">IB", head)
        return self._plausible(length, kind) and at + OVERHEAD + length > self.size

    def _sensible(self, kind, payload):
        if kind == OPERATION:
            found = region_of(payload)
            following = self.state.following if self.state else 1
            return bool(found) and found[0] >= following and (
                self.state is None or found[0] - following <= self.size
            )
        if kind == BATCH:
            try:
                fmt.decode_signed_claim(payload)
                return True
            except fmt.Malformed:
                return False
        return len(payload) == {LOST: 17, DONE: 8, DOUBT: 0}[kind]

    def _first_number(self, kind, payload):
        try:
            if kind == OPERATION:
                return max(1, int.from_bytes(payload[:8], "big"))
            if kind == LOST:
                return fmt.decode_range(payload).first
            if kind == BATCH:
                return fmt.decode_signed_claim(payload).claim.first
            if kind == DONE:
                return int.from_bytes(payload, "big") + 1
        except fmt.Malformed:
            pass
        return 1

    def _missing(self, up_to):
        if self.damaged and up_to > self.state.following:
            self.unreadable += up_to - self.state.following
            self.state.lost(fmt.Range(fmt.DROPPED, self.state.following, up_to - 1))

    def _apply(self, at, kind, payload):
        state = self.state
        try:
            if kind == OPERATION:
                found = region_of(payload)
                if found is None:
                    return False
                self._missing(found[0])
                if found[0] != state.following:
                    return False
                state.accepted(found[1], at, OVERHEAD + len(payload), found[2])
                return True
            if kind == LOST:
                one = fmt.decode_range(payload)
                self._missing(one.first)
                return state.lost(one) is None
            if kind == BATCH:
                signed = fmt.decode_signed_claim(payload)
                self.incarnation = self.incarnation or signed.claim.incarnation
                self._missing(signed.claim.last + 1)
                return (
                    signed.claim.incarnation == self.incarnation and state.batched(signed) is None
                )
            if kind == DONE and len(payload) == 8 and payload[0] < 0x80:
                last = int.from_bytes(payload, "big")
                self._missing(last + 1)
                return state.done(last) is None
            if kind == DOUBT and not payload:
                state.doubt()
                return True
        except fmt.Malformed:
            pass
        return False
