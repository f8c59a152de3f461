"""The folder of a queue: one process at a time."""

import base64
import fcntl
import json
import os
import threading

from . import format as fmt

MOST_REJECTED_BYTES = 16 << 20

_held = set()
_held_guard = threading.Lock()


class QueueError(Exception):
    """The queue cannot be used, or not for this."""


class Folder:
    """A folder that is held by this process, with the lock that the Java library takes too."""

    def __init__(self, path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        self.path = os.path.realpath(path)
        self._handle = self._hold()

    def file(self, name):
        return os.path.join(self.path, name)

    def _hold(self):
        # Closing any descriptor of the lock file gives up the locks of the whole process on it.
        with _held_guard:
            if self.path in _held:
                raise QueueError("the queue %s is in use by this process" % self.path)
            handle = os.open(self.file("lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(handle)
                raise QueueError("the queue %s is in use by another process" % self.path) from None
            _held.add(self.path)
            return handle

    def release(self):
        with _held_guard:
            os.close(self._handle)
            _held.discard(self.path)

    def sync(self):
        handle = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def set_aside(self, operations, why):
        """Adds operations to the file "rejected", in lines as run reads them, as far as they fit."""
        handle = os.open(self.file("rejected"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
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
        self.sync()
