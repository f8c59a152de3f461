"""What keeps a device from sending: a dead edge, a defect; and who may read its folder."""

import os
import shutil
import stat
import tempfile
import threading
import unittest
from unittest import mock

from holdfast_device import device as d
from holdfast_device import queue as q
from tests.reference import ReferenceEdge, ScriptedLink


class _Connection:
    """A connection of HTTPS on which the answer to a GET does not come before it is let go."""

    let_go = threading.Event()
    asked = threading.Event()
    opened = 0

    def __init__(self, *_args, **_options):
        _Connection.opened += 1
        self.method = None
        self.status, self.will_close = 200, False

    def request(self, method, *_):
        self.method = method

    def getresponse(self):
        if self.method == "GET":
            self.asked.set()
            if not self.let_go.wait(60):
                raise TimeoutError("nobody let it go")
        return self

    def read(self, _most):
        return b"{}"

    def getheaders(self):
        return []

    def close(self):
        pass


class _Away:
    """An edge that is away; it counts who asks."""

    user = "ada"

    def __init__(self):
        self.requests = 0

    def request(self, *_):
        self.requests += 1
        raise TimeoutError("no answer")

    def close(self):
        pass


class SilenceTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_who_waits_for_an_answer_keeps_nobody_from_sending(self):
        with mock.patch.object(d.http.client, "HTTPSConnection", _Connection):
            edge = d.Edge("https://127.0.0.1:1", None, "ada", "secret")
            reader = threading.Thread(target=edge.request, args=("GET", "/v1/kv/home/a"))
            reader.start()
            try:
                self.assertTrue(_Connection.asked.wait(60))
                sender = threading.Thread(target=edge.request, args=("POST", "/v1/x", "", b"1"))
                sender.start()
                sender.join(20)
                self.assertFalse(sender.is_alive())
            finally:
                _Connection.let_go.set()
                reader.join()
                sender.join()
            # Both rest, and are used again.
            edge.request("POST", "/v1/x", "", b"1")
            self.assertEqual(_Connection.opened, 2)
            edge.close()

    def test_i16_reads_do_not_wait_for_a_dead_edge_each_time(self):
        edge = _Away()
        with d.Device(os.path.join(self.folder, "q"), edge) as device:
            for i in range(1000):
                self.assertEqual(device.get("home", "k%d" % i).source, "NOBODY")
        self.assertLess(edge.requests, 5)

    def test_a_sender_that_fails_in_any_way_goes_on(self):
        key = d.device_key(self.folder)
        d._write_private(self.folder, "name", "pump-1\n", True)
        reference = ReferenceEdge(key.public)
        link, failures = ScriptedLink(reference), [ValueError("a defect"), MemoryError()]
        failed = threading.Event()

        class Failing(_Away):
            def request(self, *what):
                if failures:
                    failed.set()
                    raise failures.pop(0)
                return link.request(*what)

        with d.Device(self.folder, Failing(), q.Options(syncing=q.NONE), linger=0) as device:
            device.put("home", "a", b"1")
            self.assertTrue(failed.wait(60))
            while not device.status()["trouble"] and device.status()["queued"]:
                pass
            self.assertIn("tried again", device.status()["trouble"])
            self.assertTrue(device.flush(60))
            self.assertEqual(device.status()["trouble"], "")
        self.assertEqual(reference.values, {("home", "a"): b"1"})

    def test_nobody_else_may_read_what_a_device_keeps(self):
        umask = os.umask(0)
        self.addCleanup(os.umask, umask)
        folder = os.path.join(self.folder, "q")
        with d.Device(folder) as device:
            device.put("home", "a", b"1")
            device.queue.renew()
            device.queue._folder.set_aside([], "none")
        for name in [".", *os.listdir(folder)]:
            mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
            self.assertEqual(mode & 0o077, 0, "%s has %o" % (name, mode))


if __name__ == "__main__":
    unittest.main()
