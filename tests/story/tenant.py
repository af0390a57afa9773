"""A tenant with a CA of its own, and Keeps that a host opens for it on a simulated machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from enarx.appraisal.policy import Loaded, load
from enarx.cli import order
from enarx.cli.demo import policy
from enarx.cli.deploy import launched
from enarx.delivery.release import Secrets
from enarx.delivery.release_seal import TenantKey
from enarx.delivery.release_tenant import Terms
from enarx.errors import EnarxError
from enarx.evidence.anchor import Anchors, unsafe_set
from enarx.evidence.kind import Kind
from enarx.identity import ca
from enarx.keep.native_part import STEWARD, part_digest
from enarx.platform.chip import Chip
from enarx.platform.process import ProcessKeep, raised
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.store import ANCHORS, agent_measurement, open_machine
from enarx.workload.launch import Launch

TRUST_DOMAIN = "steward.enarx.invalid"
SETTINGS = f'trust_domain = "{TRUST_DOMAIN}"\nlisten = "127.0.0.1:0"\n'


def now() -> datetime:
    return datetime.now(UTC)


class Tenant(msgspec.Struct, frozen=True):
    """A tenant with a CA that no service has yet, and a simulated machine to open Keeps on."""

    folder: Path
    machine: Path
    key: Path
    authority: ca.MadeCa
    chip: SimulatedSnp

    def launch(self) -> Launch:
        return self.placed(STEWARD).launch

    def placed(self, package: str, **more: Any) -> order.Placed:
        wishes: dict[str, Any] = {
            "package": package,
            "arguments": (),
            "environment": {},
            "steward": None,
            "steward_ca": None,
            "ca_bundle": None,
            "token": None,
            "digest": None,
            "tenant_key": self.key,
        }
        return order.place(order.Wishes(**{**wishes, **more}))

    def anchors(self) -> Anchors:
        return unsafe_set({one.name: one.read_bytes() for one in (self.machine / ANCHORS).glob("*.pem")})

    def policy(self, measurement: bytes | None = None, package: bytes | None = None) -> Loaded:
        """Which Keeps may be this tenant's Steward, or run its package."""
        text = policy.text("steward-keep", measurement or agent_measurement(), [package or part_digest(STEWARD)])
        return load(text.encode(), "steward-keep.toml")

    def policy_to_verify(self) -> Loaded:
        return self.policy()

    def terms(self, loaded: Loaded | None = None, launch: bytes | None = None) -> Terms:
        key = TenantKey(self.key.read_bytes(), "key")
        return Terms(loaded=loaded or self.policy(), anchors=self.anchors(), tenant=key, launch=launch)

    def secrets(self, **more: str) -> Secrets:
        """What makes a Steward: its CA, its settings, its policy for workloads."""
        anchors = {f"anchors-{one.name}": one.read_bytes() for one in (self.machine / ANCHORS).glob("*.pem")}
        return Secrets(
            {
                "ca.key": self.authority.key_pem(),
                "ca.pem": self.authority.certificates_pem(),
                "settings.toml": SETTINGS.encode(),
                "policy-tenant.toml": policy.text("tenant", agent_measurement(), None).encode(),
                **anchors,
                **{name: value.encode() for name, value in more.items()},
            }
        )


def made(folder: Path) -> Tenant:
    """A new tenant, with a new simulated machine in its folder."""
    chip = open_machine(Kind.SNP, folder / "machine", when=now())
    assert isinstance(chip, SimulatedSnp)
    authority = ca.make_root("Steward in a Keep (simulated)", trust_domain=TRUST_DOMAIN, when=now(), serial=7)
    (folder / "issuer.pem").write_bytes(authority.certificates_pem())
    tenant = Tenant(folder, folder / "machine", folder / "tenant.pem", authority, chip)
    tenant.launch()  # a tenant's first order makes its key
    return tenant


class Running:
    """An open Keep, and what it reports."""

    def __init__(self, keep: ProcessKeep) -> None:
        self.keep = keep
        self.seen: list[dict[str, Any]] = []
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for event in self.keep.events():
            self._events.put(event)
        self._events.put(None)

    def wait_for(self, name: str) -> dict[str, Any]:
        while (event := self._events.get(timeout=120)) is not None:
            self.seen.append(event)
            if event["event"] == name:
                return event
        pytest.fail(f"no event {name!r}: {self.seen}")

    def states(self) -> list[str]:
        return [event["state"] for event in self.seen if event["event"] == "state"]

    def states_until_stopped(self) -> list[str]:
        self.keep.ask_to_stop()
        self.wait_for("ended")
        return self.states()

    def url(self) -> str:
        return f"https://{self.wait_for('attesting')['address']}"

    def refusal(self) -> EnarxError:
        return raised(self.wait_for("refused"))


@contextmanager
def opened(
    tenant: Tenant, launch: Launch, *, document: bytes | None = None, hardware: Chip | None = None
) -> Iterator[Running]:
    """A Keep for this launch document, as the host opens it."""
    chip = hardware or launched(tenant.chip, launch)
    with ProcessKeep(document or launch.encoded(), chip=chip, attest="127.0.0.1:0", stdio={}) as keep:
        yield Running(keep)
