"""What is changed of genuine Intel evidence: the same for SGX and TDX."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from enarx.evidence import intel_pem
from enarx.evidence.memory import Memory
from tests.evidence.intel_world import Capture, files_of
from tests.mutation.mutate import Tally, bit_flips, byte_flips, changed_values, never_accepted, total, truncations

DOCUMENTS = {"tcb_info": "tcbInfo", "qe_identity": "enclaveIdentity"}
CHAINS = ("tcb_chain", "qe_chain", "pck_crl_chain")
CRLS = ("pck_crl", "root_crl")


def every_bit(taken: Capture) -> Tally:
    """Every bit of the quote. Nothing is left out: what follows the signature data must be zero, and PEM is strict."""
    memory: Memory[Any] = Memory()
    return never_accepted(lambda raw: taken.judge(quote=raw, memory=memory), taken.quote, bit_flips(taken.quote))


def every_byte_and_length(taken: Capture) -> Tally:
    memory: Memory[Any] = Memory()
    cut = [(name, raw) for name, raw in truncations(taken.quote) if raw.rstrip(b"\0") != taken.quote.rstrip(b"\0")]

    def judge(raw: bytes) -> object:
        return taken.judge(quote=raw, memory=memory)

    return total(never_accepted(judge, taken.quote, byte_flips(taken.quote)), never_accepted(judge, taken.quote, cut))


def documents(taken: Capture) -> Tally:
    """Every value of TCB info and QE identity changed, every key removed, one added, and written again."""
    tallies = []
    for field, name in DOCUMENTS.items():
        genuine = getattr(taken.intel, field)
        whole = json.loads(genuine)
        changes = [
            (f"{field} {at}", json.dumps({**whole, name: value}, separators=(",", ":")).encode())
            for at, value in changed_values(whole[name])
        ]
        spaced = [(f"{field} with spaces", json.dumps(whole).encode())]
        swapped = json.dumps({name: dict(reversed(whole[name].items())), "signature": whole["signature"]})
        changes += [*spaced, (f"{field} in another order", swapped.replace(" ", "").encode())]
        changes += byte_flips(genuine, step=7)
        tallies.append(never_accepted(_judge_with(taken, field), genuine, changes))
    return total(*tallies)


def certificates(taken: Capture) -> Tally:
    """Every byte of every certificate and CRL, in steps."""
    tallies = []
    for field in (*CHAINS, *CRLS):
        genuine = getattr(taken.intel, field)
        tallies.append(never_accepted(_judge_with(taken, field), genuine, byte_flips(genuine, step=5)))
    return total(*tallies)


def exchanges(taken: Capture, evidence_dir: Path) -> Tally:
    """Each part of the collateral exchanged for the genuine ones of every other capture."""
    assert taken.intel is not None
    tallies = []
    for field in (*DOCUMENTS, *CHAINS, *CRLS):
        genuine = getattr(taken.intel, field)
        others = sorted({other for other in _others(evidence_dir, field) if not _equivalent(taken, field, other)})
        changes = [(f"{field} of another", other) for other in others]
        tallies.append(never_accepted(_judge_with(taken, field), genuine, changes))
    tallies.append(never_accepted(lambda raw: taken.judge(quote=raw), taken.quote, _chains(taken, evidence_dir)))
    return total(*tallies)


def times(taken: Capture) -> Tally:
    window = taken.judge().window
    assert window is not None
    second, years = timedelta(seconds=1), timedelta(days=3000)
    moments = [window.not_before - second, window.not_after + second, window.not_before - years,
               window.not_after + years]  # fmt: skip
    return never_accepted(lambda when: taken.judge(when=when), taken.when, [(str(one), one) for one in moments])


def _judge_with(taken: Capture, field: str) -> Any:
    memory: Memory[Any] = Memory()
    return lambda raw: taken.judge(memory=memory, **{field: raw})


def _equivalent(taken: Capture, field: str, other: bytes) -> bool:
    """Genuine, current at that time and about this platform as well: another issue of the same document.

    An exchange for such a one is no forgery; the oracle accepts each of these, too.
    """
    genuine = getattr(taken.intel, field)
    if field in DOCUMENTS:
        mine, its = (json.loads(raw)[DOCUMENTS[field]] for raw in (genuine, other))
        same = all(mine.get(key) == its.get(key) for key in ("id", "fmspc", "pceId", "mrsigner", "isvprodid"))
        when = f"{taken.when:%Y-%m-%dT%H:%M:%SZ}"
        return same and its["issueDate"] <= when <= its["nextUpdate"]
    if field in CHAINS:
        # the same authority again, in a certificate of another time that holds then
        return intel_pem.blocks(genuine, "mine")[0] == intel_pem.blocks(other, "its")[0]
    return _current_crl(taken, field, other)


def _current_crl(taken: Capture, field: str, other: bytes) -> bool:
    from enarx.codec.x509 import Crl

    mine, its = Crl(getattr(taken.intel, field)), Crl(other)
    return mine.issuer == its.issuer and its.this_update <= taken.when <= its.next_update


def _others(evidence_dir: Path, field: str) -> Iterator[bytes]:
    from enarx.cli.vectors.intel import collateral

    for kind in ("sgx", "tdx"):
        for path in sorted((evidence_dir / kind).glob("*/collateral1")):
            yield getattr(collateral(files_of(path.parent), "collateral1"), field)


def _chains(taken: Capture, evidence_dir: Path) -> Iterator[tuple[str, bytes]]:
    """The quote with the PCK chain of every other one of its length, and with its own in other orders."""
    from tests.evidence.intel_world import FORMATS

    mine = FORMATS[taken.kind].parse(taken.quote).quote.certification
    own = [intel_pem.armour(one) for one in intel_pem.blocks(mine, "mine")]
    for order in ((1, 0, 2), (0, 2, 1), (2, 1, 0), (0, 1, 1), (0, 0, 2)):
        text = b"".join(own[at] for at in order)
        yield f"order {order}", taken.quote.replace(mine, text.ljust(len(mine), b"\0")[: len(mine)])
    for path in sorted((evidence_dir / taken.kind).glob("*/pck_chain.pem")):
        its = path.read_bytes().rstrip(b"\0")
        if its not in mine and len(its) <= len(mine):
            yield path.parent.name, taken.quote.replace(mine, its.ljust(len(mine), b"\0"))
