"""Reference values named on the command line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from enarx.appraisal.policy import load
from enarx.cli.references import with_references
from enarx.errors import Malformed, Misused, Unacceptable, Unauthentic
from tests.appraisal.test_corim import GENUINE, KEY, OTHER, WHEN, references, signed

LOADED = load(GENUINE.read_bytes(), "genuine")


def pem(path: Path, key) -> Path:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return path


def test_signed_manifests_join_a_policy(tmp_path: Path) -> None:
    manifest = tmp_path / "image.corim"
    manifest.write_bytes(signed(references()))
    found = with_references(
        LOADED, [manifest], [pem(tmp_path / "a.pem", OTHER), pem(tmp_path / "b.pem", KEY)], when=WHEN
    )
    assert found.references[0].startswith("keep-image version 1 ")
    assert with_references(LOADED, [], [], when=WHEN) is LOADED


def test_what_nobody_named_signed_or_has_expired_is_refused(tmp_path: Path) -> None:
    manifest, key = tmp_path / "image.corim", pem(tmp_path / "key.pem", KEY)
    manifest.write_bytes(signed(references(), OTHER))
    with pytest.raises(Unauthentic):
        with_references(LOADED, [manifest], [key], when=WHEN)
    for manifests, given in (([manifest], []), ([], [key])):
        with pytest.raises(Misused):
            with_references(LOADED, manifests, given, when=WHEN)
    manifest.write_bytes(signed(references()))
    with pytest.raises(Unacceptable):
        with_references(LOADED, [manifest], [key], when=WHEN + timedelta(days=365))
    manifest.write_bytes(b"unsigned")
    with pytest.raises(Malformed, match=r"image\.corim: CoRIM: "):
        with_references(LOADED, [manifest], [key], when=WHEN)


def test_other_files_are_no_keys(tmp_path: Path) -> None:
    manifest = tmp_path / "image.corim"
    manifest.write_bytes(signed(references()))
    broken = tmp_path / "broken.pem"
    broken.write_bytes(b"x")
    large = pem(tmp_path / "rsa.pem", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for key in (broken, large, tmp_path / "none.pem"):
        with pytest.raises(Misused):
            with_references(LOADED, [manifest], [key], when=WHEN)
