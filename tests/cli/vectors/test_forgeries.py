# SPDX-License-Identifier: Apache-2.0
"""Genuine captures with a part that somebody else made, under the names that the genuine one has."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enarx.evidence import spdm
from tests.cli.vectors.variants import Change, Files, der, outcome, pem

P384 = ec.generate_private_key(ec.SECP384R1())
P256 = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
pytestmark = pytest.mark.filterwarnings("ignore:Attribute's length must be")


def twin(genuine: bytes, key: Key, signer: Key, issuer: bytes | None = None) -> bytes:
    """A certificate that says what a genuine one says, for `key` and signed by `signer`."""
    like = x509.load_der_x509_certificate(genuine)
    above = like.issuer if issuer is None else x509.load_der_x509_certificate(issuer).subject
    made = x509.CertificateBuilder().subject_name(like.subject).issuer_name(above).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(datetime(2015, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
    for one in like.extensions:
        made = made.add_extension(one.value, one.critical)
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48) if isinstance(signer, rsa.RSAPrivateKey) else None
    return made.sign(signer, hashes.SHA384(), rsa_padding=pss).public_bytes(Encoding.DER)


def signed(key: ec.EllipticCurvePrivateKey, message: bytes, digest: hashes.HashAlgorithm) -> tuple[int, int]:
    return decode_dss_signature(key.sign(message, ec.ECDSA(digest)))


def nitro(bundle: Callable[[list[bytes], bytes], list[bytes]]) -> Change:
    """A document by another key; `bundle` makes its cabundle of the genuine one and a root made here."""

    def change(files: Files) -> Files:
        protected, _, payload, _ = cbor2.loads(files["attestation.cbor"])
        told = cbor2.loads(payload)
        root = twin(told["cabundle"][0], P384, P384)
        above = bundle(told["cabundle"], root)
        leaf = twin(told["certificate"], P384, P384, above[-1])
        payload = cbor2.dumps({**told, "certificate": leaf, "cabundle": above})
        r, s = signed(P384, cbor2.dumps(["Signature1", protected, b"", payload]), hashes.SHA384())
        document = [protected, {}, payload, r.to_bytes(48, "big") + s.to_bytes(48, "big")]
        return {**files, "attestation.cbor": cbor2.dumps(document)}

    return change


def snp(*own: str, given: tuple[str, ...] = ("ask.pem", "ark.pem")) -> Change:
    """A report by another key, `own` of its issuers made here; of all issuers, `given` come along."""

    def change(files: Files) -> Files:
        report = bytearray(files["report.bin"])
        r, s = signed(P384, bytes(report[:0x2A0]), hashes.SHA384())
        report[0x2A0:0x2D0], report[0x2E8:0x318] = r.to_bytes(48, "little"), s.to_bytes(48, "little")
        chain = {name: pem(twin(der(files[name])[0], RSA, RSA)) if name in own else files[name] for name in given}
        return {"report.bin": bytes(report), "vcek.der": twin(files["vcek.der"], P384, RSA), **chain}

    return change


def tpm(own: int) -> Change:
    """A quote by another key, the first `own` certificates of its chain made here."""

    def change(files: Files) -> Files:
        quote = files["quote.tpms_attest"]
        r, s = (one.to_bytes(32, "big") for one in signed(P256, quote, hashes.SHA256()))
        chain = {f"ak_chain_{n}.der": files[f"ak_chain_{n}.der"] for n in range(3)}
        chain |= {name: twin(chain[name], P256, P256) for name in sorted(chain)[:own]}
        return {**files, **chain, "sig.tpmt_signature": b"\0\x18\0\x0b\0\x20" + r + b"\0\x20" + s}

    return change


def own_key_beside_genuine_certificates(files: Files) -> Files:
    public = P256.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    genuine = {name: raw for name, raw in files.items() if name.startswith("ak_chain")}
    return {**tpm(0)(files), **genuine, "ak_pub.pem": public}


def nvidia(own: int) -> Change:
    """A report by another key, the first `own` certificates of its chain made here."""

    def change(files: Files) -> Files:
        found = spdm.parse(files["report.bin"])
        r, s = signed(P384, found.signed, hashes.SHA384())
        chain = der(files["cert_chain.pem"])
        chain = [twin(one, P384, P384) if at < own else one for at, one in enumerate(chain)]
        report = found.signed + r.to_bytes(48, "big") + s.to_bytes(48, "big")
        return {"report.bin": report, "cert_chain.pem": b"".join(map(pem, chain))}

    return change


FORGED: dict[str, tuple[str, Change]] = {
    "Nitro: a root of one's own": ("nitro/dstack-prod-2025", nitro(lambda _, root: [root])),
    "Nitro: the genuine root, and a leaf below it": ("nitro/dstack-prod-2025", nitro(lambda there, _: there[:1])),
    "Nitro: a root below the root": ("nitro/dstack-prod-2025", nitro(lambda there, root: [there[0], root])),
    "Nitro: a leaf below the genuine chain": ("nitro/dstack-prod-2025", nitro(lambda there, _: there)),
    "SNP: all of it": ("snp/trustee-milan-v2", snp("ask.pem", "ark.pem")),
    "SNP: up to the ASK": ("snp/trustee-milan-v2", snp("ask.pem")),
    "SNP: the ASK, and no ARK": ("snp/trustee-milan-v2", snp("ask.pem", given=("ask.pem",))),
    "SNP: the leaf": ("snp/trustee-milan-v2", snp()),
    "SNP: the leaf alone": ("snp/trustee-milan-v2", snp(given=())),
    "TPM: the leaf": ("tpm/automata-p256-quote", tpm(1)),
    "TPM: leaf and intermediate": ("tpm/automata-p256-quote", tpm(2)),
    "TPM: all of it": ("tpm/automata-p256-quote", tpm(3)),
    "TPM: a key beside certificates of another": ("tpm/automata-p256-quote", own_key_beside_genuine_certificates),
    "NVIDIA: the signature": ("nvidia-gpu/sdk-blackwell-575.32", nvidia(0)),
    "NVIDIA: the leaf": ("nvidia-gpu/sdk-blackwell-575.32", nvidia(1)),
    "NVIDIA: all but the root": ("nvidia-gpu/sdk-blackwell-575.32", nvidia(4)),
    "NVIDIA: all of it": ("nvidia-gpu/sdk-blackwell-575.32", nvidia(5)),
}


@pytest.mark.parametrize(("capture", "change"), FORGED.values(), ids=FORGED)
def test_what_somebody_else_made_is_refused(evidence_dir: Path, tmp_path: Path, capture: str, change: Change) -> None:
    families = ["unauthentic", "undetermined"]
    lines = outcome(evidence_dir / capture, tmp_path / "one", change, verdict="refused", families=families)
    assert [line.text() for line in lines if not line.ok] == []
