# SPDX-License-Identifier: Apache-2.0
"""Signing keys: their digests are those that other tools and reports show."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature


@pytest.fixture
def author(enarx: Any, tmp_path: Path) -> Path:
    path = tmp_path / "author.pem"
    assert enarx("key", "sev", "create", "--out", path).code == 0
    return path


@pytest.fixture
def id_key(enarx: Any, tmp_path: Path) -> Path:
    path = tmp_path / "id.pem"
    path.write_bytes(enarx("key", "sev", "create").raw)
    return path


def test_sev_keys_and_their_digests_agree_with_ibms_tool(enarx: Any, author: Path, id_key: Path) -> None:
    from sevsnpmeasure.id_block import snp_calc_id_block

    said = snp_calc_id_block(bytes(48), str(id_key), str(author))
    digests = [base64.b64decode(line.partition(": ")[2]).hex() for line in said.splitlines()[1:]]
    assert [enarx("key", "sev", "digest", key).out.strip() for key in (id_key, author)] == digests


def test_a_new_sev_key_is_p384_and_private_to_its_owner(author: Path) -> None:
    assert author.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(author.read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp384r1"
    assert author.stat().st_mode & 0o777 == 0o600


def test_an_author_signs_an_id_key(enarx: Any, author: Path, id_key: Path, tmp_path: Path) -> None:
    out = tmp_path / "signature.blob"
    assert enarx("key", "sev", "sign", "--author-key", author, "--id-key", id_key, "--out", out).code == 0
    raw = out.read_bytes()
    assert len(raw) == 1540
    assert hashlib.sha384(raw[512:]).hexdigest() == enarx("key", "sev", "digest", author).out.strip()
    r, s = int.from_bytes(raw[:72], "little"), int.from_bytes(raw[72:144], "little")
    assert raw[144:512] == bytes(368)
    # the id key in AMD's form, put together here by hand
    numbers = serialization.load_pem_private_key(id_key.read_bytes(), None).public_key().public_numbers()
    form = b"\x02\0\0\0" + numbers.x.to_bytes(72, "little") + numbers.y.to_bytes(72, "little") + bytes(880)
    key = serialization.load_pem_private_key(author.read_bytes(), None).public_key()
    key.verify(encode_dss_signature(r, s), form, ec.ECDSA(hashes.SHA384()))
    assert enarx("key", "sev", "sign", "--author-key", author, "--id-key", id_key).raw == raw


def test_a_public_key_has_the_same_digest(enarx: Any, author: Path, tmp_path: Path) -> None:
    public = tmp_path / "public.pem"
    key = serialization.load_pem_private_key(author.read_bytes(), None).public_key()
    public.write_bytes(key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    said = enarx("key", "sev", "digest", public, "--json")
    assert json.loads(said.out) == {"digest": enarx("key", "sev", "digest", author).out.strip()}


def test_an_sgx_key_and_its_mrsigner(enarx: Any, tmp_path: Path) -> None:
    path = tmp_path / "sgx.pem"
    assert enarx("key", "sgx", "create", "--out", path).code == 0
    assert path.read_bytes().startswith(b"-----BEGIN RSA PRIVATE KEY-----\n")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    numbers = key.public_key().public_numbers()
    assert (key.key_size, numbers.e) == (3072, 3)
    modulus = bytes.fromhex(f"{numbers.n:0768x}")[::-1]
    out = tmp_path / "digest"
    assert enarx("key", "sgx", "digest", path, "--out", out).code == 0
    assert out.read_text() == hashlib.sha256(modulus).hexdigest()
    assert enarx("key", "sgx", "digest", path).out == hashlib.sha256(modulus).hexdigest() + "\n"


def test_a_key_of_another_kind_is_refused(enarx: Any, author: Path, tmp_path: Path) -> None:
    said = enarx("key", "sgx", "digest", author)
    assert (said.code, said.out) == (2, "")
    assert said.err == f"enarx: key-invalid: {author}: not an unencrypted PEM key of the kind needed\n"
    other = tmp_path / "p256.pem"
    other.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    said = enarx("key", "sev", "digest", other)
    assert said.err == "enarx: key-invalid: SEV key on secp256r1, expected P-384\n"
    small = tmp_path / "rsa.pem"
    small.write_bytes(
        rsa.generate_private_key(65537, 2048).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    assert enarx("key", "sgx", "digest", small).code == 2
    (tmp_path / "nonsense").write_bytes(b"-----BEGIN PRIVATE KEY-----\n")
    assert enarx("key", "sev", "digest", tmp_path / "nonsense").code == 2
