"""A Keep's machine, really booted: what its host can do with it, and what it cannot do to its host."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from enarx.errors import EnarxError, Malformed, Misused, Reason, Undetermined
from enarx.platform.vm.keep_process import ATTEST_PORT, VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot

pytestmark = pytest.mark.slow
Opened = Callable[..., VmKeep]
SINK_PORT, SOURCE_PORT = 7001, 7002


class Talk:
    """A machine and an iterator over what it reports."""

    def __init__(self, keep: VmKeep) -> None:
        self.keep = keep
        self.events = keep.events()
        self.first = self.until("attesting")

    def ask(self, event: str, op: str, **more: Any) -> dict[str, Any]:
        self.keep._send({"op": op, **more})
        return self.until(event)

    def until(self, event: str) -> dict[str, Any]:
        return next(message for message in self.events if message["event"] == event)


@pytest.fixture(scope="module")
def talk(opened: Opened) -> Talk:
    keep = opened(
        attest="127.0.0.1:0",
        publish={SINK_PORT: "127.0.0.1:0", SOURCE_PORT: "127.0.0.1:0"},
        reach=lambda host, port: host in {"127.0.0.1", "localhost"},
    )
    talk = Talk(keep)
    talk.ask("listening", "listen", port=SINK_PORT, talk="sink")
    talk.ask("listening", "listen", port=SOURCE_PORT, talk="source")
    return talk


def dialled(talk: Talk, port: int) -> socket.socket:
    host, _, number = talk.keep.addresses[port].rpartition(":")
    return socket.create_connection((host, int(number)), timeout=30)


def everything(stream: socket.socket) -> bytes:
    parts = b""
    while more := stream.recv(1 << 18):
        parts += more
    return parts


def test_the_agent_gets_the_launch_document_and_reports_an_address_of_the_host(talk: Talk) -> None:
    assert talk.keep.addresses[ATTEST_PORT] == talk.first["address"]
    assert b"p" * 32 in talk.first["launch"]


def test_qemu_runs_in_namespaces_as_nobody(talk: Talk) -> None:
    children = Path(f"/proc/{talk.keep.pid}/task/{talk.keep.pid}/children").read_text().split()
    status = Path(f"/proc/{children[0]}/status").read_text()
    assert {"namespaces", "root", "rlimits"} <= set(talk.keep.machine.protection.applied)
    assert {} == talk.keep.machine.protection.missing
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "CapEff:\t0000000000000000" in status
    if os.geteuid() == 0:
        assert "Uid:\t65534\t65534\t65534\t65534" in status


def test_the_machine_holds_nothing_but_the_agent(talk: Talk) -> None:
    machine = talk.ask("machine", "machine")
    assert ["python3.11"] == machine["programs"]
    assert ["lo"] == machine["devices"]
    assert [] == machine["disks"]
    assert 0 == machine["swaps"]
    assert 1 == machine["parent"]
    assert b"enarx.platform.vm.init" in machine["argv"]


def test_a_connection_reaches_the_agent_and_each_side_can_end_its_half(talk: Talk) -> None:
    with dialled(talk, ATTEST_PORT) as client:
        client.sendall(b"hello")
        client.shutdown(socket.SHUT_WR)
        assert b"hello<end>" == everything(client)


def test_many_connections_at_once_are_kept_apart(talk: Talk) -> None:
    clients = [dialled(talk, ATTEST_PORT) for _ in range(40)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
        client.shutdown(socket.SHUT_WR)
    answers = [everything(client) for client in reversed(clients)]
    for client in clients:
        client.close()
    assert [b"%d<end>" % number for number in reversed(range(40))] == answers


def test_bulk_data_arrives_whole_in_both_directions(talk: Talk) -> None:
    with dialled(talk, SINK_PORT) as client:
        client.sendall(bytes(8 << 20))
        client.shutdown(socket.SHUT_WR)
        assert b"%d" % (8 << 20) == everything(client)
    with dialled(talk, SOURCE_PORT) as client:
        client.sendall(b"?")
        assert 256 * 65536 == len(everything(client))


def test_a_reader_that_does_not_read_holds_up_only_itself(talk: Talk) -> None:
    with dialled(talk, SOURCE_PORT) as idle:
        idle.sendall(b"?")
        time.sleep(0.3)
        with dialled(talk, ATTEST_PORT) as client:
            client.sendall(b"still here")
            client.shutdown(socket.SHUT_WR)
            assert b"still here<end>" == everything(client)


def test_a_port_that_was_never_announced_is_refused_by_the_host(talk: Talk, opened: Opened) -> None:
    with socket.socket() as unready:
        unready.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(unready.getsockname(), timeout=5)
    with pytest.raises(Misused) as caught:
        opened(attest=talk.keep.addresses[ATTEST_PORT])
    assert Reason.PORT_IN_USE == caught.value.reason


def test_the_agent_reaches_the_world_through_the_launcher_and_only_where_it_may(talk: Talk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(everything(client)[::-1])

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        assert b"dlrow" == talk.ask("answered", "connect", host="127.0.0.1", port=port, body=b"world")["body"]
    assert "launcher" in talk.ask("unreached", "connect", host="127.0.0.2", port=port, body=b"")["why"]
    assert "launcher" in talk.ask("unreached", "connect", host="127.0.0.1", port=1, body=b"")["why"]


def test_a_guest_that_floods_the_control_channel_is_heard_in_bounded_memory(talk: Talk) -> None:
    talk.keep._send({"op": "flood", "count": 40})
    noise = itertools.takewhile(lambda message: message["event"] != "flooded", talk.events)
    assert 40 == sum(message["event"] == "noise" for message in noise)


def test_stdio_crosses_only_when_the_launch_gives_it(opened: Opened) -> None:
    source, feed = os.pipe()
    drain, sink = os.pipe()
    keep = opened(stdio={"stdin": source, "stdout": sink})
    os.write(feed, b"shout")
    os.close(feed)
    talk = Talk(keep)
    talk.ask("copied", "copy")
    keep._send({"op": "exit", "code": 7})
    assert [] == list(talk.events)
    os.close(sink)
    assert b"SHOUT" == os.read(drain, 100)
    assert 7 == keep.wait()
    for number in (source, drain):
        os.close(number)


def test_a_guest_that_breaks_the_rules_of_the_control_channel_is_ended_by_name(opened: Opened) -> None:
    talk = Talk(opened())
    talk.keep._send({"op": "raw", "body": b"\xff\xff\xff\xff"})
    with pytest.raises(Malformed) as caught:
        list(talk.events)
    assert Reason.TOO_LARGE == caught.value.reason
    assert talk.keep.machine.poll() is not None


def test_a_guest_without_memory_dies_alone_and_the_reason_is_told(opened: Opened) -> None:
    talk = Talk(opened())
    talk.keep._send({"op": "hoard"})
    try:
        ended = list(talk.events)
    except Undetermined as error:
        assert Reason.KEEP_DIED == error.reason
    else:
        assert ([], True) == (ended, talk.keep.wait() != 0)
    assert "Out of memory" in talk.keep.machine.console() or "MemoryError" in talk.keep.machine.console()


def test_qemu_killed_is_reported_and_leaves_nothing(opened: Opened) -> None:
    talk = Talk(opened(attest="127.0.0.1:0"))
    children = Path(f"/proc/{talk.keep.pid}/task/{talk.keep.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    with pytest.raises(Undetermined) as caught:
        list(talk.events)
    assert Reason.KEEP_DIED == caught.value.reason
    assert caught.value.subject == "QEMU was ended by SIGKILL"
    talk.keep.stop()
    assert not Path(f"/proc/{talk.keep.pid}").exists()


def test_a_guard_killed_takes_qemu_along_and_the_launcher_removes_the_control_groups(opened: Opened) -> None:
    talk = Talk(opened(attest="127.0.0.1:0"))
    folders = [Path(folder) for folder in talk.keep.machine.groups.folders]
    children = Path(f"/proc/{talk.keep.pid}/task/{talk.keep.pid}/children").read_text().split()
    os.kill(talk.keep.pid, signal.SIGKILL)
    with pytest.raises(Undetermined, match="the guard of QEMU was ended by SIGKILL"):
        list(talk.events)
    talk.keep.stop()
    # Whoever inherits it may take its time to bury it.
    assert not Path(f"/proc/{children[0]}/exe").is_file()
    assert [] == [folder for folder in folders if folder.exists()]


def test_a_machine_that_runs_holds_no_copy_of_what_it_was_booted_from(opened: Opened) -> None:
    talk = Talk(opened(attest="127.0.0.1:0"))
    if "root" in talk.keep.machine.protection.missing:
        pytest.skip(f"no root of its own here: {talk.keep.machine.protection.missing['root']}")
    qemu = Path(f"/proc/{talk.keep.pid}/task/{talk.keep.pid}/children").read_text().split()[0]
    ends = time.monotonic() + 20
    while (held := _resident(qemu, "/image/")) and time.monotonic() < ends:
        time.sleep(0.05)
    assert held == 0


def _resident(pid: str, file: str) -> int:
    """Kilobytes of a file's mappings that are in memory."""
    total, here = 0, False
    for row in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if "-" in row.split(" ")[0]:
            here = file in row
        elif here and row.startswith("Rss:"):
            total += int(row.split()[1])
    return total


def test_a_launcher_that_is_killed_takes_its_machine_along(image_for_tests: Path, programs: None) -> None:
    program = f"""
import sys, time
from pathlib import Path
from enarx.platform.vm.keep_process import VmKeep
from enarx.platform.vm.machine_process import Choice
from enarx.platform.vm.plan import Accelerator
from enarx.platform.vm.shape import Boot
keep = VmKeep(b"", image=Path({str(image_for_tests)!r}), choice=Choice(accelerator=Accelerator.TCG, boot=Boot.DIRECT))
pid = keep.pid
print(pid, open(f"/proc/{{pid}}/task/{{pid}}/children").read(), flush=True)
time.sleep(60)
"""
    launcher = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    guard, qemu = map(int, (launcher.stdout.readline() if launcher.stdout else "").split())
    launcher.kill()
    launcher.communicate()
    ends = time.monotonic() + 20
    while (Path(f"/proc/{guard}").exists() or Path(f"/proc/{qemu}").exists()) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not Path(f"/proc/{guard}").exists()
    assert not Path(f"/proc/{qemu}").exists()


def test_a_machine_that_was_stopped_leaves_no_control_group(opened: Opened) -> None:
    keep = opened()
    folders = [Path(folder) for folder in keep.machine.groups.folders]
    assert folders == [folder for folder in folders if folder.exists()]
    keep.stop()
    assert [] == [folder for folder in folders if folder.exists()]


@pytest.mark.parametrize("name", ["vmlinux", "initrd.lz4"])
def test_an_image_with_one_changed_byte_is_not_started(
    opened: Opened, image_for_tests: Path, tmp_path: Path, name: str
) -> None:
    for file in image_for_tests.iterdir():
        (tmp_path / file.name).symlink_to(file)
    body = bytearray((tmp_path / name).read_bytes())
    body[len(body) // 2] ^= 1
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(body)
    with pytest.raises(EnarxError) as caught:
        opened(image=tmp_path)
    assert (Malformed, Reason.DIGEST_MISMATCH) == (type(caught.value), caught.value.reason)


def test_a_backend_that_the_machine_does_not_have_is_refused(opened: Opened) -> None:
    from enarx.platform.vm.machine_process import hardware

    if Accelerator.KVM in hardware():
        pytest.skip("this machine has hardware virtualisation")
    with pytest.raises(Misused) as caught:
        opened(choice=Choice(accelerator=Accelerator.KVM, boot=Boot.DIRECT))
    assert Reason.BACKEND_UNAVAILABLE == caught.value.reason
