"""The workload of ProfileWorkload.java, for the client in Python."""

import sys

from holdfast_device.device import Device, Edge


def main(folder, url, authority, user, password, operation, count):
    value = b"21.5 degrees, 43 percent, 1013 hectopascal, door closed, light 9"
    with Device(folder, Edge(url, authority, user, password)) as device:
        for number in range(count):
            key = "room/%d" % number
            if operation == "write":
                device.put("home", key, value, "text/plain")
            elif operation == "read":
                answer = device.get("home", key)
                if answer is None or answer.value != value:
                    raise SystemExit("the edge does not have what was written: %s" % key)
            else:
                device.delete("home", key)
        if not device.flush(120):
            raise SystemExit("the edge has not taken everything")


if __name__ == "__main__":
    main(*sys.argv[1:7], int(sys.argv[7]))
