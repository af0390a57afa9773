# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/{nitro,nitrotpm,tpm,azure}: `python vectors/make_boot.py`.

Evidence of these stands in the files as an RFC 9999 wrapper, because it has parts.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from field_vectors import ROOT, WHEN, Refusal, policy, write

from enarx.appraisal import snp
from enarx.evidence import cmw
from enarx.evidence.endorsement import NOTHING
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.platform.simulated import boot_log
from enarx.platform.simulated.azure import VM, SimulatedAzure
from enarx.platform.simulated.nitro import MODULE, hypervisor
from enarx.platform.simulated.tpm import SimulatedTpm

NONCE = bytes(32)
OTHER48, OTHER32 = "ee" * 48, "ee" * 32
TOO_HIGH = (1 << 63) - 1
NO_BOOT = {
    "pcrs": "unchecked",
    "pcrs_blacklist": {},
    "event_log": "unchecked",
    "secure_boot": "unchecked",
    "minimum_firmware_version": "unchecked",
    "clock_safe": "unchecked",
}


def wrapped(evidence: Evidence) -> bytes:
    """One piece of evidence as it travels."""
    return cmw.encode((evidence,))


def nitro(kind: Kind) -> None:
    """Vectors of sections [nitro] and [nitrotpm]."""
    host = hypervisor(WHEN, kind)
    first, fourth = "01" * 48, "05" * 48
    zero = {0: bytes(48), 1: b"\2" * 48, 2: b"\3" * 48, 4: b"\5" * 48}
    old = int((WHEN - timedelta(seconds=301)).timestamp() * 1000)
    accepting = {
        "debug": "refused",
        "pcrs": {"0": [first], "4": [OTHER48, fourth]},
        "pcrs_blacklist": {"0": [OTHER48]},
        "module_id": [MODULE[kind]],
        "max_age": 300,
    }
    refusals = {
        "debug": Refusal(
            "refused", "debug-enabled", {"pcrs": {"4": [fourth]}}, wrapped(host.evidence(WHEN, registers=zero))
        ),
        "pcrs": Refusal({"0": [OTHER48], "4": [fourth]}, "measurement-not-accepted"),
        "pcrs_blacklist": Refusal({"0": [OTHER48], "4": [fourth]}, "measurement-denied"),
        "module_id": Refusal(["i-00000000000000000-enc0000000000000000"], "platform-not-accepted"),
        "max_age": Refusal(300, "not-fresh", {}, wrapped(host.evidence(WHEN, timestamp=old))),
    }
    write(str(kind), wrapped(host.evidence(WHEN)), NOTHING, host.anchors(), accepting, refusals)


def boot(tpm: SimulatedTpm, authority: str) -> tuple[dict[str, Any], dict[str, Refusal]]:
    """What [tpm] and [azure] have in common; evidence is for the caller to add."""
    loader = tpm.pcrs["sha-256"][4].hex()
    accepting = {
        "pcrs": {"sha256": {"4": [loader, OTHER32]}},
        "pcrs_blacklist": {"sha256": {"4": [OTHER32]}},
        "event_log": "required",
        "secure_boot": "required",
        "authorities": [authority],
        "platforms": [digest(tpm)],
        "minimum_firmware_version": 1,
        "clock_safe": "required",
    }
    refusals = {
        "pcrs": Refusal({"sha256": {"4": [OTHER32]}}, "measurement-not-accepted"),
        "pcrs_blacklist": Refusal({"sha256": {"4": [loader]}}, "measurement-denied"),
        "authorities": Refusal(["google", "named"], "signer-not-accepted"),
        "platforms": Refusal([OTHER32], "platform-not-accepted"),
        "minimum_firmware_version": Refusal(TOO_HIGH, "version-too-low"),
    }
    return accepting, refusals


def digest(tpm: SimulatedTpm) -> str:
    """What `platforms` names: SHA-256 of the attestation key's SubjectPublicKeyInfo."""
    from enarx.codec.digest import sha256
    from enarx.evidence.tpm_key import spki_of

    return sha256(spki_of(tpm.key.public_key())).hex()


def insecure(tpm: SimulatedTpm) -> SimulatedTpm:
    """The same TPM after a boot with secure boot off."""
    log = boot_log.written(boot_log.usual(secure=False))
    return msgspec.structs.replace(tpm, log=log, pcrs={b: boot_log.registers(log, b) for b in tpm.pcrs})


def tpm_vectors() -> None:
    """Vectors of section [tpm]."""
    tpm = SimulatedTpm.made(WHEN)
    accepting, refusals = boot(tpm, "tpm")
    without = wrapped(tpm.evidence(NONCE, parts={"event_log": None}))
    refusals |= {
        "event_log": Refusal("required", "boot-not-measured", {"secure_boot": "unchecked"}, without),
        "secure_boot": Refusal("required", "platform-configuration", {}, wrapped(insecure(tpm).evidence(NONCE))),
        "clock_safe": Refusal("required", "clock", {}, wrapped(tpm.evidence(NONCE, safe=0))),
    }
    write("tpm", wrapped(tpm.evidence(NONCE)), NOTHING, tpm.anchors(), accepting, refusals)


def azure() -> None:
    """Vectors of section [azure]; [snp] leaves everything open, so that none of it refuses."""
    vm = SimulatedAzure.made(WHEN)
    unsafe = vm.tpm.quote(NONCE, safe=0)
    accepting, refusals = boot(vm.tpm, "microsoft")
    accepting |= {
        "debug": "refused",
        "quote": "required",
        "console": "refused",
        "vm_secure_boot": "required",
        "vm_id": [VM["vmUniqueId"]],
    }

    def configured(**changes: object) -> bytes:
        runtime = vm.runtime(**{"vm-configuration": {**VM, **changes}})
        return wrapped(vm.evidence(NONCE, runtime=runtime))

    without = wrapped(vm.evidence(NONCE, parts={"event_log": None}))
    off = wrapped(SimulatedAzure(vm.chip, insecure(vm.tpm)).evidence(NONCE))
    clock = wrapped(vm.evidence(NONCE, parts={"quote": unsafe, "signature": vm.tpm.signed(unsafe)}))
    bare = dict.fromkeys(("quote", "signature", "pcrs", "event_log"))
    refusals |= {
        "event_log": Refusal("required", "boot-not-measured", {"secure_boot": "unchecked"}, without),
        "secure_boot": Refusal("required", "platform-configuration", {}, off),
        "clock_safe": Refusal("required", "clock", {}, clock),
        "debug": Refusal("refused", "debug-enabled", {}, wrapped(vm.evidence(NONCE, policy=0x30000 | 1 << 19))),
        "quote": Refusal("required", "boot-not-measured", NO_BOOT, wrapped(vm.evidence(NONCE, parts=bare))),
        "console": Refusal("refused", "platform-configuration", {}, configured(**{"console-enabled": True})),
        "vm_secure_boot": Refusal("required", "platform-configuration", {}, configured(**{"secure-boot": False})),
        "vm_id": Refusal(["OTHER"], "platform-not-accepted"),
    }
    write("azure", wrapped(vm.evidence(NONCE)), vm.endorsements(), vm.anchors(), accepting, refusals)
    opened = {**msgspec.to_builtins(snp.unchecked()), "debug": "unchecked"}
    section = policy("snp", opened).partition("\n\n")[2]
    for path in (ROOT / "azure").glob("*/policy.toml"):
        path.write_text(f"{path.read_text()}\n{section}")


if __name__ == "__main__":
    nitro(Kind.NITRO)
    nitro(Kind.NITROTPM)
    tpm_vectors()
    azure()
