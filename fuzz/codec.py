# SPDX-License-Identifier: Apache-2.0
"""Fuzz the codecs on which every parser stands, and the policy reader."""

from __future__ import annotations

from driver import families, main

from enarx.appraisal import policy
from enarx.codec import cbor, der, json, x509

SEEDS = (
    cbor.encode({"a": [1, b"2", "3", None, True]}),
    b'{"a": [1, "2", {"b": null}]}',
    der.write(der.SEQUENCE, der.write_integer(5), der.write_oid("1.2.840.10045.4.3.2")),
    b'name = "x"\nbinding = "unchecked"\n[snp]\ndebug = "refused"\n',
    b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
)


def _elements(data: bytes) -> None:
    reader = der.Der(data, "fuzz")
    while reader.peek() is not None:
        reader.any("element")


def target(data: bytes) -> None:
    for read in (
        lambda raw: cbor.decode(raw, "fuzz"),
        lambda raw: cbor.decode_canonical(raw, "fuzz"),
        lambda raw: json.decode(raw, "fuzz"),
        _elements,
        x509.Certificate,
        x509.Crl,
        lambda raw: x509.from_pem(raw, "fuzz"),
        lambda raw: policy.load(raw, "fuzz"),
    ):
        with families():
            read(data)


if __name__ == "__main__":
    main(target, SEEDS)
