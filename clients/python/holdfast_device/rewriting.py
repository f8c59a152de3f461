"""Writes what waits in a queue into another file."""

import os
import struct
import zlib

from . import format as fmt
from .entries import BATCH, DOUBT, LOST, entry


class Rewriting:
    """Copies what waits after done; what stands in the new file already stays as it is.

    With anew the numbers begin with 1, and there is neither batch nor doubt: what the batch held
    waits again, collapsed as if it had never been in one.
    """

    def __init__(self, source, source_salt, state, salt, done, anew):
        self.source, self.source_salt = source, source_salt
        self.state, self.salt, self.done = state, salt, done
        self.shift = done if anew else 0
        self.pending, self.doubted = (None, 0) if anew else (state.pending, state.doubted)
        self.waiting = [
            sequence
            for sequence, one in state.live.items()
            if sequence > done
            and (not anew or state.unbatched(sequence) or state.latest[one.region] == sequence)
        ]
        self.live, self.end = {}, 0  # of the new file

    def write(self, out, head):
        self.end = out.write(head)
        covered = self.done
        self._marks(out, covered)
        for sequence in [*self.waiting, self.state.following]:
            covered = self._losses(out, covered, sequence - 1)
            if sequence < self.state.following:
                one = self.state.live[sequence]
                data = self._adopted(one, sequence - self.shift)
                self.live[sequence] = one._replace(offset=self.end)
                self.end += out.write(data)
                covered = sequence
                self._marks(out, covered)

    def _losses(self, out, covered, last):
        """What became of the numbers up to last, with batch and doubt in their places."""
        while covered < last:
            end = last
            if self.pending is not None and covered < self.pending.claim.last:
                end = min(end, self.pending.claim.last)
            if covered < self.doubted - 1:
                end = min(end, self.doubted - 1)
            for one in self.state.losses.tell(covered + 1, end):
                moved = fmt.Range(one.reason, one.first - self.shift, one.last - self.shift)
                self.end += out.write(entry(self.salt, LOST, moved.encode()))
            covered = end
            self._marks(out, covered)
        return covered

    def _marks(self, out, covered):
        """Batch and doubt, where they stand between operations."""
        if self.pending is not None and self.pending.claim.last == covered:
            self.end += out.write(entry(self.salt, BATCH, self.pending.encode()))
        if self.doubted == covered + 1:
            self.end += out.write(entry(self.salt, DOUBT, b""))

    def _adopted(self, one, sequence):
        """An operation's entry for the new file; a sum that was wrong stays wrong there."""
        data = os.pread(self.source, one.size, one.offset)
        right = zlib.crc32(data[:-4], zlib.crc32(self.source_salt))
        wrong = int.from_bytes(data[-4:], "big") ^ right
        data = data[:5] + struct.pack(">Q", sequence) + data[13:-4]
        return data + struct.pack(">I", zlib.crc32(data, zlib.crc32(self.salt)) ^ wrong)
