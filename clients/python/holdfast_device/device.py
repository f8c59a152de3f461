"""A device: its queue, the thread that sends, and what it asks an edge."""

import base64
import contextlib
import gzip
import http.client
import json
import os
import random
import secrets
import ssl
import tempfile
import threading
import time
from collections import OrderedDict, namedtuple
from urllib.parse import quote, urlsplit

from . import format as fmt
from .queue import INTERVAL, DeviceQueue, Options, QueueError

FIRST_RETRY = 0.5
LONGEST_RETRY = 60.0
SLOW_RETRY = 60.0
LONGEST_WISH = 3600.0
MOST_ANSWER_BYTES = 2 << 20
WORTH_COMPRESSING = 512
# Connections that are kept while nobody uses them: that of the sender and one of get.
MOST_RESTING = 2

IDLE, ONLINE, OFFLINE, BUSY = "IDLE", "ONLINE", "OFFLINE", "BUSY"
SKIP, STOP = "skip", "stop"
DENIED, CONFLICT, REFUSED, NOT_ENROLLED = "DENIED", "CONFLICT", "REFUSED", "NOT_ENROLLED"
REJECTED = "REJECTED"

# source is QUEUE, EDGE, REMEMBERED or NOBODY; value is None when there is none; age in seconds.
Answer = namedtuple("Answer", "source value type age")
Reply = namedtuple("Reply", "status headers body")
# How an attempt ended: state is one of those above, or REJECTED when the edge takes the batch only
# without operations that are set aside by now; wish is the edge's Retry-After in seconds.
Outcome = namedtuple("Outcome", "state reason wish")

_AWAY = (OSError, http.client.HTTPException)


class EdgeError(Exception):
    """The edge refuses, and says why."""


class Edge:
    """Where an edge is and how it is spoken to: HTTPS only, over connections that are kept.

    Safe for several threads. None waits for another's answer: each takes a connection that rests,
    or opens one.
    """

    def __init__(self, url, authority, user, password, timeout=30.0, certificate=None):
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.path not in ("", "/"):
            raise ValueError("an edge is written https://host:port, not %s" % url)
        self.host, self.port = parts.hostname, parts.port or 7443
        self.user = user
        self.timeout = timeout
        self._context = ssl.create_default_context(cafile=authority)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        if certificate:
            self._context.load_cert_chain(certificate)
        self._authorization = None
        if password is not None:
            login = ("%s:%s" % (user, password)).encode("utf-8")
            self._authorization = "Basic " + base64.b64encode(login).decode("ascii")
        self._resting = []
        self._closed = False
        self._guard = threading.Lock()

    def request(self, method, path, content_type="", body=b""):
        """Makes a request; raises OSError or HTTPException when there is no answer."""
        headers = {}
        if self._authorization:
            headers["Authorization"] = self._authorization
        if content_type.endswith("+gzip"):
            headers["Content-Encoding"] = "gzip"
            content_type = content_type[:-5]
        if content_type:
            headers["Content-Type"] = content_type
        connection = self._take()
        if connection is not None:
            try:
                return self._once(connection, method, path, headers, body)
            except (http.client.RemoteDisconnected, ConnectionError):
                # The edge closed a connection that rested. All that is asked may be asked twice.
                pass
        connection = http.client.HTTPSConnection(
            self.host, self.port, timeout=self.timeout, context=self._context
        )
        return self._once(connection, method, path, headers, body)

    def _once(self, connection, method, path, headers, body):
        kept = False
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            data = response.read(MOST_ANSWER_BYTES + 1)
            if len(data) > MOST_ANSWER_BYTES:
                raise http.client.HTTPException("the answer has more than 2 MiB")
            found = {name.lower(): value for name, value in response.getheaders()}
            kept = not response.will_close and self._rest(connection)
            return Reply(response.status, found, data)
        finally:
            if not kept:
                connection.close()

    def _take(self):
        with self._guard:
            return self._resting.pop() if self._resting else None

    def _rest(self, connection):
        with self._guard:
            if self._closed or len(self._resting) >= MOST_RESTING:
                return False
            self._resting.append(connection)
            return True

    def close(self):
        with self._guard:
            self._closed, resting = True, self._resting
            self._resting = []
        for one in resting:
            one.close()


def _write_private(folder, name, text, replace):
    handle, made = tempfile.mkstemp(prefix=name, suffix=".new", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if replace:
            os.replace(made, os.path.join(folder, name))
        else:
            with contextlib.suppress(FileExistsError):
                os.link(made, os.path.join(folder, name))
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made)


def device_key(folder):
    """The key of a device's folder, made when there is none yet."""
    path = os.path.join(folder, "key.pem")
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _write_private(folder, "key.pem", fmt.DeviceKey(secrets.token_bytes(32)).to_pem(), False)
    with open(path, encoding="ascii") as source:
        return fmt.DeviceKey.parse_pem(source.read())


def device_name(folder):
    """The name under which the device was enrolled, or None."""
    try:
        with open(os.path.join(folder, "name"), encoding="ascii") as source:
            name = source.read().strip()
    except FileNotFoundError:
        return None
    fmt.check_device(name)
    return name


def enrol(folder, edge, name):
    """Makes a device known to an edge; returns whether it was not known before."""
    key = device_key(folder)
    body = {
        "device": name,
        "key": key.public.hex(),
        "signature": key.sign_enrolment(name, edge.user).hex(),
    }
    reply = edge.request(
        "POST", "/v1/devices", "application/json", json.dumps(body).encode("utf-8")
    )
    if reply.status not in (200, 201):
        raise EdgeError("the device was not enrolled: " + refusal(reply).reason)
    _write_private(folder, "name", name + "\n", True)
    return reply.status == 201


def _json(data):
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def refusal(reply):
    """What an answer means that is no success."""
    detail = _json(reply.body).get("detail")
    reason = "the edge answered %d" % reply.status
    if isinstance(detail, str):
        reason += ": " + detail
    # Seconds are understood; a date is not, since a device's clock may be wrong.
    wish = reply.headers.get("retry-after", "")
    wish = float(wish) if wish.isascii() and wish.isdigit() and len(wish) < 10 else 0.0
    if reply.status == 409:
        return Outcome(CONFLICT, reason, 0)
    if reply.status in (401, 403):
        return Outcome(DENIED, reason, 0)
    if reply.status in (408, 425, 429) or (reply.status >= 500 and reply.status != 507):
        return Outcome(BUSY, reason, wish)
    return Outcome(REFUSED, reason, 0)


class Pace:
    """Decides when to send. No clock and no thread: time comes in as seconds that only grow."""

    def __init__(self, linger, rng):
        self.linger, self.rng = linger, rng
        self.state, self.trouble, self.failures = IDLE, "", 0
        self._not_before, self._since = float("-inf"), None

    def delay(self, load, now):
        """How long to wait, None for ever; load is None, "some" or "now"."""
        if load is None:
            self._since = None
            return None
        if self._since is None:
            self._since = now
        due = now if load == "now" else self._since + self.linger
        return max(0.0, max(due, self._not_before) - now)

    def ended(self, outcome, now):
        if outcome.state in (ONLINE, REJECTED):
            self.state = ONLINE
            self.trouble, self.failures = "", 0
            self._not_before, self._since = float("-inf"), None
            return
        self.state = outcome.state
        most = min(FIRST_RETRY * 2 ** min(self.failures, 16), LONGEST_RETRY)
        if outcome.state not in (OFFLINE, BUSY):
            most = SLOW_RETRY
        wait = most / 2 + self.rng.random() * most / 2
        self.trouble = outcome.reason
        self.failures += 1
        self._not_before = now + max(wait, min(outcome.wish, LONGEST_WISH))


class Courier:
    """Brings batches from a queue to an edge, one attempt at a time.

    rejection says what happens with operations that the edge will never take: SKIP sets them aside
    and tells them as lost, STOP sends nothing more until somebody has seen to it.
    """

    def __init__(
        self, queue, link, pace, name, taken=lambda signed, data: None, rejection=SKIP
    ):
        if rejection not in (SKIP, STOP):
            raise ValueError("what is rejected is skipped, or stops: %r" % rejection)
        self.rejection, self.last_rejection = rejection, ""
        self.queue, self.link, self.pace = queue, link, pace
        self.path = "/v1/devices/%s/batches" % name
        self.taken = taken
        self.hurry = False
        self._compressing = True
        self.sent = self.batches = self.bytes_sent = 0

    def step(self, now):
        """Does what is due; returns how long there is nothing to do, None until a put."""
        delay = self.pace.delay(self._load(), now)
        if delay is None or delay > 0:
            return delay
        if self.queue.doubtful:
            self.pace.ended(self._ask(), now)
            return 0.0
        found = self.queue.batch()
        if found is not None:
            signed, data = found
            outcome = self._send(signed, data)
            if outcome.state == ONLINE:
                self.sent += signed.claim.operations
                self.batches += 1
                self.queue.done(signed.claim.last)
                self.taken(signed, data)
            self.pace.ended(outcome, now)
        return 0.0

    def _load(self):
        status = self.queue.status()
        if not status["doubtful"] and status["nextSequence"] == status["firstSequence"]:
            self.hurry = False
            return None
        urgent = self.hurry or status["doubtful"] or status["batchPending"]
        return "now" if urgent or self.queue.fills_batch() else "some"

    def _ask(self):
        try:
            query = "?incarnation=" + self.queue.incarnation.hex()
            reply = self.link.request("GET", self.path + query)
        except _AWAY as failure:
            return Outcome(OFFLINE, str(failure), 0)
        if reply.status != 200:
            return refusal(reply)
        listed = _json(reply.body).get("incarnations")
        if not isinstance(listed, list):
            return Outcome(OFFLINE, "the edge did not say what it has taken", 0)
        last = 0
        for one in listed:
            if isinstance(one, dict) and one.get("incarnation") == self.queue.incarnation.hex():
                if type(one.get("last")) is int and one["last"] >= 0:
                    last = one["last"]
        self.queue.settle(last)
        return Outcome(ONLINE, "", 0)

    def _send(self, signed, data):
        worth = self._compressing and len(data) >= WORTH_COMPRESSING
        small = gzip.compress(data) if worth else data
        compressed = len(small) < len(data)
        body = small if compressed else data
        self.bytes_sent += len(body)
        try:
            reply = self.link.request(
                "POST", self.path, fmt.MEDIA_TYPE + ("+gzip" if compressed else ""), body
            )
        except _AWAY as failure:
            return Outcome(OFFLINE, str(failure) or type(failure).__name__, 0)
        if compressed and reply.status in (400, 415):
            # Something on the way does not take compressed bodies; the batch may be welcome.
            self._compressing = False
            return self._send(signed, data)
        if reply.status != 200:
            return self._refused(reply, data)
        last = _json(reply.body).get("last")
        if type(last) is not int or last < signed.claim.last:
            return Outcome(OFFLINE, "the edge answered for another batch: last %r" % last, 0)
        return Outcome(ONLINE, "", 0)


    def _refused(self, reply, data):
        outcome = refusal(reply)
        numbers = _json(reply.body).get("rejected")
        if (
            self.rejection == STOP
            or outcome.state not in (DENIED, REFUSED)
            or not isinstance(numbers, list)
        ):
            return outcome
        numbers = {one for one in numbers if type(one) is int}
        rejected = [one for one in fmt.decode_batch(data)[1] if one.sequence in numbers]
        if not rejected:
            return outcome
        self.queue.reject(rejected, outcome.reason)
        self.last_rejection = outcome.reason
        return Outcome(REJECTED, outcome.reason, 0)


class _Memory:
    """What was last heard of keys, in this process: for when the edge is away."""

    def __init__(self, most_bytes):
        self.most, self.bytes, self.facts = most_bytes, 0, OrderedDict()
        self._guard = threading.Lock()

    def learn(self, space, key, value, content_type):
        size = len(key) + len(value or b"") + 100
        with self._guard:
            self._forget((space, key))
            self.facts[space, key] = (value, content_type, time.time(), size)
            self.bytes += size
            while self.bytes > self.most:
                self._forget(next(iter(self.facts)))

    def _forget(self, name):
        found = self.facts.pop(name, None)
        if found:
            self.bytes -= found[3]

    def recall(self, space, key):
        with self._guard:
            return self.facts.get((space, key))


class Device:
    """Puts and deletes go into a durable queue at once; a thread brings them to the edge."""

    def __init__(
        self,
        folder,
        edge=None,
        options=None,
        linger=0.2,
        remembered_bytes=16 << 20,
        rejection=SKIP,
    ):
        self.options = options or Options()
        key = device_key(folder)
        name = device_name(folder)
        self.edge = edge
        self._memory = _Memory(remembered_bytes)
        self._pace = Pace(linger, random.Random())
        # When get asks the edge again: of its own, since the sender may have nothing to send.
        self._asking = Pace(0, random.Random())
        self._asking_guard = threading.Lock()
        self._courier = None
        self._changed = threading.Condition()
        self._woken = self._closed = False
        self._sleeping = False
        self._disk_trouble = ""
        if edge is not None and name is None:
            self._pace.state = NOT_ENROLLED
            self._pace.trouble = "the device is not enrolled"
        self._thread = threading.Thread(target=self._run, name="holdfast-device", daemon=True)
        # Late, since the folder is locked from here on.
        self.queue = DeviceQueue(folder, key, self.options)
        try:
            if edge is not None and name is not None:
                self._courier = Courier(
                    self.queue, edge, self._pace, name, self._learn, rejection
                )
            self._thread.start()
        except BaseException:
            self.queue.close()
            raise

    def put(self, space, key, value, content_type=""):
        """Gives a key a value; the sequence number, or None when the queue refuses."""
        sequence = self.queue.put(space, key, value, content_type)
        self._wake()
        return sequence

    def delete(self, space, key):
        """Deletes a key, in the manner of put."""
        sequence = self.queue.delete(space, key)
        self._wake()
        return sequence

    def get(self, space, key):
        """What is known of a key: by the queue, else by the edge, else by memory."""
        own = self.queue.latest(space, key)
        if own is not None:
            age = max(0.0, time.time() - own.time / 1000)
            return Answer("QUEUE", own.value if own.kind == fmt.PUT else None, own.type, age)
        if self.edge is not None and self._worth_asking():
            found = self._from_edge(space, key)
            if found is not None:
                return found
        fact = self._memory.recall(space, key)
        if fact is None:
            return Answer("NOBODY", None, "", 0.0)
        return Answer("REMEMBERED", fact[0], fact[1], max(0.0, time.time() - fact[2]))

    def _worth_asking(self):
        with self._asking_guard:
            away = self._asking.delay("now", time.monotonic())
        return self._pace.state != OFFLINE and not away

    def _asked(self, outcome):
        with self._asking_guard:
            self._asking.ended(outcome, time.monotonic())

    def _from_edge(self, space, key):
        try:
            reply = self.edge.request("GET", "/v1/kv/%s/%s" % (space, quote(key, safe="")))
        except ssl.SSLError:
            # Somebody else may be pretending to be the edge: not the same as its being away.
            raise
        except _AWAY as failure:
            self._asked(Outcome(OFFLINE, str(failure), 0))
            return None
        if reply.status not in (200, 404):
            outcome = refusal(reply)
            if outcome.state == BUSY:
                self._asked(outcome)
                return None
            raise EdgeError(outcome.reason)
        self._asked(Outcome(ONLINE, "", 0))
        value = reply.body if reply.status == 200 else None
        content_type = reply.headers.get("content-type", "") if value is not None else ""
        self._memory.learn(space, key, value, content_type)
        return Answer("EDGE", value, content_type, 0.0)

    def _learn(self, _signed, data):
        # The edge is there again.
        self._asked(Outcome(ONLINE, "", 0))
        for one in fmt.decode_batch(data)[1]:
            value = one.value if one.kind == fmt.PUT else None
            self._memory.learn(one.space, one.key, value, one.type)

    def flush(self, timeout):
        """Waits until the edge has all that was put before; whether it has."""
        status = self.queue.status()
        until, incarnation = status["nextSequence"], status["incarnation"]
        deadline = time.monotonic() + timeout
        with self._changed:
            if self._courier:
                self._courier.hurry = True
            self._woken = True
            self._changed.notify_all()
            while True:
                status = self.queue.status()
                if status["incarnation"] != incarnation:
                    until, incarnation = status["nextSequence"], status["incarnation"]
                if status["firstSequence"] >= until and not status["doubtful"]:
                    return True
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    return False
                self._changed.wait(left)

    def status(self):
        courier = self._courier
        return {
            **self.queue.status(),
            "link": self._pace.state,
            "trouble": self._disk_trouble or self._pace.trouble,
            "rejection": courier.last_rejection if courier else "",
            "sent": courier.sent if courier else 0,
            "batches": courier.batches if courier else 0,
            "bytesSent": courier.bytes_sent if courier else 0,
            "failures": self._pace.failures,
        }

    def _wake(self):
        if self._sleeping:
            with self._changed:
                self._sleeping, self._woken = False, True
                self._changed.notify_all()

    def _run(self):
        interval = self.options.sync_interval if self.options.syncing == INTERVAL else None
        while not self._closed:
            self._sleeping = True
            try:
                self.queue.expire()
                wait = self._courier.step(time.monotonic()) if self._courier else None
                self._disk_trouble = ""
            except (OSError, QueueError) as failure:
                if self._closed:
                    return
                # The disk failed under the queue. What was accepted stays; it is tried again.
                self._disk_trouble = "the queue's disk fails: %s" % failure
                wait = FIRST_RETRY
            except Exception as failure:  # noqa: BLE001
                # A defect or a lack of memory; without this thread nothing would be sent any more.
                self._disk_trouble = "sending failed, and is tried again: %r" % failure
                wait = FIRST_RETRY
            with self._changed:
                self._changed.notify_all()
                if wait is not None:
                    self._sleeping = False
                if not self._closed and not self._woken and (wait is None or wait > 0):
                    bounds = [b for b in (wait, interval) if b is not None]
                    self._changed.wait_for(
                        lambda: self._woken or self._closed, min(bounds) if bounds else None
                    )
                self._woken = False
            if interval is not None:
                try:
                    self.queue.sync()
                except Exception as failure:  # noqa: BLE001
                    self._disk_trouble = "the queue cannot be synced: %s" % failure

    def close(self):
        """Stops sending, syncs the queue and gives the folder up; what waits is sent later."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        try:
            self._thread.join()
        finally:
            try:
                if self.edge is not None:
                    self.edge.close()
            finally:
                # The lock on the folder goes with it, whatever has failed or was interrupted.
                self.queue.close()

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()
