import os
import random
import unittest

from holdfast_device import ed25519
from holdfast_device import format as fmt

DOCUMENT = os.path.join(os.path.dirname(__file__), "../../../docs/edge-format.md")


def vectors():
    with open(DOCUMENT, encoding="utf-8") as source:
        text = source.read().split("```vectors\n")[1].split("```")[0]
    found, name = {}, None
    for line in text.splitlines():
        if line.startswith("  "):
            found[name] += line.strip()
        else:
            name = line
            found[name] = ""
    return {name: bytes.fromhex(value) for name, value in found.items()}


class FormatTest(unittest.TestCase):
    def setUp(self):
        self.vectors = vectors()
        self.key = fmt.DeviceKey(self.vectors["device seed"])

    def test_the_vectors_of_the_document(self):
        vectors = self.vectors
        self.assertEqual(self.key.public, vectors["device key"])
        self.assertEqual(
            self.key.sign_enrolment("pump-1", "ada"), vectors["enrolment as pump-1 by ada"]
        )
        time = 1_700_000_000_000
        put = fmt.Operation(3, time, fmt.PUT, "home", "room/küche", "text/plain", b"21.5")
        empty = fmt.Operation(4, time + 1, fmt.PUT, "home", "empty", "", b"")
        delete = fmt.Operation(7, time + 2, fmt.DELETE, "home", "room/küche", "", b"")
        self.assertEqual(put.encode(), vectors["operation 3, put"])
        self.assertEqual(empty.encode(), vectors["operation 4, put of an empty value"])
        self.assertEqual(delete.encode(), vectors["operation 7, delete"])
        payloads = [put.encode(), empty.encode(), delete.encode()]
        self.assertEqual(fmt.root_of(payloads[:1]), vectors["root of 3"])
        self.assertEqual(fmt.root_of(payloads[:2]), vectors["root of 3, 4"])
        self.assertEqual(fmt.root_of(payloads), vectors["root of 3, 4, 7"])
        ranges = (
            fmt.Range(fmt.DROPPED, 1, 1),
            fmt.Range(fmt.EXPIRED, 2, 2),
            fmt.Range(fmt.COLLAPSED, 5, 6),
            fmt.Range(fmt.COLLAPSED, 8, 8),
        )
        claim = fmt.Claim(
            self.key.public, b"\x1c" * 16, 1, 8, ranges, 3, fmt.root_of(payloads), fmt.Origin(
                fmt.CONTINUES, b"\x1b" * 16, 12
            )
        )
        signed = fmt.sign_claim(self.key, claim)
        self.assertEqual(claim.encode(), vectors["claim of 1 to 8"])
        self.assertEqual(signed.signature, vectors["signature of the claim"])
        self.assertEqual(fmt.encode_batch(signed, payloads), vectors["batch"])
        self.assertEqual(fmt.decode_batch(vectors["batch"]), (signed, [put, empty, delete]))

    def test_hostile_batches_are_refused_and_nothing_else_happens(self):
        batch = self.vectors["batch"]
        signed, _ = fmt.decode_batch(batch)
        rng = random.Random(1)
        for round_ in range(3 * len(batch)):
            changed = bytearray(batch)
            at = rng.randrange(len(batch))
            if round_ % 3:
                changed[at] ^= 1 << rng.randrange(8)
            else:
                del changed[at : at + rng.randrange(1, 20)]
            try:
                found, _ = fmt.decode_batch(bytes(changed))
            except fmt.Malformed:
                continue
            self.assertFalse(
                ed25519.verify(
                    self.key.public, b"hf1.devb" + found.claim.encode(), found.signature
                )
                and found.claim.device == self.key.public
            )

    def test_the_rules_of_texts(self):
        for space, key in [("", "k"), (".a", "k"), ("A", "k"), ("home", ""), ("home", "a" * 1025)]:
            with self.assertRaises(ValueError):
                fmt.key_region(space, key)
        with self.assertRaises(ValueError):
            fmt.key_region("home", "\ud83d")
        fmt.key_region("0.a_b-c", "ä" * 512)

    def test_a_key_is_kept_as_pem(self):
        again = fmt.DeviceKey.parse_pem(self.key.to_pem())
        self.assertEqual(again.public, self.key.public)
        with self.assertRaises(ValueError):
            fmt.DeviceKey.parse_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n")


if __name__ == "__main__":
    unittest.main()
