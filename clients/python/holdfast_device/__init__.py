"""A device of Holdfast: a durable queue of changes, brought to an edge in signed batches.

    from holdfast_device import Device, Edge

    with Device("queue", Edge("https://edge:7443", "ca.pem", "ada", password)) as device:
        device.put("home", "kitchen/temperature", b"21.5", "text/plain")
        device.flush(10)

Needs Python 3.9 and nothing else. The queue is the one of the Java library, docs/edge-format.md.
"""

from .device import Answer, Device, Edge, EdgeError, device_key, enrol
from .format import Malformed, Operation, Range
from .queue import (
    BLOCK,
    DROP_OLDEST,
    EACH,
    INTERVAL,
    NONE,
    REFUSE,
    DeviceQueue,
    Options,
    QueueError,
)

__all__ = [
    "Answer",
    "BLOCK",
    "DROP_OLDEST",
    "Device",
    "DeviceQueue",
    "EACH",
    "Edge",
    "EdgeError",
    "INTERVAL",
    "Malformed",
    "NONE",
    "Operation",
    "Options",
    "QueueError",
    "REFUSE",
    "Range",
    "device_key",
    "enrol",
]
