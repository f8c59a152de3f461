"""A durable, ordered queue of changes in one file: docs/edge-format.md, section 3.

The file, its lock and what its entries mean are those of the Java library: each can go on with
what the other left. Values stay on disk; memory holds where they are.
"""

import base64
import contextlib
import fcntl
import json
import os
import secrets
import struct
import threading
import time
import zlib
from collections import namedtuple

from . import format as fmt

MAGIC = b"HFQUEUE3"
SALT_SIZE = 16
HEADER_SIZE = 133
ORIGIN, FOLLOWING = 76, 101
FIRST_SALT, SECOND_SALT = 8, 109
OVERHEAD = 9
MAX_PAYLOAD = 2 << 20
OPERATION, LOST, BATCH, DONE, DOUBT = 1, 2, 3, 4, 5
SLACK = 1 << 20
MOST_RANGES = 32768
MOST_REJECTED_BYTES = 16 << 20

BLOCK, DROP_OLDEST, REFUSE = "block", "drop-oldest", "refuse"
EACH, INTERVAL, NONE = "each", "interval", "none"

_held = set()
_held_guard = threading.Lock()

Live = namedtuple("Live", "offset size region age")


class QueueError(Exception):
    """The queue cannot be used, or not for this."""


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


class _Age:
    """Time that passed, by a clock that may be wrong by years; a leap counts nothing."""

    def __init__(self, longest_millis):
        self.longest, self.last, self.passed = longest_millis, None, 0

    def observe(self, millis):
        if self.last is not None and 0 <= millis - self.last <= self.longest:
            self.passed += millis - self.last
        self.last = millis
        return self.passed / 1000


class _Losses:
    """Numbers that expired, were dropped or rejected, in ranges that ascend and do not overlap."""

    def __init__(self):
        self.ranges = []

    def _at(self, number):
        """How many ranges begin at or below a number."""
        low, high = 0, len(self.ranges)
        while low < high:
            middle = (low + high) // 2
            if self.ranges[middle].first <= number:
                low = middle + 1
            else:
                high = middle
        return low

    def overlaps(self, one):
        below = self._at(one.last)
        return below > 0 and self.ranges[below - 1].last >= one.first

    def add(self, one):
        at = self._at(one.first)
        if at and self.ranges[at - 1].last + 1 == one.first:
            if self.ranges[at - 1].reason == one.reason:
                at -= 1
                one = fmt.Range(one.reason, self.ranges.pop(at).first, one.last)
        if at < len(self.ranges) and self.ranges[at].first == one.last + 1:
            if self.ranges[at].reason == one.reason:
                one = fmt.Range(one.reason, one.first, self.ranges.pop(at).last)
        self.ranges.insert(at, one)
        if len(self.ranges) > MOST_RANGES:
            half = MOST_RANGES // 2
            merged = fmt.Range(fmt.DROPPED, self.ranges[0].first, self.ranges[half - 1].last)
            del self.ranges[:half]
            self.add(merged)

    def done(self, last):
        at = self._at(last)
        cut = self.ranges[at - 1] if at else None
        del self.ranges[:at]
        if cut and cut.last > last:
            self.ranges.insert(0, fmt.Range(cut.reason, last + 1, cut.last))

    def tell(self, first, last):
        """What became of numbers, none of which waits; what is not here was collapsed."""
        at = max(0, self._at(first) - 1)
        while first <= last:
            while at < len(self.ranges) and self.ranges[at].last < first:
                at += 1
            one = self.ranges[at] if at < len(self.ranges) else None
            if one and one.first <= first:
                end, reason = min(last, one.last), one.reason
            else:
                end, reason = min(last, one.first - 1) if one else last, fmt.COLLAPSED
            yield fmt.Range(reason, first, end)
            first = end + 1


class _State:
    """What the entries of a file mean, one after the other."""

    def __init__(self, following, max_age_seconds):
        self.first = self.following = following
        self.live = {}  # sequence -> Live, ascending
        self.latest = {}  # key region -> sequence
        self.bytes = 0
        self.losses = _Losses()
        self.pending = None
        self.doubted = 0
        self.age = _Age(max_age_seconds * 1000)
        self.lost_count = {fmt.COLLAPSED: 0, fmt.EXPIRED: 0, fmt.DROPPED: 0, fmt.REJECTED: 0}

    def unbatched(self, sequence):
        return self.pending is None or sequence > self.pending.claim.last

    def first_unbatched(self):
        return next((s for s in self.live if self.unbatched(s)), None)

    def remove(self, sequence):
        one = self.live.pop(sequence)
        self.bytes -= one.size
        if self.latest.get(one.region) == sequence:
            del self.latest[one.region]

    def accepted(self, millis, offset, size, region):
        earlier = self.latest.get(region)
        if earlier is not None and self.unbatched(earlier):
            self.remove(earlier)
            self.lost_count[fmt.COLLAPSED] += 1
        self.live[self.following] = Live(offset, size, region, self.age.observe(millis))
        self.latest[region] = self.following
        self.bytes += size
        self.following += 1

    def lost(self, one):
        claim = self.pending.claim if self.pending else None
        ends = claim and one.reason == fmt.REJECTED and claim.first <= one.first
        ends = ends and one.last <= claim.last
        floor = max(self.first, claim.last + 1 if claim and not ends else 0)
        if one.first < floor or (one.last >= self.following and one.first != self.following):
            return "%s does not lie in what waits" % (one,)
        if one.reason != fmt.COLLAPSED and self.losses.overlaps(one):
            return "%s tells again of what is lost" % (one,)
        if one.first == self.following:
            self.following = one.last + 1
            gone = one.count
        else:
            if one.count <= 16:
                found = [s for s in range(one.first, one.last + 1) if s in self.live]
            else:
                found = [s for s in self.live if one.first <= s <= one.last]
            for sequence in found:
                self.remove(sequence)
            gone = len(found)
        if one.reason != fmt.COLLAPSED:
            self.losses.add(one)
        self.lost_count[one.reason] += gone
        if ends:
            self.drop_pending()
        return None

    def batched(self, signed):
        claim = signed.claim
        if claim.first < self.first or claim.last >= self.following:
            return "a batch of %d to %d" % (claim.first, claim.last)
        if claim.first > self.first:
            self._forget(claim.first - 1)
        self.pending = signed
        return None

    def done(self, last):
        if last >= self.following:
            return "done up to %d" % last
        self._forget(last)
        self.doubted = 0
        return None

    def _forget(self, last):
        gone = []
        for sequence in self.live:
            if sequence > last:
                break
            gone.append(sequence)
        for sequence in gone:
            self.remove(sequence)
        self.losses.done(last)
        self.first = max(self.first, last + 1)
        if self.pending and self.pending.claim.first <= last:
            self.drop_pending()

    def drop_pending(self):
        """Gives the batch up: its operations collapse as if they had never been in one.

        Whoever reads a file that was made anew cannot know that they were.
        """
        if self.pending is None:
            return
        last, self.pending, gone = self.pending.claim.last, None, []
        for sequence, one in self.live.items():
            if sequence > last:
                break
            if self.latest.get(one.region) != sequence:
                gone.append(sequence)
        for sequence in gone:
            self.remove(sequence)
            self.lost_count[fmt.COLLAPSED] += 1

    def doubt(self):
        self.doubted = self.doubted or self.following

    def draft(self, most_operations, most_bytes):
        ranges, taken, covered, size = [], [], self.first - 1, 0
        for sequence in list(self.live) + [None]:
            end = self.following if sequence is None else sequence
            for one in self.losses.tell(covered + 1, end - 1):
                if len(ranges) == fmt.MAX_ITEMS:
                    return covered, ranges, taken
                ranges.append(one)
                covered = one.last
            if sequence is None or len(taken) == most_operations:
                return covered, ranges, taken
            entry_size = self.live[sequence].size
            if taken and size + entry_size > most_bytes:
                return covered, ranges, taken
            taken.append(sequence)
            size += entry_size
            covered = sequence
        return covered, ranges, taken


def _region_of(payload):
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


def _origin_of(head):
    try:
        return fmt.decode_origin(head[ORIGIN:FOLLOWING])
    except fmt.Malformed:
        return None


class _Scan:
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
            and _origin_of(head) is not None
        ):
            self.incarnation, self.device = head[28:44], head[44:ORIGIN]
            self.origin = _origin_of(head)
            self.state = _State(following, self.max_age)
        else:
            self.damaged = True
        at = HEADER_SIZE
        while at < self.size:
            found = self._entry(at, False)
            if found and self.state is None:
                self.state = _State(self._first_number(*found), self.max_age)
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
            self.state = _State(1, self.max_age)
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
            found = _region_of(payload)
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
                found = _region_of(payload)
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


class DeviceQueue:
    """The queue of a folder. Safe for several threads; knows of no network."""

    def __init__(self, folder, key, options=None, clock=None):
        os.makedirs(folder, exist_ok=True)
        self.folder = os.path.realpath(folder)
        self.key = key
        self.options = options or Options()
        self._clock = clock or (lambda: int(time.time() * 1000))
        self._room = threading.Condition(threading.RLock())
        self._closed = False
        self._handle = None
        self._broken = False
        self._compact_at = 0
        self.refused = 0
        self._lock_handle = self._hold()
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path("queue.new"))
            if not os.path.exists(self._path("queue")):
                self._begin()
            self._recover()
        except BaseException:
            if self._handle is not None:
                os.close(self._handle)
            self._release()
            raise

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _hold(self):
        # Closing any descriptor of the lock file gives up the locks of the whole process on it.
        with _held_guard:
            if self.folder in _held:
                raise QueueError("the queue %s is in use by this process" % self.folder)
            handle = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT, 0o666)
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                raise QueueError("the queue %s is in use by another process" % self.folder) from None
            _held.add(self.folder)
            return handle

    def _release(self):
        with _held_guard:
            os.close(self._lock_handle)
            _held.discard(self.folder)

    def _sync_folder(self):
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def _begin(self):
        handle = os.open(self._path("queue.new"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            salt = secrets.token_bytes(SALT_SIZE)
            incarnation = secrets.token_bytes(16)
            head = header(salt, incarnation, self.key.public, fmt.NOTHING_BEFORE, 1)
            os.write(handle, head)
            os.fsync(handle)
        finally:
            os.close(handle)
        os.rename(self._path("queue.new"), self._path("queue"))

    def _recover(self):
        # A process that was killed may have given the file its name, and not made that durable.
        self._sync_folder()
        self._handle = os.open(self._path("queue"), os.O_RDWR)
        self._broken = False
        scan = _Scan(self._handle, self.options.max_age).run()
        if scan.device is not None and scan.device != self.key.public:
            raise QueueError("the queue %s belongs to another device key" % self.folder)
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
        while os.path.exists(self._path("queue.damaged-%d" % number)):
            number += 1
        aside = self._path("queue.damaged-%d" % number)
        if renew:
            made = self._anew(secrets.token_bytes(16), fmt.UNKNOWN_BEFORE, state.first - 1)
        else:
            state.doubt()
            made = self._same()
        try:
            os.link(self._path("queue"), aside)
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
            raise QueueError("the queue %s is closed" % self.folder)

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
                os.close(self._handle)
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
            self._keep_rejected(operations, why)
            for one in operations:
                # The first ends the batch, in which one with a later one of its key collapses.
                if one.sequence in self._state.live:
                    self._lose(fmt.REJECTED, one.sequence)
            self._room.notify_all()
            self._compact_when_worth_it()

    def _keep_rejected(self, operations, why):
        handle = os.open(
            self._path("rejected"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666
        )
        try:
            room, lines = MOST_REJECTED_BYTES - os.fstat(handle).st_size, b""
            for one in operations:
                change = {"space": one.space, "key": one.key}
                if one.kind == fmt.PUT:
                    change["base64"] = base64.b64encode(one.value).decode("ascii")
                    change["type"] = one.type
                else:
                    change["delete"] = True
                change.update(sequence=one.sequence, time=one.time, why=why)
                line = json.dumps(change, ensure_ascii=False).encode("utf-8") + b"\n"
                if len(lines) + len(line) <= room:
                    lines += line
            at = 0
            while at < len(lines):
                at += os.write(handle, lines[at:])
            os.fsync(handle)
        finally:
            os.close(handle)
        self._sync_folder()

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
        handle, end, live, salt = self._rewrite(self.incarnation, self.origin, done, False)

        def adopt():
            self._end, self._salt = end, salt
            self._state.live = live

        return handle, adopt

    def _anew(self, incarnation, origin, done):
        """A file that begins an incarnation with what comes after done."""
        handle, end, _, salt = self._rewrite(incarnation, origin, done, True)
        try:
            state = _Scan(handle, self.options.max_age).run().state
        except BaseException:
            self._give_up(handle)
            raise

        def adopt():
            self._end, self._salt = end, salt
            self.incarnation, self.origin, self._state = incarnation, origin, state
            self._count_from_here()

        return handle, adopt

    def _give(self, handle, adopt):
        """Gives a new file the name of the old one, which is closed."""
        failed = None
        try:
            os.rename(self._path("queue.new"), self._path("queue"))
        except OSError as failure:
            if os.path.exists(self._path("queue.new")):
                self._give_up(handle)
                raise
            # It was reported as failed, and done.
            failed = failure
        # From here on the old file has no name: nothing may be written to it, whatever happens.
        old, self._handle, self._dirty, self._broken = self._handle, handle, False, False
        adopt()
        try:
            os.close(old)
            self._sync_folder()
        except OSError as failure:
            failed = failure
        if failed is not None:
            self._broken = True
            raise failed

    def _give_up(self, handle):
        """Takes away a new file that does not get its name; the old one goes on."""
        os.close(handle)
        with contextlib.suppress(OSError):
            os.unlink(self._path("queue.new"))

    def _rewrite(self, incarnation, origin, done, anew):
        """Writes what waits after done into queue.new; what stands there already stays as it is.

        With anew the numbers begin with 1, and there is neither batch nor doubt: what the batch
        held waits again, collapsed as if it had never been in one.
        """
        state, salt = self._state, secrets.token_bytes(SALT_SIZE)
        shift = done if anew else 0
        pending, doubted = (None, 0) if anew else (state.pending, state.doubted)
        waiting = [
            sequence
            for sequence, one in state.live.items()
            if sequence > done
            and (not anew or state.unbatched(sequence) or state.latest[one.region] == sequence)
        ]
        handle = os.open(self._path("queue.new"), os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            with os.fdopen(os.dup(handle), "wb", 1 << 20) as out:
                live, at = {}, out.write(
                    header(salt, incarnation, self.key.public, origin, done + 1 - shift)
                )
                covered = done

                def marks():
                    size = 0
                    if pending is not None and pending.claim.last == covered:
                        size += out.write(entry(salt, BATCH, pending.encode()))
                    if doubted == covered + 1:
                        size += out.write(entry(salt, DOUBT, b""))
                    return size

                at += marks()
                for sequence in [*waiting, state.following]:
                    while covered < sequence - 1:
                        end = sequence - 1
                        if pending is not None and covered < pending.claim.last:
                            end = min(end, pending.claim.last)
                        if covered < doubted - 1:
                            end = min(end, doubted - 1)
                        for one in state.losses.tell(covered + 1, end):
                            moved = fmt.Range(one.reason, one.first - shift, one.last - shift)
                            at += out.write(entry(salt, LOST, moved.encode()))
                        covered = end
                        at += marks()
                    if sequence == state.following:
                        break
                    one = state.live[sequence]
                    data = self._adopted(salt, one, sequence - shift)
                    live[sequence] = one._replace(offset=at)
                    at += out.write(data)
                    covered = sequence
                    at += marks()
            os.fsync(handle)
            return handle, at, live, salt
        except BaseException:
            self._give_up(handle)
            raise

    def _adopted(self, salt, one, sequence):
        """An operation's entry for another file; a sum that was wrong stays wrong there."""
        data = os.pread(self._handle, one.size, one.offset)
        right = zlib.crc32(data[:-4], zlib.crc32(self._salt))
        wrong = int.from_bytes(data[-4:], "big") ^ right
        data = data[:5] + struct.pack(">Q", sequence) + data[13:-4]
        return data + struct.pack(">I", zlib.crc32(data, zlib.crc32(salt)) ^ wrong)

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
                os.close(self._handle)
                self._release()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
