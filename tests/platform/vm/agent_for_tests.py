"""Stands in for the agent in test images: does what the test asks for over the control stream."""

# ruff: noqa: PTH123, PTH208 - paths here are text for other programs
from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
from pathlib import Path

from enarx.platform.control import Deframer, frame
from enarx.platform.vm import outward


def run(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    for name in ("control", "stdin", "stdout", "stderr", "sealed"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--device", default="")
    parser.add_argument("--own-clock", action="store_true")
    options = parser.parse_args(arguments)
    outward.install()
    control = socket.socket(fileno=options.control)
    sending = threading.Lock()

    def report(event: str, **more: object) -> None:
        with sending:
            control.sendall(frame({"event": event, **more}))

    deframer = Deframer()
    while received := control.recv(65536):
        for message in deframer.feed(received):
            ACTS[message["op"]](message, report, options, control)
    sys.exit(9)


def _open(message, report, options, control):
    host, _, port = message["attest"].rpartition(":")
    _serve(host, int(port), _echo)
    report("attesting", address=message["attest"], launch=message["launch"], device=options.device)


def _serve(host, port, talk):
    listener = socket.create_server((host, port), backlog=128)

    def accept() -> None:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=talk, args=(client,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def _echo(client):
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with client:
        while body := client.recv(65536):
            client.sendall(body)
        client.sendall(b"<end>")


def _sink(client):
    total = 0
    with client:
        while body := client.recv(1 << 18):
            total += len(body)
        client.sendall(b"%d" % total)


def _source(client):
    with client:
        client.recv(1)
        for _ in range(256):
            client.sendall(bytes(65536))


def _say(message, report, options, control):
    report("said", **{key: value for key, value in message.items() if key != "op"})


def _listen(message, report, options, control):
    talk = {"echo": _echo, "sink": _sink, "source": _source}[message["talk"]]
    _serve("127.0.0.1", message["port"], talk)
    report("listening", name=message["talk"], prot="tcp", address=f"127.0.0.1:{message['port']}")


def _connect(message, report, options, control):
    def work() -> None:
        try:
            with socket.create_connection((message["host"], message["port"])) as world:
                world.sendall(message["body"])
                world.shutdown(socket.SHUT_WR)
                answer = b""
                while more := world.recv(65536):
                    answer += more
            report("answered", body=answer)
        except OSError as error:
            report("unreached", why=str(error))

    threading.Thread(target=work, daemon=True).start()


def _copy(message, report, options, control):
    with open(options.stdin, "rb") as source, open(options.stdout, "wb") as sink:
        sink.write(source.read().upper())
    report("copied")


def _raw(message, report, options, control):
    control.sendall(message["body"])


def _flood(message, report, options, control):
    block = frame({"event": "noise", "body": bytes(1 << 20)})
    for _ in range(message["count"]):
        control.sendall(block)
    report("flooded")


def _machine(message, report, options, control):
    report(
        "machine",
        pid=os.getpid(),
        parent=os.getppid(),
        processes=sum(name.isdigit() for name in os.listdir("/proc")),
        programs=sorted(os.listdir("/usr/bin")),
        devices=sorted(os.listdir("/sys/class/net")),
        disks=sorted(os.listdir("/sys/block")),
        swaps=Path("/proc/swaps").read_text(encoding="ascii").count("\n") - 1,
        argv=Path("/proc/1/cmdline").read_bytes(),
        kernel=os.uname().release,
    )


def _tpm(message, report, options, control):
    from enarx.platform.tpm import device

    send = device.open_device()
    device.extend(send, device.LAUNCH_REGISTER, message["launch"])
    started = time.monotonic()
    made = device.quote(send, message["challenge"], device.event_log())
    report(
        "quoted",
        attest=made.attest,
        signature=made.signature,
        ak_public=made.ak_public,
        pcrs={str(number): value for number, value in made.pcrs.items()},
        event_log=made.event_log,
        microseconds=int((time.monotonic() - started) * 1e6),
    )


def _credential(message, report, options, control):
    from enarx.platform.tpm import command, device

    send = device.open_device()
    if "blob" not in message:
        with device.loaded(send, command.create_ek()) as ek, device.loaded(send, command.create_ak()) as ak:
            report("keys", ek=ek.public, ak=ak.public, ak_name=ak.name)
        return
    report("activated", secret=device.activate(send, message["blob"], message["secret"], bytes(32)))


def _hoard(message, report, options, control):
    held = []
    while True:
        held.append(bytearray(8 << 20))


def _exit(message, report, options, control):
    os._exit(message["code"])


ACTS = {
    "open": _open,
    "say": _say,
    "listen": _listen,
    "connect": _connect,
    "copy": _copy,
    "raw": _raw,
    "flood": _flood,
    "machine": _machine,
    "tpm": _tpm,
    "credential": _credential,
    "hoard": _hoard,
    "exit": _exit,
    "stop": lambda *_: os._exit(0),
    "sleep": lambda message, *_: time.sleep(message["seconds"]),
}
