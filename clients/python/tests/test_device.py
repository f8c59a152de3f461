import contextlib
import io
import json
import os
import random
import shutil
import tempfile
import unittest
import unittest.mock

from holdfast_device import device as d
from holdfast_device import format as fmt
from holdfast_device import queue as q
from holdfast_device.__main__ import _operation, main
from tests.reference import ReferenceEdge, ScriptedLink

KEY = fmt.DeviceKey(b"\xd1" * 32)


class _Saying:
    def __init__(self, reply):
        self.reply = reply

    def request(self, *_):
        return self.reply


class CourierTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.edge = ReferenceEdge(KEY.public)
        self.link = ScriptedLink(self.edge)

    def courier(self, seed=1, rejection=d.SKIP, **options):
        queue = q.DeviceQueue(self.folder, KEY, q.Options(syncing=q.NONE, **options))
        self.addCleanup(queue.close)
        pace = d.Pace(0.2, random.Random(seed))
        return d.Courier(queue, self.link, pace, "pump-1", rejection=rejection)

    def test_i15_operations_leave_in_batches(self):
        courier = self.courier(batch_operations=10)
        for i in range(9):
            courier.queue.put("home", "k%d" % i, b"v")
        self.assertEqual(courier.step(0.0), 0.2)
        courier.queue.put("home", "k9", b"v")
        self.assertEqual(courier.step(0.1), 0)
        self.assertEqual((courier.sent, self.link.requests), (10, 1))
        self.assertIsNone(courier.step(0.2))

    def test_i12_nothing_is_lost_or_applied_twice_whatever_the_network_does(self):
        rng = random.Random(7)
        courier, now, model, accepted = self.courier(batch_operations=5), 0.0, {}, 0
        for step in range(400):
            if rng.random() < 0.3:
                key = "k%d" % rng.randrange(20)
                courier.queue.put("home", key, b"v%d" % step)
                model["home", key] = b"v%d" % step
                accepted += 1
            if rng.random() < 0.1:
                courier.queue.put("attic", "k%d" % rng.randrange(5), b"v%d" % step)
                accepted += 1
            if rng.random() < 0.07:
                self.edge.forbidden ^= {"attic"}
            if rng.random() < 0.05:
                courier.queue.close()
                courier = self.courier(step, batch_operations=5)
            self.link.fault = rng.choice(ScriptedLink.FAULTS)
            wait = courier.step(now)
            now += 0.1 if wait is None else wait
        self.link.fault = "none"
        while courier.queue.anything_to_send():
            now += courier.step(now) or 0
        values = {name: value for name, value in self.edge.values.items() if name[0] == "home"}
        self.assertEqual(values, model)
        self.assertEqual(self.edge.gaps, [])
        sequences = [one.sequence for one in self.edge.applied]
        self.assertEqual(sequences, sorted(set(sequences)))
        lost = self.edge.lost(fmt.COLLAPSED) + self.edge.lost(fmt.REJECTED)
        self.assertEqual(len(sequences) + lost, accepted)

    def test_whoever_refuses_compression_gets_plain_batches(self):
        courier = self.courier()
        self.link.fault = "no gzip"
        courier.queue.put("home", "a", b"x" * 2000)
        courier.hurry = True
        self.assertEqual(courier.step(0.0), 0)
        self.assertEqual((courier.sent, self.link.requests), (1, 2))

    def test_what_is_rejected_for_good_lets_the_rest_pass(self):
        courier = self.courier()
        self.edge.forbidden.add("attic")
        for space, key in [("home", "a"), ("attic", "b"), ("home", "c")]:
            courier.queue.put(space, key, b"1")
        courier.queue.delete("attic", "d")
        courier.hurry = True
        self.assertEqual([courier.step(0.0) for _ in range(3)], [0.0, 0.0, None])
        self.assertEqual([one.key for one in self.edge.applied], ["a", "c"])
        rejected = [fmt.Range(fmt.REJECTED, 2, 2), fmt.Range(fmt.REJECTED, 4, 4)]
        self.assertEqual(self.edge.ranges, rejected)
        self.assertEqual(courier.queue.status()["rejected"], 2)
        self.assertIn("403: not there", courier.last_rejection)
        with open(os.path.join(self.folder, "rejected"), encoding="utf-8") as kept:
            lines = [_operation(line, "home") for line in kept]
        self.assertEqual(lines, [("attic", "b", b"1", ""), ("attic", "d", None, "")])

    def test_what_is_rejected_for_good_stops_who_wants_that(self):
        courier = self.courier(rejection=d.STOP)
        self.edge.forbidden.add("attic")
        courier.queue.put("attic", "b", b"1")
        courier.hurry = True
        courier.step(0.0)
        self.assertEqual((courier.pace.state, courier.queue.status()["queued"]), (d.DENIED, 1))

    def test_a_rejection_of_other_numbers_is_a_refusal_like_any_other(self):
        courier = self.courier()
        courier.queue.put("home", "a", b"1")
        for rejected in ([2, -1, "1", True, 1.0], 1, None):
            told = json.dumps({"rejected": rejected}).encode()
            courier.link = _Saying(d.Reply(403, {}, told))
            courier.hurry = True
            courier.step(courier.pace.delay("now", 0))
            self.assertEqual((courier.pace.state, courier.queue.status()["queued"]), (d.DENIED, 1))

    def test_failures_wait_longer_and_longer_and_what_needs_help_is_tried_slowly(self):
        pace, most = d.Pace(0.2, random.Random(1)), 0.5
        for _ in range(20):
            pace.ended(d.Outcome(d.OFFLINE, "cut", 0), 0)
            self.assertTrue(most / 2 <= pace.delay("now", 0) <= most)
            most = min(2 * most, 60)
        pace.ended(d.Outcome(d.CONFLICT, "taken", 0), 0)
        self.assertTrue(30 <= pace.delay("now", 0) <= 60)
        pace.ended(d.Outcome(d.BUSY, "later", 90), 0)
        self.assertEqual(pace.delay("now", 0), 90)

    def test_plain_http_is_refused(self):
        for url in ["http://127.0.0.1:1", "https://h/path", "h:7443"]:
            with self.assertRaises(ValueError):
                d.Edge(url, None, "ada", "secret")


class FolderTest(unittest.TestCase):
    """The folder is given up whatever fails, though this process goes on."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def test_a_device_that_cannot_be_opened_leaves_no_lock(self):
        name = os.path.join(self.folder, "name")
        with open(name, "w", encoding="ascii") as out:
            out.write("pump-1\n")
        with unittest.mock.patch.object(d, "Courier", side_effect=MemoryError("made up")):
            with self.assertRaises(MemoryError):
                d.Device(self.folder, edge=_Saying(None))
        d.Device(self.folder).close()
        with open(name, "w", encoding="ascii") as out:
            out.write("no name of a device\n")
        with self.assertRaises(ValueError):
            d.Device(self.folder, edge=_Saying(None))
        os.remove(name)
        d.Device(self.folder).close()

    def test_what_does_not_close_well_leaves_no_lock(self):
        class Bad(_Saying):
            def close(self):
                raise OSError("made up")

        with self.assertRaises(OSError):
            d.Device(self.folder, edge=Bad(None)).close()
        device = d.Device(self.folder)
        with unittest.mock.patch.object(
            device._thread, "join", side_effect=KeyboardInterrupt
        ), self.assertRaises(KeyboardInterrupt):
            device.close()
        d.Device(self.folder).close()


class CommandTest(unittest.TestCase):
    def test_the_file_of_what_is_rejected_is_not_run(self):
        with tempfile.TemporaryDirectory() as folder:
            rejected = os.path.join(folder, "q", "rejected")
            run = ["run", "--queue", os.path.join(folder, "q")]
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(main(["put", *run[1:], "k", "v"]), 0)
            with open(rejected, "w", encoding="utf-8") as out:
                out.write('{"key":"a","value":"1","why":"no"}\n')
            with contextlib.redirect_stderr(io.StringIO()) as told:
                self.assertEqual(main([*run, rejected]), 2)
            self.assertIn("keeps what is rejected", told.getvalue())
            with contextlib.redirect_stdout(io.StringIO()) as told:
                os.rename(rejected, rejected + "-again")
                self.assertEqual(main([*run, rejected + "-again"]), 0)
            self.assertIn("2 wait", told.getvalue())


if __name__ == "__main__":
    unittest.main()
