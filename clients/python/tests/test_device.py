import random
import shutil
import tempfile
import unittest

from holdfast_device import device as d
from holdfast_device import format as fmt
from holdfast_device import queue as q
from tests.reference import ReferenceEdge, ScriptedLink

KEY = fmt.DeviceKey(b"\xd1" * 32)


class CourierTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.edge = ReferenceEdge(KEY.public)
        self.link = ScriptedLink(self.edge)

    def courier(self, seed=1, **options):
        queue = q.DeviceQueue(self.folder, KEY, q.Options(syncing=q.NONE, **options))
        self.addCleanup(queue.close)
        pace = d.Pace(0.2, random.Random(seed))
        return d.Courier(queue, self.link, pace, "pump-1")

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
            if rng.random() < 0.05:
                courier.queue.close()
                courier = self.courier(step, batch_operations=5)
            self.link.fault = rng.choice(ScriptedLink.FAULTS)
            wait = courier.step(now)
            now += 0.1 if wait is None else wait
        self.link.fault = "none"
        while courier.queue.anything_to_send():
            now += courier.step(now) or 0
        self.assertEqual(self.edge.values, model)
        self.assertEqual(self.edge.gaps, [])
        sequences = [one.sequence for one in self.edge.applied]
        self.assertEqual(sequences, sorted(set(sequences)))
        self.assertEqual(len(sequences) + self.edge.lost(fmt.COLLAPSED), accepted)

    def test_whoever_refuses_compression_gets_plain_batches(self):
        courier = self.courier()
        self.link.fault = "no gzip"
        courier.queue.put("home", "a", b"x" * 2000)
        courier.hurry = True
        self.assertEqual(courier.step(0.0), 0)
        self.assertEqual((courier.sent, self.link.requests), (1, 2))

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


if __name__ == "__main__":
    unittest.main()
