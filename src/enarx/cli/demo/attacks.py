# SPDX-License-Identifier: Apache-2.0
"""Five things that go wrong on purpose.

Each changes bytes on disk or on the wire, as a host can; the running Keep, Steward or verifier
judges them, and nothing here looks at the answer but to print it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from enarx.cli import order
from enarx.cli.demo.stage import Stage
from enarx.cli.deploy import launched
from enarx.delivery.client import ask
from enarx.errors import Faulty, Reason
from enarx.evidence import cmw
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp_report import POLICY_DEBUG
from enarx.platform.chip import Chip
from enarx.platform.process import ProcessKeep, raised
from enarx.platform.simulated.snp import SimulatedSnp


class Replaying:
    """A wire between chip and Keep on which the host answers with another Keep's evidence."""

    kind = Kind.SNP

    def __init__(self, evidence: Evidence, endorsements: Endorsements) -> None:
        self._answer = (evidence, endorsements)

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:  # noqa: ARG002
        """What was recorded, whatever the Keep asked for."""
        return self._answer


def changed_byte(store: Path, module: bytes, placed: order.Placed, chip: SimulatedSnp) -> str:
    """One byte of the published module is changed in the Drawbridge's store."""
    blob = next(path for path in store.rglob("*") if path.is_file() and path.stat().st_size == len(module))
    raw = bytearray(blob.read_bytes())
    raw[len(raw) // 2] ^= 1
    mode = blob.stat().st_mode
    blob.chmod(0o600)
    blob.write_bytes(raw)
    try:
        return refusal(placed.launch.encoded(), placed, launched(chip, placed.launch))
    finally:
        blob.write_bytes(module)
        blob.chmod(mode)


def other_measurement(stage: Stage, url: str, policy: Path, anchors: Path) -> str:
    """The relying party's policy file expects another measurement."""
    text = policy.read_text(encoding="utf-8")
    at = text.index('\nhash = ["') + len('\nhash = ["')
    other = policy.with_name("other-measurement.toml")
    other.write_text(text[:at] + ("0" if text[at] != "0" else "1") + text[at + 1 :], encoding="utf-8")
    done = stage.enarx("verify", url, "--policy", other, "--anchors", anchors, "--unsafe-anchors", "--json", expect=1)
    said = msgspec.json.decode(done.stdout)
    return f"{said['verdict']}: {said['reason']}: {said['subject']}"


def other_keeps_evidence(running: str, placed: order.Placed) -> str:
    """A second Keep of the same launch has a key of its own; the host answers it with the first one's evidence."""
    asked = ask(running)
    (evidence,) = cmw.decode(asked.answer.evidence)
    return refusal(asked.answer.launch, placed, Replaying(evidence, asked.answer.endorsements))


def debug_bit(placed: order.Placed, chip: SimulatedSnp) -> str:
    """The host launches the Keep with the DEBUG bit in the guest policy."""
    guest = launched(chip, placed.launch)
    if not isinstance(guest, SimulatedSnp):
        raise Faulty(Reason.INTERNAL, "the demo simulates SNP")
    return refusal(placed.launch.encoded(), placed, guest.launched(policy=guest.fields.policy | POLICY_DEBUG))


def changed_argument(placed: order.Placed, chip: SimulatedSnp) -> str:
    """What was measured is the tenant's launch document; what the Keep is handed has another argument."""
    handed = msgspec.structs.replace(placed.launch, args=(*placed.launch.args, "--leak"))
    return refusal(handed.encoded(), placed, launched(chip, placed.launch))


def refusal(document: bytes, placed: order.Placed, chip: Chip | None) -> str:
    """Open a Keep and return the line on which it says why it was refused."""
    with ProcessKeep(document, chip=chip, attest="127.0.0.1:0", cas=placed.cas, stdio={}) as keep:
        for event in keep.events():
            if event.get("event") == "refused":
                error = raised(event)
                return f"{error.family}: {error}"
            if event.get("event") in ("attesting", "ended"):
                break
    raise Faulty(Reason.INTERNAL, "the attack was not refused")
