"""The story's table, the agent's end of the control stream, and its evidence device."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic, Undetermined
from enarx.evidence.binding import Binding, Purpose, bound_digest
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.keep.device import NoDevice, SimulatedDevice
from enarx.keep.link import Link, Opening
from enarx.keep.story import FINAL, TABLE, Act, State
from enarx.platform import chip
from enarx.platform.control import Deframer, frame
from enarx.platform.process import raised
from enarx.platform.simulated.snp import SimulatedSnp

OPENING = {"op": "open", "launch": b"document", "cas": b"", "attest": "127.0.0.1:0"}
BINDING = Binding(purpose=Purpose.ISSUE, spki=b"s" * 48, nonce=b"n" * 32, launch=b"l" * 32)


def test_there_is_one_way_forward_and_every_act_is_on_it() -> None:
    state, acts = State.OPENED, []
    while state not in FINAL:
        act, state = TABLE[state]
        acts.append(act)

    assert list(Act) == acts
    assert State.ENDED is state


def test_delivery_stands_behind_identity() -> None:
    way = [State.OPENED]
    while way[-1] in TABLE:
        way.append(TABLE[way[-1]][1])

    assert way.index(State.IDENTIFIED) < way.index(State.DELIVERED)


@pytest.mark.parametrize(
    "change",
    [
        {"op": "close"},
        {"launch": "text"},
        {"attest": "nowhere"},
        {"attest": "127.0.0.1:65536"},
        {"attest": ":0"},
        {"cas": None},
        {"more": 1},
    ],
)
def test_an_opening_in_another_form_is_malformed(change: dict[str, object]) -> None:
    assert ("127.0.0.1", 0) == Opening(OPENING).attest
    with pytest.raises(Malformed):
        Opening({**OPENING, **change})


@pytest.fixture
def ends() -> Iterator[tuple[Link, socket.socket]]:
    ours, theirs = socket.socketpair()
    theirs.settimeout(5)
    yield Link(ours), theirs
    ours.close()
    theirs.close()


def test_a_node_comes_in_pieces_and_never_more_than_was_asked_for(ends: tuple[Link, socket.socket]) -> None:
    link, launcher = ends
    launcher.sendall(frame({"op": "node", "path": "a", "data": b"12", "more": True}))
    launcher.sendall(frame({"op": "node", "path": "a", "data": b"345", "more": False}))

    assert b"12345" == link.node("a", 10)
    assert [{"event": "want", "path": "a"}] == Deframer().feed(launcher.recv(4096))
    launcher.sendall(frame({"op": "node", "path": "a", "data": b"12345", "more": True}))
    assert b"123" == link.node("a", 2)  # one byte too many is enough to refuse it


def test_a_node_that_is_not_there_is_missing(ends: tuple[Link, socket.socket]) -> None:
    link, launcher = ends
    launcher.sendall(frame({"op": "node", "path": "a", "missing": True}))

    with pytest.raises(Unauthentic) as caught:
        link.node("a", 2)

    assert Reason.NODE_MISSING == caught.value.reason


@pytest.mark.parametrize("answer", [{"op": "node", "path": "b", "data": b""}, {"op": "node", "path": "a", "data": "x"}])
def test_another_answer_is_malformed(ends: tuple[Link, socket.socket], answer: dict[str, object]) -> None:
    link, launcher = ends
    launcher.sendall(frame(answer))

    with pytest.raises(Malformed):
        link.node("a", 2)


def test_a_launcher_that_is_gone_ends_the_waiting(ends: tuple[Link, socket.socket]) -> None:
    link, launcher = ends
    launcher.close()

    with pytest.raises(Undetermined):
        link.opening()
    stop = threading.Event()
    link.watch(stop)
    assert stop.wait(5)


def test_stop_is_heard(ends: tuple[Link, socket.socket]) -> None:
    link, launcher = ends
    stop = threading.Event()
    link.watch(stop)
    launcher.sendall(frame({"op": "stop"}))

    assert stop.wait(5)


def test_a_machine_without_a_tee_says_so() -> None:
    evidence, endorsements = NoDevice().evidence(BINDING)

    assert (Kind.NONE, BINDING.sha512(), Endorsements()) == (evidence.kind, evidence.body, endorsements)


@pytest.mark.parametrize("kind", list(Kind))
def test_what_the_hardware_signs_over_fits_its_field(kind: Kind) -> None:
    # on Azure the quote of the vTPM's AK carries it, so that its extraData has to hold it
    whole = {Kind.SNP, Kind.SGX, Kind.TDX, Kind.CCA, Kind.PSA, Kind.NONE}

    assert (64 if kind in whole else 32) == len(bound_digest(kind, BINDING))


def test_a_simulated_chip_signs_over_the_binding() -> None:
    ours, theirs = socket.socketpair()
    machine = SimulatedSnp.made(datetime.now(UTC))

    def play() -> None:
        (message,) = Deframer().feed(theirs.recv(4096))
        theirs.sendall(frame(chip.answer(*machine.evidence(chip.read_request(message)))))

    threading.Thread(target=play, daemon=True).start()
    evidence, _ = SimulatedDevice(Kind.SNP, ours).evidence(BINDING)

    assert BINDING.sha512() == evidence.body[0x50:0x90]


def test_a_device_that_is_gone_is_not_a_no() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()

    with pytest.raises(Undetermined):
        SimulatedDevice(Kind.SNP, ours).evidence(BINDING)


MESSAGES = st.dictionaries(
    st.sampled_from(["bound", "kind", "body", "parts", "endorsements", "x"]),
    st.one_of(st.binary(max_size=70), st.text(max_size=4), st.integers(), st.just({}), st.just("snp")),
)


@given(MESSAGES)
def test_hostile_messages_between_chip_and_keep_are_malformed(message: dict[str, object]) -> None:
    for read in (chip.read_request, chip.read_answer):
        try:
            read(message)
        except EnarxError as error:
            assert isinstance(error, Malformed)


def test_messages_between_chip_and_keep_are_read_back() -> None:
    evidence, endorsements = Evidence(Kind.TDX, b"body", {"part": b"1"}), Endorsements(crls=(b"crl",))

    assert b"bound" == chip.read_request(chip.request(b"bound"))
    assert (evidence, endorsements) == chip.read_answer(chip.answer(evidence, endorsements))


def test_an_agents_refusal_keeps_its_family_and_reason() -> None:
    error = raised({"family": "unacceptable", "reason": "vmpl", "subject": "VMPL: 3", "hint": "h"})

    assert ("unacceptable", Reason.VMPL, "VMPL: 3", "h") == (error.family, error.reason, error.subject, error.hint)
    assert "faulty" == raised({"family": "kind", "reason": "vmpl"}).family
    assert "faulty" == raised({"family": "malformed", "reason": "because"}).family
