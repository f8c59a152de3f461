import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest
from unittest import mock

from holdfast_device import format as fmt
from holdfast_device import entries as e
from holdfast_device import queue as q
from tests.reference import ReferenceEdge

KEY = fmt.DeviceKey(b"\xd1" * 32)


class QueueTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.now = 1_700_000_000_000
        self.queue = None

    def tearDown(self):
        if self.queue:
            self.queue.close()

    def open(self, **options):
        if self.queue:
            self.queue.close()
        options = q.Options(**{"syncing": q.NONE, "overflow": q.REFUSE, **options})
        self.queue = q.DeviceQueue(self.folder, KEY, options, lambda: self.now)
        return self.queue

    def keys(self):
        return [one.key for one in fmt.decode_batch(self.queue.batch()[1])[1]]

    def test_i11_operations_are_sent_in_their_order(self):
        queue = self.open()
        self.assertEqual(queue.put("home", "a", b"1"), 1)
        self.assertEqual(queue.put("home", "b", b""), 2)
        self.assertEqual(queue.delete("home", "c"), 3)
        self.assertEqual(self.keys(), ["a", "b", "c"])
        queue.done(3)
        self.assertIsNone(queue.batch())

    def test_i14_the_last_of_a_key_is_sent_and_the_others_are_named(self):
        queue = self.open()
        for key, value in [("a", b"1"), ("b", b"1"), ("a", b"2"), ("b", b"2"), ("a", b"3")]:
            queue.put("home", key, value)
        signed, _ = queue.batch()
        self.assertEqual(signed.claim.ranges, (fmt.Range(fmt.COLLAPSED, 1, 3),))
        self.assertEqual(self.keys(), ["b", "a"])

    def test_i17_ones_own_writes_are_seen(self):
        queue = self.open()
        queue.put("home", "a", b"1")
        queue.batch()
        queue.put("home", "a", b"")
        self.assertEqual(queue.latest("home", "a").value, b"")
        self.open()
        self.assertEqual(self.queue.latest("home", "a").sequence, 2)
        self.assertIsNone(self.queue.latest("home", "b"))

    def test_a_batch_is_made_once(self):
        queue = self.open(batch_operations=2)
        for key in "abc":
            queue.put("home", key, b"1")
        first = queue.batch()
        queue.put("home", "a", b"2")
        queue = self.open(batch_operations=100)
        self.assertEqual(queue.batch(), first)
        queue.done(2)
        self.assertEqual(self.keys(), ["c", "a"])

    def test_what_was_in_a_batch_that_is_rejected_in_part_collapses(self):
        queue = self.open()
        for key, value in [("x", b"1"), ("a", b"1"), ("b", b"1")]:
            queue.put("home", key, value)
        first = fmt.decode_batch(queue.batch()[1])[1]
        queue.put("home", "a", b"2")
        queue.put("home", "x", b"2")
        queue.reject(first[:1], "not there")
        status = queue.status()
        self.assertEqual((status["rejected"], status["collapsed"]), (1, 1))
        queue.put("home", "b", b"2")
        second = queue.batch()
        queue = self.open()
        self.assertEqual(queue.batch(), second)
        ranges = (fmt.Range(fmt.REJECTED, 1, 1), fmt.Range(fmt.COLLAPSED, 2, 3))
        self.assertEqual(second[0].claim.ranges, ranges)
        self.assertEqual(self.keys(), ["a", "x", "b"])

    def test_what_was_in_a_batch_that_is_damaged_collapses(self):
        queue = self.open()
        queue.put("home", "a", b"the first of a")
        queue.put("home", "b", b"to be altered")
        queue.batch()
        queue.put("home", "a", b"2")
        queue.close()
        with open(os.path.join(self.folder, "queue"), "r+b") as file:
            at = file.read().index(b"to be altered")
            file.seek(at)
            file.write(b"T")
        queue = self.open()
        queue.settle(0)
        made = queue.batch()
        queue = self.open()
        self.assertEqual(queue.batch(), made)
        ranges = (fmt.Range(fmt.COLLAPSED, 1, 1), fmt.Range(fmt.DROPPED, 2, 2))
        self.assertEqual(made[0].claim.ranges, ranges)

    def test_a_file_that_cannot_be_read_anew_is_read_later_and_no_closed_descriptor_is_used(self):
        queue = self.open()
        queue.put("home", "a", b"1")
        queue.put("home", "b", b"to be altered")
        queue.batch()
        path = os.path.join(self.folder, "queue")
        with open(path, "r+b") as file:
            at = file.read().index(b"to be altered")
            file.seek(at)
            file.write(b"T")
        with mock.patch.object(queue._folder, "sync", side_effect=OSError("no more files")):
            with self.assertRaises(OSError):
                queue.batch()
            # The number of the closed descriptor is that of another file now.
            other = os.open(os.path.join(self.folder, "other"), os.O_RDWR | os.O_CREAT, 0o600)
            self.addCleanup(os.close, other)
            with self.assertRaises(OSError):
                queue.put("home", "c", b"3")
        self.assertEqual(os.fstat(other).st_size, 0)
        self.assertIsNotNone(queue.put("home", "d", b"4"))
        self.assertEqual(queue.status()["recovery"]["lostOperations"], 1)

    def test_a_full_queue_drops_the_oldest_and_says_so(self):
        queue = self.open(batch_operations=2, max_operations=4, overflow=q.DROP_OLDEST)
        for i in range(10):
            queue.put("home", "k%d" % i, b"1")
        self.assertEqual(queue.status()["dropped"], 6)
        queue = self.open(batch_operations=2, max_operations=4)
        self.assertEqual(queue.batch()[0].claim.ranges, (fmt.Range(fmt.DROPPED, 1, 6),))

    def test_a_full_queue_refuses_or_lets_the_caller_wait(self):
        queue = self.open(batch_operations=2, max_operations=4)
        for key in "abcd":
            queue.put("home", key, b"1")
        self.assertIsNone(queue.put("home", "e", b"1"))
        self.assertEqual(queue.put("home", "a", b"2"), 5)
        queue = self.open(batch_operations=2, max_operations=4, overflow=q.BLOCK)
        made = []
        caller = threading.Thread(target=lambda: made.append(queue.put("home", "e", b"1")))
        caller.start()
        queue.done(queue.batch()[0].claim.last)
        caller.join()
        self.assertEqual(made, [6])

    def test_what_is_too_old_expires_and_a_wrong_clock_expires_nothing(self):
        self.now = 5
        queue = self.open(max_age=3600)
        queue.put("home", "a", b"1")
        self.now = 1_700_000_000_000
        queue.put("home", "b", b"1")
        self.now += 30 * 60_000
        queue.put("home", "c", b"1")
        self.now += 31 * 60_000
        queue = self.open(max_age=3600)
        self.assertEqual(queue.batch()[0].claim.ranges, (fmt.Range(fmt.EXPIRED, 1, 2),))
        self.assertEqual(self.keys(), ["c"])

    def test_i29_the_file_is_compacted_now_and_then(self):
        queue = self.open()
        most = 0
        for i in range(12_000):
            queue.put("home", "k%d" % (i % 50), b"x" * 200)
            most = max(most, queue.status()["diskBytes"])
        self.assertLess(most, 1_300_000)
        queue = self.open()
        self.assertEqual(queue.batch()[0].claim.ranges, (fmt.Range(fmt.COLLAPSED, 1, 11_950),))

    def test_i18_one_process_at_a_time(self):
        self.open()
        with self.assertRaisesRegex(q.QueueError, "this process"):
            q.DeviceQueue(self.folder, KEY)
        other = subprocess.run(
            [
                sys.executable,
                "-c",
                "import sys\nfrom holdfast_device import *\nfrom holdfast_device import format\n"
                "DeviceQueue(sys.argv[1], format.DeviceKey(b'\\xd1' * 32))",
                self.folder,
            ],
            stderr=subprocess.PIPE,
            cwd=os.path.join(os.path.dirname(__file__), ".."),
            check=False,
        )
        self.assertEqual(other.returncode, 1)
        self.assertIn(b"another process", other.stderr)

    def test_i12_everything_arrives_once_and_in_order(self):
        for seed in range(6):
            self.history(random.Random(seed))

    def history(self, rng):
        if self.queue:
            self.queue.close()
            self.queue = None
        shutil.rmtree(self.folder)
        options = {
            "batch_operations": rng.randrange(1, 6),
            "max_operations": 40,
            "overflow": rng.choice([q.REFUSE, q.DROP_OLDEST]),
        }
        queue, edge, model, accepted = self.open(**options), ReferenceEdge(KEY.public), {}, 0
        for _ in range(200):
            choice = rng.randrange(10)
            if choice == 0:
                queue = self.open(**options)
            elif choice < 3:
                self.deliver(queue, edge, rng.random() < 0.3)
            else:
                key, value = "k%d" % rng.randrange(60), rng.randbytes(rng.randrange(100))
                sequence = queue.put("home", key, value)
                if sequence is not None:
                    accepted += 1
                    self.assertEqual(sequence, accepted)
                    model["home", key] = value
        while queue.anything_to_send():
            self.deliver(queue, edge, False)
        self.assertEqual(edge.gaps, [])
        self.assertEqual(edge.last.get(queue.incarnation), accepted)
        if not edge.lost(fmt.DROPPED):
            self.assertEqual(edge.values, model)

    def deliver(self, queue, edge, answer_lost):
        found = queue.batch()
        if found:
            self.assertEqual(edge.take(found[1]), (200, found[0].claim.last))
            if not answer_lost:
                queue.done(found[0].claim.last)

    def test_a_file_torn_or_altered_anywhere_goes_on(self):
        queue = self.open()
        for key in "abc":
            queue.put("home", key, key.encode())
        first = queue.batch()
        queue.done(3)
        for key in "ded":
            queue.put("home", key, key.encode())
        second = queue.batch()
        for key in "fgf":
            queue.put("home", key, key.encode())
        queue.close()
        self.queue = None
        with open(os.path.join(self.folder, "queue"), "rb") as source:
            whole = source.read()
        for at in range(e.HEADER_SIZE, len(whole), 7):
            self.bent(whole[:at], first, second, True)
        for at in range(0, len(whole), 7):
            self.bent(
                whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :], first, second, False
            )

    def attack(self, salt):
        """Bytes that are entries of the kinds that do harm, for who takes this for the salt."""
        operations = [
            fmt.Operation(n, 5, fmt.PUT, "home", "evil", "", b"1").encode() for n in (2, 3, 4)
        ]
        entries = [e.entry(salt, e.OPERATION, one) for one in operations]
        entries.append(e.entry(salt, e.LOST, fmt.Range(fmt.EXPIRED, 2, 3).encode()))
        entries.append(e.entry(salt, e.DONE, (1).to_bytes(8, "big")))
        return b"".join(entries) + e.entry(salt, e.DOUBT, b"")

    def with_attack(self, knows_the_salt):
        """The file, and where the entry with the value that looks like entries begins and ends."""
        queue = self.open()
        queue.put("home", "a", b"1")
        path = os.path.join(self.folder, "queue")
        begin = os.path.getsize(path)
        salt = self.read(path)[8:24] if knows_the_salt else b""
        queue.put("home", "value", self.attack(salt))
        end = os.path.getsize(path)
        queue.put("home", "b", b"1")
        return self.read(path), begin, end

    def read(self, path):
        with open(path, "rb") as source:
            return source.read()

    def signed(self, data):
        """The keys and ranges that a device signs when it finds this file, and what it says."""
        if self.queue:
            self.queue.close()
            self.queue = None
        shutil.rmtree(self.folder)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "queue"), "wb") as out:
            out.write(data)
        queue = self.open()
        recovery = queue.status()["recovery"]
        if queue.doubtful:
            queue.settle(0)
        found = queue.batch()
        keys = [one.key for one in fmt.decode_batch(found[1])[1]] if found else []
        return keys, found[0].claim.ranges if found else (), recovery

    def test_a_torn_entry_is_never_searched(self):
        whole, begin, end = self.with_attack(knows_the_salt=True)
        for size in range(begin, end):
            keys, ranges, recovery = self.signed(whole[:size])
            self.assertEqual((keys, ranges), (["a"], ()), "cut to %d" % size)
            self.assertIsNone(recovery["setAside"])
            self.assertEqual(recovery["cutBytes"], size - begin)

    def test_a_value_is_not_taken_for_entries_when_bytes_are_altered(self):
        whole, begin, end = self.with_attack(knows_the_salt=False)
        for at in range(begin, end):
            altered = whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :]
            keys, ranges, recovery = self.signed(altered)
            if recovery["setAside"] is None:
                # The length was altered, so that the entry seems to go on behind the end.
                self.assertIn(at, range(begin + 1, begin + 4))
                self.assertEqual((keys, ranges), (["a"], ()))
                self.assertEqual(recovery["cutBytes"], len(whole) - begin)
            else:
                self.assertEqual(keys, ["a", "b"], "altered at %d" % at)
                self.assertEqual(ranges, (fmt.Range(fmt.DROPPED, 2, 2),))
        # That the salt is what keeps a value out: with it, the same bytes are found.
        whole, begin, _ = self.with_attack_on_a_new_queue()
        at = begin + 20
        keys, _, _ = self.signed(whole[:at] + bytes([whole[at] ^ 0x41]) + whole[at + 1 :])
        self.assertIn("evil", keys)

    def with_attack_on_a_new_queue(self):
        self.queue.close()
        self.queue = None
        shutil.rmtree(self.folder)
        return self.with_attack(knows_the_salt=True)

    def test_a_salt_that_is_altered_is_read_from_its_copy(self):
        whole, _, _ = self.with_attack(knows_the_salt=False)
        keys, _, _ = self.signed(whole[:8] + bytes(20) + whole[28:])
        self.assertEqual(keys, ["a", "value", "b"])
        wiped = bytes(e.HEADER_SIZE) + whole[e.HEADER_SIZE :]
        keys, _, recovery = self.signed(wiped)
        self.assertEqual(keys, [])
        self.assertTrue(recovery["renewed"])
        self.assertEqual(self.read(recovery["setAside"]), wiped)

    def test_a_new_count_says_what_it_goes_on_from(self):
        queue = self.open()
        queue.put("home", "a", b"1")
        signed, _ = queue.batch()
        self.assertEqual(signed.claim.origin, fmt.NOTHING_BEFORE)
        queue.done(1)
        before = queue.incarnation
        queue.put("home", "b", b"1")
        queue.renew()
        expected = fmt.Origin(fmt.CONTINUES, before, 1)
        self.assertEqual(self.open().batch()[0].claim.origin, expected)
        queue = self.queue
        queue.renew()
        self.assertEqual(self.open().batch()[0].claim.origin, expected)

    def test_a_file_made_anew_has_a_salt_of_its_own(self):
        path = os.path.join(self.folder, "queue")
        queue = self.open()
        queue.put("home", "a", b"1")
        first = self.read(path)[8:24]
        self.open().renew()
        self.assertNotEqual(self.read(path)[8:24], first)
        self.open()
        self.assertEqual(self.keys(), ["a"])

    def test_what_was_altered_on_disk_is_not_summed_anew(self):
        path = os.path.join(self.folder, "queue")
        queue = self.open()
        queue.put("home", "a", b"the value that is altered")
        queue.put("home", "b", b"1")
        at = self.read(path).index(b"the value")
        with open(path, "r+b") as out:
            out.seek(at)
            out.write(b"T")
        queue.renew()
        self.assertEqual(self.keys(), ["b"])

    def bent(self, data, first, second, torn):
        shutil.rmtree(self.folder)
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "queue"), "wb") as out:
            out.write(data)
        edge, renewed = ReferenceEdge(KEY.public), False
        edge.take(first[1])
        edge.take(second[1])
        queue = self.open()
        queue.put("home", "new", b"new")
        for _ in range(6):
            if not queue.anything_to_send():
                break
            if queue.doubtful:
                queue.settle(edge.last.get(queue.incarnation, 0))
                continue
            found = queue.batch()
            if found:
                status, last = edge.take(found[1])
                if status == 409:
                    self.assertTrue(torn)
                    queue.renew()
                    renewed = True
                else:
                    queue.done(last)
        self.assertFalse(queue.anything_to_send())
        for key in ["a", "b", "c", "d", "e", "new"]:
            self.assertIn(("home", key), edge.values)
        if not renewed:
            self.assertEqual(len([one for one in edge.applied if one.key == "e"]), 1)
        self.assertEqual(edge.gaps, [])
        queue.close()
        self.queue = None


if __name__ == "__main__":
    unittest.main()
