"""The command: python3 -m holdfast_device enrol|put|get|delete|run|status|renew --queue DIR ..."""

import argparse
import base64
import json
import os
import sys
import threading

from . import format as fmt
from .device import SKIP, STOP, Device, Edge, EdgeError, device_key, device_name, enrol
from .queue import REFUSE, DeviceQueue, Options, QueueError


def _parser():
    parser = argparse.ArgumentParser(
        prog="holdfast_device", description="A device of Holdfast: queues, and sends to an edge."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, text, *aliases):
        one = commands.add_parser(name, aliases=aliases, help=text, description=text)
        one.add_argument("--queue", required=True, metavar="DIR", help="folder of the queue")
        one.add_argument("--json", action="store_true", help="print JSON, one object a line")
        return one

    def reaching(one, required):
        one.add_argument("--edge", required=required, metavar="URL", help="https://host:7443")
        one.add_argument("--ca", metavar="FILE", help="PEM file of the edge's authority")
        one.add_argument("--user", metavar="U", help="on whose behalf")
        one.add_argument("--password-file", metavar="F", help="a file with the password")
        one.add_argument("--certificate", metavar="F", help="PEM file of certificate and key")
        return one

    def waiting(one, default, text):
        one.add_argument(
            "--rejected",
            choices=(SKIP, STOP),
            default=SKIP,
            help="what to do with changes that the edge will never take; default: skip",
        )
        one.add_argument("--wait", type=float, default=default, metavar="S", help=text)
        return one

    def keyed(one):
        one.add_argument("--space", default="home", help="default: home")
        one.add_argument("key")
        return one

    reaching(command("enrol", "Make the device known to an edge.", "enroll"), True).add_argument("name")
    ten = "how long to try to send; default: 10"
    put = waiting(keyed(reaching(command("put", "Give a key a value."), False)), 10, ten)
    put.add_argument("value", help="the value; - reads it from standard input")
    put.add_argument("--type", default="", help="content type")
    keyed(reaching(command("get", "Show what is known of a key."), False))
    waiting(keyed(reaching(command("delete", "Delete a key."), False)), 10, ten)
    run = reaching(command("run", "Queue lines of KEY<TAB>VALUE or JSON, and send all."), False)
    waiting(run, None, "how long to send after the last line; default: until all is sent")
    run.add_argument("file", nargs="?", default="-", help="default: standard input")
    run.add_argument("--space", default="home", help="default: home")
    run.add_argument("--strict", action="store_true", help="end at a line that cannot be taken")
    command("status", "Show what waits.")
    command("renew", "End a conflict: a new incarnation with all that waits.")
    return parser


def _edge(args):
    if not args.edge:
        return None
    password = None
    if args.password_file:
        with open(args.password_file, encoding="utf-8") as source:
            password = source.read().rstrip("\r\n")
    if not args.user or (password is None and not args.certificate):
        raise ValueError("--edge needs --user, and --password-file or --certificate")
    return Edge(args.edge, args.ca, args.user, password, certificate=args.certificate)


def _print(args, found, text):
    print(json.dumps(found) if args.json else text, flush=True)


_MEMBERS = {"space", "key", "value", "base64", "type", "delete"}
# Lines of the file "rejected" have these too; they mean nothing when they are read.
_MEMBERS |= {"sequence", "time", "why"}


def _operation(line, space):
    """(space, key, value or None, type) of a line; a value of None deletes."""
    if line.startswith("{"):
        found = json.loads(line)
        unknown = set(found) - _MEMBERS
        if unknown or not isinstance(found.get("key"), str):
            raise ValueError("not a line of key, value or base64, type, space, delete: %s" % line)
        if found.get("delete") is True:
            value = None
        elif "base64" in found:
            value = base64.b64decode(found["base64"], validate=True)
        elif isinstance(found.get("value"), str):
            value = found["value"].encode("utf-8")
        else:
            value = json.dumps(found["value"]).encode("utf-8")
        return found.get("space", space), found["key"], value, found.get("type", "")
    key, tab, value = line.partition("\t")
    if not tab:
        raise ValueError("a line is KEY<TAB>VALUE or a JSON object, unlike %r" % line)
    return space, key, value.encode("utf-8"), "text/plain"


def _sent(args, device, edge):
    """Sends what waits, as far as that is possible now; the exit code."""
    wait = threading.TIMEOUT_MAX if args.wait is None else args.wait
    arrived = edge is not None and device_name(args.queue) and device.flush(wait)
    status = device.status()
    text = "%d sent, %d wait" % (status["sent"], status["queued"])
    if status["trouble"]:
        text += ": " + status["trouble"]
    if status["rejected"]:
        text += "\n%d rejected for good: %s. Kept in %s." % (
            status["rejected"],
            status["rejection"],
            os.path.join(args.queue, "rejected"),
        )
    _print(args, status, text)
    if status["rejected"]:
        return 1
    return 0 if arrived or edge is None or status["link"] in ("OFFLINE", "BUSY", "IDLE") else 1


def _run(args):
    edge = _edge(args)
    wrong = 0
    _require_other_file(args)
    with Device(args.queue, edge, rejection=args.rejected) as device:
        source = sys.stdin.buffer if args.file == "-" else open(args.file, "rb")
        with source:
            for number, line in enumerate(source, 1):
                line = line.rstrip(b"\r\n")
                if not line:
                    continue
                try:
                    _take(device, *_operation(line.decode("utf-8"), args.space))
                except (ValueError, KeyError, TypeError) as problem:
                    if args.strict:
                        raise ValueError("line %d: %s" % (number, problem)) from None
                    wrong += 1
                    print(
                        "holdfast_device: line %d was left out: %s\n"
                        "  Mend it and run that line again; the others are queued." % (number, problem),
                        file=sys.stderr,
                    )
        code = _sent(args, device, edge)
    if wrong:
        print("holdfast_device: %s" % _left_out(wrong), file=sys.stderr)
    return 1 if wrong else code


def _require_other_file(args):
    """What is rejected while lines are read would be added to them, and rejected again."""
    rejected = os.path.join(args.queue, "rejected")
    if args.file != "-" and os.path.exists(rejected) and os.path.exists(args.file):
        if os.path.samefile(args.file, rejected):
            raise ValueError(
                "%s is where this device keeps what is rejected; it cannot be read meanwhile. Move"
                " it away first, and run it from there" % rejected
            )


def _left_out(wrong):
    return "%d %s left out" % (wrong, "line was" if wrong == 1 else "lines were")


def _take(device, space, key, value, kind):
    if value is None:
        device.delete(space, key)
    else:
        device.put(space, key, value, kind)


def _get(args):
    with Device(args.queue, _edge(args)) as device:
        found = device.get(args.space, args.key)
    if args.json:
        value = None if found.value is None else base64.b64encode(found.value).decode("ascii")
        shown = {"key": args.key, "source": found.source, "found": found.value is not None}
        shown.update(base64=value, type=found.type, ageSeconds=round(found.age, 3))
        print(json.dumps(shown))
    elif found.value is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(found.value + b"\n")
        print("from %s, %.0f s old" % (found.source.lower(), found.age), file=sys.stderr)
    else:
        print("no value, says %s" % found.source.lower(), file=sys.stderr)
    return 0 if found.value is not None else 1


def _change(args):
    edge = _edge(args)
    value = None
    if args.command == "put":
        value = sys.stdin.buffer.read() if args.value == "-" else args.value.encode("utf-8")

    def change():
        if value is None:
            return device.delete(args.space, args.key)
        return device.put(args.space, args.key, value, args.type)

    # Nobody would make room in a queue that is full while this waited for it.
    refusing = Options(overflow=REFUSE)
    with Device(args.queue, edge, refusing, rejection=args.rejected) as device:
        if change() is None:
            if edge is not None:
                device.flush(args.wait)
            if change() is None:
                raise OSError("the queue is full, and the change was refused; let it send: run")
        return _sent(args, device, edge)


def _queue(args):
    with DeviceQueue(args.queue, device_key(args.queue), Options()) as queue:
        if args.command == "renew":
            queue.renew()
        status = queue.status()
    status["name"] = device_name(args.queue)
    status["rejectedKept"] = _rejected(args.queue)
    lines = ["%-15s %s" % (name, value) for name, value in status.items()]
    _print(args, status, "\n".join(lines))
    return 0


def _rejected(folder):
    try:
        with open(os.path.join(folder, "rejected"), "rb") as lines:
            return sum(1 for _ in lines)
    except FileNotFoundError:
        return 0


def _enrol(args):
    edge = _edge(args)
    try:
        new = enrol(args.queue, edge, args.name)
    finally:
        edge.close()
    found = {"device": args.name, "key": device_key(args.queue).public.hex(), "new": new}
    _print(args, found, "%s %s" % (args.name, "is enrolled" if new else "was enrolled already"))
    return 0


_COMMANDS = {
    "enrol": _enrol,
    "enroll": _enrol,
    "put": _change,
    "delete": _change,
    "get": _get,
    "run": _run,
    "status": _queue,
    "renew": _queue,
}


def main(arguments=None):
    args = _parser().parse_args(arguments)
    try:
        return _COMMANDS[args.command](args)
    except ValueError as problem:
        print("holdfast_device: %s" % problem, file=sys.stderr)
        return 2
    except (OSError, QueueError, EdgeError, fmt.Malformed) as problem:
        print("holdfast_device: %s" % problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 1


if __name__ == "__main__":
    sys.exit(main())
