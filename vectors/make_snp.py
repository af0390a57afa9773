# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/snp: `python vectors/make_snp.py`."""

from __future__ import annotations

from field_vectors import WHEN, Refusal, write

from enarx.codec.x509 import Certificate
from enarx.evidence import amd_certificate
from enarx.evidence.snp_report import POLICY_DEBUG, POLICY_MIGRATE_MA, SigningKey
from enarx.platform.simulated.snp import SimulatedSnp

MEASUREMENT, AUTHOR, IDENTITY = b"\x11" * 48, b"\x22" * 48, b"\x33" * 48
CHIP, FAMILY, IMAGE = b"\x44" * 64, b"\x55" * 16, b"\x66" * 16
OTHER16, OTHER32, OTHER48, OTHER64 = "ee" * 16, "ee" * 32, "ee" * 48, "ee" * 64
POLICY = 0x30000 | 51 | 1 << 8
TCB = {"bootloader": 4, "tee": 0, "snp": 0x18, "microcode": 0xDB}


def main() -> None:
    """A Milan with a VLEK, whose report says something in every field."""
    chip = SimulatedSnp.made(
        WHEN,
        signing_key=SigningKey.VLEK,
        version=5,
        guest_svn=7,
        policy=POLICY,
        family_id=FAMILY,
        image_id=IMAGE,
        measurement=MEASUREMENT,
        author_key_en=1,
        author_key_digest=AUTHOR,
        id_key_digest=IDENTITY,
        chip_id=CHIP,
        launch_mit_vector=3,
        current_mit_vector=7,
    )
    tcb = bytearray(chip.fields.current_tcb)
    tcb[7] += 1
    accepting = {
        "hash": [MEASUREMENT.hex()],
        "hash_blacklist": [OTHER48],
        "signer": [AUTHOR.hex()],
        "signer_blacklist": [OTHER48],
        "id_key_digest": [IDENTITY.hex()],
        "id_key_digest_blacklist": [OTHER48],
        "author_key": "required",
        "debug": "refused",
        "migrate_ma": "refused",
        "policy_flags": {"required": ["SMT"], "refused": ["CxlAllow"]},
        "platform_info_flags": {"required": ["AliasCheckComplete", "ECC"], "refused": ["TSME", "unknown"]},
        "abi": ">=1.51, <2",
        "firmware": ">=1.55.29",
        "provisional_firmware": "refused",
        "vmpl": [0, 1],
        "minimum_tcb": {"milan": TCB},
        "mitigations": 3,
        "minimum_report_version": 5,
        "minimum_guest_svn": 7,
        "generations": ["milan", "turin"],
        "platforms": [CHIP.hex()],
        "signing_key": ["VLEK"],
        "csp_id": [chip_csp(chip)],
        "family_id": [FAMILY.hex()],
        "image_id": [IMAGE.hex()],
        "report_id_ma": ["ff" * 32],
    }
    refusals = {
        "hash": Refusal([OTHER48], "measurement-not-accepted"),
        "hash_blacklist": Refusal([MEASUREMENT.hex()], "measurement-denied"),
        "signer": Refusal([OTHER48], "signer-not-accepted"),
        "signer_blacklist": Refusal([AUTHOR.hex()], "signer-denied"),
        "id_key_digest": Refusal([OTHER48], "signer-not-accepted"),
        "id_key_digest_blacklist": Refusal([IDENTITY.hex()], "signer-denied"),
        "author_key": Refusal(
            "required", "signer-not-accepted", {"signer": "unchecked"}, chip.report(b"", author_key_en=0)
        ),
        "debug": Refusal("refused", "debug-enabled", {}, chip.report(b"", policy=POLICY | POLICY_DEBUG)),
        "migrate_ma": Refusal("refused", "guest-policy", {}, chip.report(b"", policy=POLICY | POLICY_MIGRATE_MA)),
        "policy_flags": Refusal({"required": [], "refused": ["SMT"]}, "guest-policy"),
        "platform_info_flags": Refusal({"required": ["CiphertextHiding"], "refused": []}, "platform-configuration"),
        "abi": Refusal(">=1.52", "version-too-low"),
        "firmware": Refusal(">=1.55.30", "version-too-low"),
        "provisional_firmware": Refusal("refused", "tcb-too-low", {}, chip.report(b"", current_tcb=bytes(tcb))),
        "vmpl": Refusal([1, 2, 3], "vmpl"),
        "minimum_tcb": Refusal({"milan": {**TCB, "microcode": 0xDC}}, "tcb-too-low"),
        "mitigations": Refusal(7, "platform-configuration"),
        "minimum_report_version": Refusal(
            5, "version-too-low", {"mitigations": "unchecked"},
            chip.report(b"", version=4, launch_mit_vector=0, current_mit_vector=0),
        ),
        "minimum_guest_svn": Refusal(8, "security-version-too-low"),
        "generations": Refusal(["genoa", "turin"], "generation-not-accepted"),
        "platforms": Refusal([OTHER64], "platform-not-accepted"),
        "signing_key": Refusal(["VCEK"], "signer-not-accepted"),
        "csp_id": Refusal(["CN=somebody.else.invalid"], "platform-not-accepted"),
        "family_id": Refusal([OTHER16], "field-not-accepted"),
        "image_id": Refusal([OTHER16], "field-not-accepted"),
        "report_id_ma": Refusal([OTHER32], "field-not-accepted"),
    }  # fmt: skip
    write("snp", chip.report(b""), chip.endorsements(), chip.anchors(), accepting, refusals)


def chip_csp(chip: SimulatedSnp) -> str:
    """The cloud provider that the chip's VLEK names."""
    return amd_certificate.parse(Certificate(chip.certificates[0])).csp_id or ""


if __name__ == "__main__":
    main()
