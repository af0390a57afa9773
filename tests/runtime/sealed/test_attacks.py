# SPDX-License-Identifier: Apache-2.0
"""What a host can do to a sealed volume on its disk, and that none of it goes unnoticed."""

from __future__ import annotations

import hashlib
import itertools

import pytest

from enarx.codec import cbor
from enarx.errors import EnarxError, Malformed, Reason, Unacceptable, Unauthentic
from enarx.runtime.sealed.cipher import PIECE, SALT_SIZE, Scope
from enarx.runtime.wasi.errno import IO
from tests.runtime.sealed.host import SCOPE, Guest, Host, Keeper, volume

LETTER = b"Dear Alice, the password is hunter2. " * 10
LONG = hashlib.shake_256(b"long").digest(20 * PIECE + 7)
FILES = {"letter": LETTER, "long": LONG, "empty": b""}


def sealed() -> tuple[Host, Keeper]:
    host, keeper = Host(), Keeper()
    volume(host, keeper, **FILES)
    return host, keeper


def outcome(host: Host, keeper: Keeper) -> str | dict[str, bytes | int]:
    """Why the volume is refused, or what a guest reads in it."""
    try:
        guest = Guest(host, keeper)
        return {name: guest.read(name) for name in FILES}
    except EnarxError as error:
        assert isinstance(error, Unauthentic | Malformed | Unacceptable)
        return str(error.reason)


def test_what_was_written_is_read_by_the_next_keep() -> None:
    host, keeper = sealed()
    assert FILES == outcome(host, keeper)


def test_the_host_sees_neither_contents_nor_names() -> None:
    host, _ = sealed()
    everything = b"".join((*host.values(), *(name.encode() for name in host)))
    assert [] == [word for word in (b"hunter2", b"letter", LONG[:16], LONG[PIECE : PIECE + 16]) if word in everything]


def changed(raw: bytes, how: int) -> bytes:
    """One object, as a host may change it."""
    middle = len(raw) // 2
    flipped = [bytes((*raw[:at], raw[at] ^ 1, *raw[at + 1 :])) for at in (0, SALT_SIZE, middle, len(raw) - 1)]
    return (*flipped, raw[:-1], raw[: len(raw) // 2], b"", raw + b"\0", raw[1:], raw + raw)[how]


@pytest.mark.parametrize("how", range(10))
def test_no_object_can_be_changed_cut_or_extended(how: int) -> None:
    host, keeper = sealed()
    for name in list(host):
        other = Host(host)
        other[name] = changed(host[name], how)
        found = outcome(other, keeper)
        assert found != FILES, name
        if isinstance(found, dict):
            assert {IO} == {got for file, got in found.items() if got != FILES[file]}


def test_no_object_can_be_taken_away() -> None:
    host, keeper = sealed()
    for name in list(host):
        other = Host(host)
        del other[name]
        found = outcome(other, keeper)
        assert found != FILES
        assert isinstance(found, str) or {IO} == {got for file, got in found.items() if got != FILES[file]}


def test_objects_cannot_be_swapped_or_put_in_each_others_place() -> None:
    host, keeper = sealed()
    for one, another in itertools.permutations(sorted(host), 2):
        other = Host(host)
        other[one] = host[another]
        found = outcome(other, keeper)
        assert found != FILES
        assert isinstance(found, str) or {IO} == {got for file, got in found.items() if got != FILES[file]}


def test_objects_of_another_volume_under_the_same_root_do_not_fit() -> None:
    host, keeper = sealed()
    elsewhere = Host()
    volume(elsewhere, Keeper(), **FILES)
    mixed = Host({**host, **elsewhere, "root": host["root"]})
    assert FILES == outcome(Host(mixed), keeper)
    assert Reason.NOT_FRESH == outcome(Host({**mixed, "root": elsewhere["root"]}), keeper)


def test_the_whole_volume_cannot_be_rolled_back() -> None:
    host, keeper = sealed()
    before = Host(host)
    guest = Guest(host, keeper)
    guest.write("letter", b"never mind")
    guest.sync()
    assert Reason.NOT_FRESH == outcome(before, keeper)
    assert Reason.NOT_FRESH == outcome(Host(), keeper)


def test_without_anybody_who_holds_the_version_it_can_and_the_mount_has_to_say_so() -> None:
    host, keeper = Host(), Keeper(detected=False)
    volume(host, keeper, **FILES)
    before = Host(host)
    volume(host, keeper, letter=b"never mind".ljust(len(LETTER)))
    assert FILES == outcome(before, keeper)


def test_another_history_of_the_same_length_is_refused() -> None:
    host, keeper = sealed()
    held = keeper.held
    fork = Host(host)
    volume(host, keeper, letter=b"one")
    volume(fork, Keeper(held=held), letter=b"two")
    assert Reason.NOT_FRESH == outcome(fork, keeper)


def test_a_commit_whose_receipt_was_lost_is_taken_and_two_are_not() -> None:
    host, keeper = sealed()
    held = keeper.held
    volume(host, keeper, letter=b"new")
    assert isinstance(outcome(Host(host), Keeper(held=held)), dict)
    volume(host, keeper, letter=b"newer")
    assert Reason.NOT_FRESH == outcome(Host(host), Keeper(held=held))


def test_a_keep_that_could_not_tell_its_broker_commits_no_further() -> None:
    host, keeper = sealed()
    guest = Guest(host, keeper)
    keeper.gone = True
    guest.write("letter", b"first")
    assert IO == guest.sync()
    root = host["root"]
    guest.write("letter", b"again")
    assert IO == guest.sync()
    assert root == host["root"]
    keeper.gone = False
    assert [] == guest.sync()
    assert b"again" == bytes(Guest(host, keeper).read("letter"))[:5]  # type: ignore[arg-type]


def test_a_volume_of_a_broker_that_holds_nothing_is_its_first_commit_or_refused() -> None:
    host, keeper = sealed()
    assert FILES == outcome(Host(host), Keeper())
    volume(host, keeper, letter=b"new")
    assert Reason.NOT_FRESH == outcome(Host(host), Keeper())


def test_another_root_or_scope_opens_nothing() -> None:
    host, keeper = sealed()
    assert Reason.SIGNATURE_INVALID == outcome(host, Keeper(b"\1" * 32, held=keeper.held))
    for parts in ({"tenant": b"t" * 32, "launch": b"m" * 32}, {"tenant": b"u" * 32, "launch": b"l" * 32}):
        with pytest.raises(Unauthentic) as refused:
            Guest(host, keeper, Scope("launch", cbor.encode(parts)))
        assert Reason.SIGNATURE_INVALID == refused.value.reason


def signer(version: int) -> Scope:
    return Scope("signer", cbor.encode({"tenant": b"t" * 32, "signer": b"s" * 32}), version)


def test_a_lower_security_version_is_refused_and_a_higher_one_goes_on() -> None:
    host, keeper = Host(), Keeper(detected=False)
    guest = Guest(host, keeper, signer(3))
    guest.write("letter", LETTER)
    guest.sync()
    with pytest.raises(Unacceptable) as lower:
        Guest(Host(host), keeper, signer(2))
    assert Reason.SECURITY_VERSION_TOO_LOW == lower.value.reason
    newer = Guest(host, keeper, signer(5))
    assert LETTER == newer.read("letter")
    newer.write("more", b"x")
    newer.sync()
    with pytest.raises(Unacceptable):
        Guest(host, keeper, signer(4))


def test_a_lower_version_written_into_the_record_does_not_help() -> None:
    host, keeper = Host(), Keeper(detected=False)
    guest = Guest(host, keeper, signer(3))
    guest.write("letter", LETTER)
    guest.sync()
    record = cbor.decode(host["root"], "root")
    for change in ({"security_version": 2}, {"version": 0}, {"volume": bytes(16)}):
        host["root"] = cbor.encode({**record, **change})
        with pytest.raises(Unauthentic):
            Guest(host, keeper, signer(2 if "security_version" in change else 3))


def test_a_volume_bound_to_launches_is_none_for_signers() -> None:
    host, keeper = sealed()
    with pytest.raises(Unacceptable) as refused:
        Guest(host, keeper, signer(9))
    assert Reason.LAUNCH_MISMATCH == refused.value.reason
    assert SCOPE.bind == "launch"


def test_a_keep_that_was_rolled_back_never_encrypts_twice_under_one_key() -> None:
    """The salts differ, so the keys do, though place, version and length are the same."""
    host, keeper = Host(), Keeper(detected=False)
    volume(host, keeper, letter=LETTER)
    objects: set[bytes] = set()
    for text in (b"one", b"two", b"one"):
        again = Host(host)
        volume(again, keeper, letter=text)
        objects |= {raw[:SALT_SIZE] for name, raw in again.items() if name not in host}
    # Each time a chunk and the tree are new.
    assert 6 == len(objects)


def test_what_nothing_names_any_more_is_removed() -> None:
    host, keeper = sealed()
    guest = Guest(host, keeper)
    for name in FILES:
        guest.ask(b"unlink", (1).to_bytes(8, "little"), name.encode())
    guest.sync()
    assert 2 == len(host)
    host["f" * 64] = b"left by a crash"
    Guest(host, keeper)
    assert 2 == len(host)
