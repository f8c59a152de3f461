"""A doubt begins and ends, and a new count begins, at once or not at all.

Whatever is left when the process is killed, or when the disk is full, at any step: what was
accepted arrives once, and nothing ends in a conflict.
"""

import copy
import os
import shutil
import tempfile
import unittest

from holdfast_device import format as fmt
from holdfast_device import entries, folder, rewriting, scan
from holdfast_device import queue as q
from tests.reference import ReferenceEdge

KEY = fmt.DeviceKey(b"\xd1" * 32)
NEVER = 1 << 30
# The edge has numbers that the file forgot; the same, and some of what waits has collapsed;
# somebody asks for a new count; the end is torn; nothing says what the altered head said.
WAYS = ["taken beyond", "collapsed", "renewed", "torn", "headless"]


class FaultyOs:
    """The module os, with a disk that fails at its n-th step, and is looked at before each."""

    def __init__(self):
        self.left, self.for_ever, self.look = NEVER, False, lambda step: None

    def __getattr__(self, name):
        return getattr(os, name)

    def step(self, what):
        self.look(what)
        self.left -= 1
        if self.left == -1 or (self.for_ever and self.left < 0):
            raise OSError(28, "no space left on device (%s)" % what)

    def open(self, path, flags, mode=0o777):
        if flags & os.O_TRUNC:
            self.step("create")
        return os.open(path, flags, mode)

    def pwrite(self, handle, data, at):
        os.pwrite(handle, data[: len(data) // 2], at)
        self.step("write")
        return os.pwrite(handle, data, at)

    def fdopen(self, *arguments):
        return FaultyFile(self, os.fdopen(*arguments))

    def ftruncate(self, handle, size):
        # Cutting off needs no room.
        self.look("truncate")
        os.ftruncate(handle, size)

    def fsync(self, handle):
        self.step("sync")
        os.fsync(handle)

    def fdatasync(self, handle):
        self.step("sync of data")
        os.fdatasync(handle)

    def rename(self, old, new):
        self.step("rename")
        os.rename(old, new)

    def link(self, old, new):
        self.step("second name")
        os.link(old, new)


class FaultyFile:
    def __init__(self, faulty, file):
        self.faulty, self.file = faulty, file

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.file.close()

    def write(self, data):
        self.file.write(data[: len(data) // 2])
        self.file.flush()
        self.faulty.step("copy")
        self.file.write(data[len(data) // 2 :])
        return len(data)


class DoubtTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.faulty = FaultyOs()
        for module in (q, folder, rewriting, scan):
            module.os = self.faulty
            self.addCleanup(setattr, module, "os", os)

    def open(self, path):
        options = q.Options(syncing=q.NONE, overflow=q.REFUSE)
        return q.DeviceQueue(path, KEY, options, lambda: 1000)

    def begin(self, way, path):
        edge = ReferenceEdge(KEY.public)
        with self.open(path) as queue:
            if way == "headless":
                for key in "cdc":
                    queue.put("home", key, b"1")
            else:
                queue.put("home", "a", b"1")
                queue.put("home", "b", b"1")
                edge.take(queue.batch()[1])
            if way == "renewed":
                queue.done(2)
                queue.put("home", "c", b"1")
                queue.put("home", "d", b"1")
                queue.batch()
                queue.put("home", "c", b"1")
        name = os.path.join(path, "queue")
        with open(name, "rb") as source:
            data = source.read()
        if way == "headless":
            data = data[:40] + bytes([data[40] ^ 1]) + data[41:]
        elif way != "renewed":
            data = data[: entries.HEADER_SIZE + 10]
        with open(name, "wb") as out:
            out.write(data)
        return edge

    def happen(self, way, path, edge, accepted, left, look):
        """The interesting part, on a disk that fails or is looked at; returns the steps left."""
        faulty, opening, at_end = self.faulty, way in ("torn", "headless"), None
        if way in ("renewed", "headless"):
            accepted.extend("cdc")
        if opening:
            faulty.left, faulty.look = left, look
        try:
            with self.open(path) as queue:
                if way == "collapsed":
                    for key in "xyx":
                        queue.put("home", key, b"1")
                        accepted.append(key)
                if way in ("taken beyond", "collapsed", "torn"):
                    self.assertTrue(queue.doubtful)
                    for key in "gh":
                        queue.put("home", key, b"1")
                        accepted.append(key)
                if not opening:
                    faulty.left, faulty.look = left, look
                try:
                    if way == "renewed":
                        queue.renew()
                    elif queue.doubtful:
                        queue.settle(edge.last.get(queue.incarnation, 0))
                except OSError:
                    pass
                at_end = faulty.left
                faulty.left, faulty.look = NEVER, lambda step: None
                # There is room again, and the same process goes on, unless it does not know what
                # is on the disk.
                try:
                    queue.put("home", "later", b"1")
                    accepted.append("later")
                    self.arrive(queue, edge)
                except q.QueueError as failure:
                    self.assertIn("since a write or sync failed", str(failure))
        except (OSError, q.QueueError) as failure:
            self.assertRegex(str(failure), "no space|since a write or sync failed")
        if at_end is None:
            at_end = faulty.left
        faulty.left, faulty.look = NEVER, lambda step: None
        return at_end

    def arrive(self, queue, edge):
        for _ in range(5):
            if queue.doubtful:
                queue.settle(edge.last.get(queue.incarnation, 0))
            elif queue.anything_to_send():
                status, last = edge.take(queue.batch()[1])
                self.assertEqual(status, 200, "the edge has %s" % last)
                queue.done(last)
        self.assertFalse(queue.anything_to_send() or queue.doubtful)

    def go_on(self, path, edge, accepted):
        """A process is started where the other left the folder; all that was accepted is there."""
        with self.open(path) as queue:
            queue.put("home", "new", b"1")
            self.arrive(queue, edge)
        applied = [one.key for one in edge.applied]
        for key in accepted:
            # Once, unless it was put twice: the first may have been in a batch before the second.
            self.assertIn(applied.count(key), range(1, accepted.count(key) + 1), key)
        self.assertIn("new", applied)
        self.assertEqual(edge.gaps, [])
        self.assertFalse(os.path.exists(os.path.join(path, "queue.new")))

    def test_a_disk_that_is_full_at_any_step_loses_nothing(self):
        for way in WAYS:
            for for_ever in (False, True):
                at, failed = 0, True
                while failed:
                    path, accepted = os.path.join(self.folder, "%s-%d-%s" % (way, at, for_ever)), []
                    edge = self.begin(way, path)
                    self.faulty.for_ever = for_ever
                    left = self.happen(way, path, edge, accepted, at, lambda step: None)
                    self.faulty.for_ever = False
                    with self.subTest(way=way, step=at, for_ever=for_ever):
                        self.go_on(path, edge, accepted)
                    failed = left < 0
                    at += 1
                self.assertGreater(at, 2, "steps at which the disk can fail")

    def test_a_process_that_is_killed_at_any_step_loses_nothing(self):
        for way in WAYS:
            path, accepted, images = os.path.join(self.folder, way), [], []
            edge = self.begin(way, path)

            def look(step, way=way, path=path, edge=edge, accepted=accepted, images=images):
                image = os.path.join(self.folder, "%s-image-%d" % (way, len(images)))
                os.mkdir(image)
                for name in os.listdir(path):
                    # Not the lock: to close it would give it up.
                    if name != "lock":
                        shutil.copy(os.path.join(path, name), image)
                images.append((step, image, copy.deepcopy(edge), list(accepted)))

            self.happen(way, path, edge, accepted, NEVER, look)
            self.assertGreater(len(images), 2)
            for number, (step, image, then, known) in enumerate(images):
                with self.subTest(way=way, step="%d, %s" % (number, step)):
                    self.go_on(image, then, known)


if __name__ == "__main__":
    unittest.main()
