"""An edge that takes batches as docs/edge-format.md, section 2, says; what it answers, too."""

import gzip
import json

from holdfast_device import ed25519
from holdfast_device import format as fmt
from holdfast_device.device import Reply


class ReferenceEdge:
    def __init__(self, key):
        self.key = key
        self.values, self.applied, self.ranges, self.gaps = {}, [], [], []
        self.last, self.taken = {}, set()
        self.forbidden = set()

    def take(self, data):
        signed, operations = fmt.decode_batch(data)
        claim = signed.claim
        assert claim.device == self.key
        assert ed25519.verify(self.key, b"hf1.devb" + claim.encode(), signed.signature)
        known = self.last.get(claim.incarnation, 0)
        if claim.first <= known:
            return (200, claim.last) if signed in self.taken else (409, known)
        rejected = [one.sequence for one in operations if one.space in self.forbidden]
        if rejected:
            return 403, rejected
        if claim.first > known + 1:
            self.gaps.append((known + 1, claim.first - 1))
        self.last[claim.incarnation] = claim.last
        self.taken.add(signed)
        self.ranges.extend(claim.ranges)
        for one in operations:
            self.applied.append(one)
            if one.kind == fmt.PUT:
                self.values[one.space, one.key] = one.value
            else:
                self.values.pop((one.space, one.key), None)
        return 200, claim.last

    def lost(self, reason):
        return sum(one.count for one in self.ranges if one.reason == reason)


class ScriptedLink:
    """A way to the edge on which something goes wrong."""

    FAULTS = ["none", "unreachable", "cut after", "twice", "proxy", "busy", "denied", "no gzip"]

    def __init__(self, edge):
        self.edge, self.fault, self.requests = edge, "none", 0

    def request(self, method, path, content_type="", body=b""):
        self.requests += 1
        assert path.split("?")[0] == "/v1/devices/pump-1/batches"
        assert method == "POST" or "?incarnation=" in path
        if self.fault == "unreachable":
            raise ConnectionRefusedError("nobody there")
        if self.fault == "proxy":
            return Reply(502, {}, b"<html>bad gateway")
        if self.fault == "busy":
            return Reply(503, {"retry-after": "90"}, b"{}")
        if self.fault == "denied":
            return Reply(401, {}, b'{"detail": "who"}')
        if self.fault == "no gzip" and content_type.endswith("+gzip"):
            return Reply(400, {}, b"")
        reply = self._answer(method, content_type, body)
        if self.fault == "twice":
            reply = self._answer(method, content_type, body)
        if self.fault == "cut after":
            raise ConnectionResetError("cut")
        return reply

    def _answer(self, method, content_type, body):
        if method == "GET":
            listed = [
                {"incarnation": name.hex(), "last": last} for name, last in self.edge.last.items()
            ]
            return Reply(200, {}, json.dumps({"incarnations": listed}).encode())
        data = gzip.decompress(body) if content_type.endswith("+gzip") else body
        status, last = self.edge.take(data)
        told = {"rejected": last, "detail": "not there"} if status == 403 else {"last": last}
        return Reply(status, {}, json.dumps(told).encode())
