# SPDX-License-Identifier: Apache-2.0
"""Documents that a judge reads beside evidence: policies, upstream's files, CoRIM, bindings, requests, results."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import driver
from cryptography.hazmat.primitives.asymmetric import ec

from enarx.appraisal import corim, corim_writer, jws, policy, upstream
from enarx.appraisal.reference import ReferenceValues, Value
from enarx.evidence import binding, legacy

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
KEY = ec.derive_private_key(7, ec.SECP256R1())
ROOT = Path(__file__).resolve().parent.parent / "vectors"


def target(data: bytes) -> None:
    """Each reader in turn: what one refuses, another may look into."""
    with driver.families():
        policy.load(data, "policy")
    with driver.families():
        upstream.imported(data, "steward.toml", name="fuzz")
    with driver.families():
        corim.parse(data)
    with driver.families():
        binding.parse(data)
    for oid in (legacy.KVM, legacy.SGX, legacy.SNP):
        with driver.families():
            legacy.read({oid: (False, data)}, qe_identity=legacy.QeIdentity(data, data))
    with driver.families():
        jws.verify(data.decode("latin-1"), KEY.public_key())


def main() -> None:
    """Seeds of each kind."""
    references = ReferenceValues(
        name="seed",
        security_version=1,
        not_before=WHEN,
        not_after=WHEN + timedelta(days=1),
        values=(Value("snp", "MEASUREMENT", "sha-384", bytes(48)),),
        signer=b"",
        digest=b"",
    )
    seeds = [
        (ROOT / "policy" / "snp" / "genuine" / "policy.toml").read_bytes(),
        b'[snp]\nhash = ["' + b"00" * 48 + b'"]\n',
        corim_writer.sign(references, KEY, signer="seed"),
        binding.Binding(purpose=binding.Purpose.ISSUE, spki=bytes(48), nonce=bytes(32), launch=bytes(32)).encoded(),
        jws.sign({"a": 1}, KEY).encode(),
    ]
    driver.main(target, seeds)


if __name__ == "__main__":
    main()
