"""A durable, ordered queue of changes in one file: docs/edge-format.md, section 3.

The file, its lock and what its entries mean are those of the Java library: each can go on with
what the other left. Values stay on disk; memory holds where they are.
"""

import contextlib
import os
import secrets
import struct
import threading
import time

from . import format as fmt
from .entries import (
    BATCH,
    DONE,
    DOUBT,
    LOST,
    OPERATION,
    OVERHEAD,
    SALT_SIZE,
    checksum,
    entry,
    header,
)
from .folder import Folder, QueueError
from .rewriting import Rewriting
from .scan import Scan

SLACK = 1 << 20

BLOCK, DROP_OLDEST, REFUSE = "block", "drop-oldest", "refuse"
EACH, INTERVAL, NONE = "each", "interval", "none"


class Options:
    """The bounds of a queue, and what it does when it meets them."""

    def __init__(
        self,
        max_bytes=256 << 20,
        max_operations=100_000,
        max_age=0,
        overflow=BLOCK,
        syncing=INTERVAL,
        sync_interval=1.0,
        batch_operations=1000,
        batch_bytes=1 << 20,
    ):
        if max_bytes < 4 << 20 or not 1 <= batch_bytes <= min(max_bytes // 4, 4 << 20):
            raise ValueError("a queue has at least 4 MiB, and a batch at most a quarter and 4 MiB")
        if not 1 <= batch_operations <= fmt.MAX_ITEMS or max_operations < 2 * batch_operations:
            raise ValueError("a queue has room for two batches of 1 to 4096 operations")
        if overflow not in (BLOCK, DROP_OLDEST, REFUSE) or syncing not in (EACH, INTERVAL, NONE):
            raise ValueError("an unknown policy")
        self.max_bytes = max_bytes
        self.max_operations = max_operations
        self.max_age = max_age
        self.overflow = overflow
        self.syncing = syncing
        self.sync_interval = sync_interval
        self.batch_operations = batch_operations
        self.batch_bytes = batch_bytes


class DeviceQueue:
    """The queue of a folder. Safe for several threads; knows of no network."""

    def __init__(self, folder, key, options=None, clock=None):
        self.key = key
        self.options = options or Options()
        self._clock = clock or (lambda: int(time.time() * 1000))
        self._room = threading.Condition(threading.RLock())
        self._closed = False
        self._handle = None
        self._broken = False
        self._compact_at = 0
        self.refused = 0
        self._folder = Folder(folder)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._folder.file("queue.new"))
            if not os.path.exists(self._folder.file("queue")):
                self._begin()
            self._recover()
        except BaseException:
            if self._handle is not None:
                os.close(self._handle)
            self._folder.release()
            raise

    def _begin(self):
        handle = os.open(self._folder.file("queue.new"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            salt = secrets.token_bytes(SALT_SIZE)
            incarnation = secrets.token_bytes(16)
            head = header(salt, incarnation, self.key.public, fmt.NOTHING_BEFORE, 1)
            os.write(handle, head)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(self._folder.file("queue.new"), self._folder.file("queue"))

    def _recover(self):
        # A process that was killed may have given the file its name, and not made that durable.
        self._folder.sync()
        self._handle = os.open(self._folder.file("queue"), os.O_RDWR)
        self._broken = False
        scan = Scan(self._handle, self.options.max_age).run()
        if scan.device is not None and scan.device != self.key.public:
            raise QueueError("the queue %s belongs to another device key" % self._folder.path)
        self._state, self._end, self._dirty = scan.state, scan.size, True
        self._salt = scan.salt
        self.incarnation = scan.incarnation or secrets.token_bytes(16)
        said = scan.state.pending.claim.origin if scan.state.pending else None
        self.origin = scan.origin or said or fmt.UNKNOWN_BEFORE
        self.recovery = {"cutBytes": 0, "lostOperations": 0, "setAside": None, "renewed": False}
        if scan.damaged:
            self._carry_over(scan.incarnation is None, scan.unreadable)
        elif scan.whole_end < scan.size:
            self.recovery["cutBytes"] = scan.size - scan.whole_end
            self._doubt_in_place_of(scan.whole_end, scan.size - scan.whole_end)
        self._count_from_here()
        self._state.age.observe(self._now())

    def _doubt_in_place_of(self, end, torn):
        """The edge may have taken what was torn off: ask before anything is sent.

        Until the doubt is whole in its place the end stays torn, so that whoever opens the file
        next comes here again. Fewer bytes than an entry's head are torn, whatever they are.
        """
        os.ftruncate(self._handle, end + min(torn, 4))
        doubt, at = entry(self._salt, DOUBT, b""), 0
        while at < len(doubt):
            at += os.pwrite(self._handle, doubt[at:], end + at)
        self._end = end + len(doubt)
        self._state.doubt()

    def _count_from_here(self):
        for reason in self._state.lost_count:
            self._state.lost_count[reason] = 0

    def _carry_over(self, renew, unreadable):
        state = self._state
        if state.pending is not None and self._pending() is None:
            state.drop_pending()
        number = 1
        while os.path.exists(self._folder.file("queue.damaged-%d" % number)):
            number += 1
        aside = self._folder.file("queue.damaged-%d" % number)
        if renew:
            made = self._anew(secrets.token_bytes(16), fmt.UNKNOWN_BEFORE, state.first - 1)
        else:
            state.doubt()
            made = self._same()
        try:
            os.link(self._folder.file("queue"), aside)
        except BaseException:
            self._give_up(made[0])
            raise
        self._give(*made)
        self.recovery.update(lostOperations=unreadable, setAside=aside, renewed=renew)

    def _now(self):
        return max(0, self._clock())

    # ---- writing

    def _append(self, kind, payload):
        self._write(entry(self._salt, kind, payload))

    def _write(self, data):
        if self._broken:
            raise QueueError("the queue cannot be written since a write or sync failed; reopen it")
        at = 0
        try:
            while at < len(data):
                at += os.pwrite(self._handle, data[at:], self._end + at)
        except OSError:
            try:
                os.ftruncate(self._handle, self._end)
            except OSError:
                self._broken = True
            raise
        self._end += len(data)
        self._dirty = True

    def _sync(self):
        if self._handle is None:
            raise QueueError("the queue could not be read anew, and is not open")
        if self._broken:
            raise QueueError("the queue cannot be synced since a write or sync failed; reopen it")
        if self._dirty:
            try:
                os.fdatasync(self._handle)
            except OSError:
                self._broken = True
                raise
            self._dirty = False

    def _payload(self, one):
        data = os.pread(self._handle, one.size, one.offset)
        if len(data) != one.size or data[-4:] != checksum(self._salt, data[:-4]):
            raise fmt.Malformed("the entry at %d of the queue was altered on disk" % one.offset)
        return data[5:-4]

    def _open(self):
        if self._closed:
            raise QueueError("the queue %s is closed" % self._folder.path)
        if self._handle is None:
            # It could not be read anew before.
            self._recover()

    # ---- what the device does

    def put(self, space, key, value, content_type=""):
        """Puts a value; returns its sequence number, or None when the queue is full and refuses."""
        return self._accept(fmt.PUT, space, key, content_type, bytes(value))

    def delete(self, space, key):
        """Deletes a key, in the manner of put."""
        return self._accept(fmt.DELETE, space, key, "", b"")

    def _accept(self, kind, space, key, content_type, value):
        region = fmt.key_region(space, key)
        with self._room:
            while True:
                self._open()
                state = self._state
                made = fmt.Operation(
                    state.following, self._now(), kind, space, key, content_type, value
                )
                payload = made.encode()
                size = len(payload) + OVERHEAD
                if not self._fits(size, region):
                    self._expire()
                    if self.options.overflow == DROP_OLDEST:
                        self._drop_for(size, region)
                if self._fits(size, region):
                    offset = self._end
                    self._append(OPERATION, payload)
                    state.accepted(made.time, offset, size, region)
                    if self.options.syncing == EACH:
                        self._sync()
                    self._compact_when_worth_it()
                    return made.sequence
                if self.options.overflow != BLOCK:
                    self.refused += 1
                    return None
                self._room.wait()

    def _fits(self, size, region):
        state = self._state
        earlier = state.latest.get(region)
        collapses = earlier is not None and state.unbatched(earlier)
        total = state.bytes + size - (state.live[earlier].size if collapses else 0)
        count = len(state.live) + (0 if collapses else 1)
        return total <= self.options.max_bytes and count <= self.options.max_operations

    def _drop_for(self, size, region):
        while not self._fits(size, region):
            oldest = self._state.first_unbatched()
            if oldest is None:
                return
            self._lose(fmt.DROPPED, oldest)

    def _lose(self, reason, sequence):
        one = fmt.Range(reason, sequence, sequence)
        self._append(LOST, one.encode())
        problem = self._state.lost(one)
        if problem:
            raise AssertionError(problem)

    def _expire(self):
        if not self.options.max_age:
            return
        passed = self._state.age.observe(self._now())
        while True:
            oldest = self._state.first_unbatched()
            if oldest is None or passed - self._state.live[oldest].age <= self.options.max_age:
                return
            self._lose(fmt.EXPIRED, oldest)
            self._room.notify_all()

    def expire(self):
        """Expires what has become too old."""
        with self._room:
            self._open()
            self._expire()
            self._compact_when_worth_it()

    def latest(self, space, key):
        """The latest operation of a key that waits here, or None."""
        region = fmt.key_region(space, key)
        with self._room:
            self._open()
            sequence = self._state.latest.get(region)
            if sequence is None:
                return None
            return fmt.decode_operation(self._payload(self._state.live[sequence]))

    # ---- what the sender does

    def anything_to_send(self):
        with self._room:
            return self._state.following > self._state.first

    def fills_batch(self):
        with self._room:
            return (
                len(self._state.live) >= self.options.batch_operations
                or self._state.bytes >= self.options.batch_bytes
            )

    @property
    def doubtful(self):
        with self._room:
            return self._state.doubted != 0

    def batch(self):
        """(signed claim, bytes) to send, the same until done, and durable; None for nothing."""
        with self._room:
            self._open()
            for _ in range(2):
                if self._state.doubted:
                    raise QueueError("the edge must be asked first what it has taken")
                if self._state.pending is None and not self._make_batch():
                    return None
                data = self._pending()
                if data is not None:
                    return self._state.pending, data
                # Given up before it is closed: when reading anew fails, the number may soon be
                # somebody else's.
                handle, self._handle = self._handle, None
                os.close(handle)
                self._recover()
            raise QueueError("the queue cannot be read back as it was written")

    def _make_batch(self):
        self._expire()
        while self._state.following > self._state.first:
            last, ranges, taken = self._state.draft(
                self.options.batch_operations, self.options.batch_bytes
            )
            payloads, unusable = [], None
            for sequence in taken:
                try:
                    payload = self._payload(self._state.live[sequence])
                    fmt.decode_operation(payload)
                    payloads.append(payload)
                except fmt.Malformed:
                    unusable = sequence
                    break
            if unusable is not None:
                self._lose(fmt.DROPPED, unusable)
                continue
            claim = fmt.Claim(
                self.key.public,
                self.incarnation,
                self._state.first,
                last,
                tuple(ranges),
                len(payloads),
                fmt.root_of(payloads),
                self.origin if self._state.first == 1 else None,
            )
            signed = fmt.sign_claim(self.key, claim)
            self._append(BATCH, signed.encode())
            problem = self._state.batched(signed)
            if problem:
                raise AssertionError(problem)
            return True
        return False

    def _pending(self):
        self._sync()
        signed = self._state.pending
        try:
            payloads = []
            for sequence, one in self._state.live.items():
                if sequence > signed.claim.last:
                    break
                payloads.append(self._payload(one))
            return fmt.encode_batch(signed, payloads)
        except fmt.Malformed:
            return None

    def settle(self, last_taken):
        """Ends a doubt: says what the edge has taken of this incarnation, 0 for nothing.

        When this fails, the doubt is still there.
        """
        with self._room:
            self._open()
            doubted = self._state.doubted
            if not doubted:
                return
            if last_taken < doubted:
                self._finish(max(last_taken, self._state.first - 1))
            else:
                self._renew(doubted - 1, last_taken)
                self._room.notify_all()

    def renew(self):
        """Goes on in a new incarnation with everything that waits, a batch on its way included."""
        with self._room:
            self._open()
            self._renew(self._state.first - 1, 0)

    def _renew(self, done, taken):
        """done: what the edge has of this count; taken: what it has beyond what is known here."""
        origin = self.origin
        if taken > done:
            origin = fmt.Origin(fmt.CONTINUES_AT_LEAST, self.incarnation, taken)
        elif done:
            origin = fmt.Origin(fmt.CONTINUES, self.incarnation, done)
        # An incarnation of which nothing is done leaves behind only what it goes on from.
        self._give(*self._anew(secrets.token_bytes(16), origin, done))

    def done(self, last):
        """The edge has everything up to last, which ends the pending batch."""
        with self._room:
            self._open()
            self._finish(last)
            self._compact_when_worth_it()

    def _finish(self, last):
        if not self._state.first - 1 <= last < self._state.following:
            raise ValueError("done up to %d is not in the queue" % last)
        self._append(DONE, struct.pack(">Q", last))
        self._state.done(last)
        self._room.notify_all()

    def reject(self, operations, why):
        """Gives up operations of the pending batch that the edge will never take.

        They are kept in the file "rejected", in lines as run reads them. What else the batch held
        waits again, in its order, for the next one.
        """
        with self._room:
            self._open()
            self._folder.set_aside(operations, why)
            for one in operations:
                # The first ends the batch, in which one with a later one of its key collapses.
                if one.sequence in self._state.live:
                    self._lose(fmt.REJECTED, one.sequence)
            self._room.notify_all()
            self._compact_when_worth_it()

    def sync(self):
        """Makes everything accepted until now safe from loss of power."""
        with self._room:
            if not self._closed:
                self._sync()

    # ---- making the file anew

    def _compact_when_worth_it(self):
        if self._end <= 2 * self._state.bytes + SLACK or self._end < self._compact_at:
            return
        try:
            made = self._same()
        except OSError:
            # No room for a copy: the old file is whole, and goes on until there is more to win.
            self._compact_at = self._end + SLACK
            return
        self._give(*made)
        self._compact_at = 0

    # A new file is whole and synced before it has its name. Until it has, everything is as before,
    # in memory too: numbers, batch, doubt. _same and _anew make one and return what _give takes:
    # its handle, and what makes memory that of the new file.

    def _same(self):
        """A file with the same numbers."""
        done = self._state.first - 1
        handle, end, live, salt = self._rewritten(self.incarnation, self.origin, done, False)

        def adopt():
            self._end, self._salt = end, salt
            self._state.live = live

        return handle, adopt

    def _anew(self, incarnation, origin, done):
        """A file that begins an incarnation with what comes after done."""
        handle, end, _, salt = self._rewritten(incarnation, origin, done, True)
        try:
            state = Scan(handle, self.options.max_age).run().state
        except BaseException:
            self._give_up(handle)
            raise

        def adopt():
            self._end, self._salt = end, salt
            self.incarnation, self.origin, self._state = incarnation, origin, state
            self._count_from_here()

        return handle, adopt

    def _rewritten(self, incarnation, origin, done, anew):
        salt = secrets.token_bytes(SALT_SIZE)
        head = header(salt, incarnation, self.key.public, origin, 1 if anew else done + 1)
        handle = os.open(self._folder.file("queue.new"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            copy = Rewriting(self._handle, self._salt, self._state, salt, done, anew)
            with os.fdopen(os.dup(handle), "wb", 1 << 20) as out:
                copy.write(out, head)
            os.fsync(handle)
            return handle, copy.end, copy.live, salt
        except BaseException:
            self._give_up(handle)
            raise

    def _give(self, handle, adopt):
        """Gives a new file the name of the old one, which is closed."""
        failed = None
        try:
            os.rename(self._folder.file("queue.new"), self._folder.file("queue"))
        except OSError as failure:
            if os.path.exists(self._folder.file("queue.new")):
                self._give_up(handle)
                raise
            # It was reported as failed, and done.
            failed = failure
        # From here on the old file has no name: nothing may be written to it, whatever happens.
        old, self._handle, self._dirty, self._broken = self._handle, handle, False, False
        adopt()
        try:
            os.close(old)
            self._folder.sync()
        except OSError as failure:
            failed = failure
        if failed is not None:
            self._broken = True
            raise failed

    def _give_up(self, handle):
        """Takes away a new file that does not get its name; the old one goes on."""
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(self._folder.file("queue.new"))

    def status(self):
        with self._room:
            state = self._state
            return {
                "incarnation": self.incarnation.hex(),
                "queued": len(state.live),
                "queuedBytes": state.bytes,
                "collapsed": state.lost_count[fmt.COLLAPSED],
                "expired": state.lost_count[fmt.EXPIRED],
                "dropped": state.lost_count[fmt.DROPPED],
                "rejected": state.lost_count[fmt.REJECTED],
                "refused": self.refused,
                "diskBytes": self._end,
                "firstSequence": state.first,
                "nextSequence": state.following,
                "batchPending": state.pending is not None,
                "doubtful": state.doubted != 0,
                "recovery": self.recovery,
            }

    def close(self):
        with self._room:
            if self._closed:
                return
            self._closed = True
            self._room.notify_all()
            try:
                self._sync()
            finally:
                if self._handle is not None:
                    os.close(self._handle)
                self._folder.release()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
