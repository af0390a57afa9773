# SPDX-License-Identifier: Apache-2.0
"""Manifests as NVIDIA writes and signs them, for simulated devices."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from enarx.codec.digest import sha384
from enarx.evidence import rim_xml
from enarx.evidence.rim import HASHES, SWID, TCG_RIM
from enarx.evidence.rim_c14n import INCLUSIVE_11, canonical
from enarx.evidence.rim_signature import DSIG, ECDSA_SHA384, ENVELOPED, SHA384
from enarx.platform.simulated import pki

_DOCUMENT = """\
<SoftwareIdentity xmlns="{swid}" xmlns:ns0="{swid}" xmlns:ns2="{hashes}" corpus="false" name="{product}" \
patch="false" supplemental="false" tagId="simulated" version="1.0" tagVersion="0">
    <ns0:Entity name="simulated NVIDIA" role="softwareCreator tagCreator"/>
    <ns0:Meta xmlns:ns1="{tcg}" colloquialVersion="{version}" edition="{edition}" product="{product}" revision="r1" \
PayloadType="direct" ns1:FirmwareManufacturer="simulated NVIDIA" ns1:FirmwareManufacturerId="{manufacturer}"/>
    <ns0:Payload>
{resources}
    </ns0:Payload>
{signature}</SoftwareIdentity>
"""
_RESOURCE = (
    '        <ns0:Resource type="Measurement" index="{index}" active="{active}" alternatives="{count}" {values}'
    ' name="Measurement_{index}" size="{size}"/>'
)
_INFO = (
    '<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/><ds:SignatureMethod Algorithm="{method}"/>'
    '<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="{enveloped}"/><ds:Transform Algorithm="{c14n}"/>'
    '</ds:Transforms><ds:DigestMethod Algorithm="{digest_method}"/><ds:DigestValue>{digest}</ds:DigestValue>'
    "</ds:Reference></ds:SignedInfo>"
)
_SIGNATURE = (
    '<ds:Signature xmlns:ds="{dsig}">{info}<ds:SignatureValue>{value}</ds:SignatureValue><ds:KeyInfo><ds:X509Data>'
    "{certificates}</ds:X509Data></ds:KeyInfo></ds:Signature>"
)


def manifest(
    product: str,
    version: str,
    values: Mapping[int, tuple[bytes, ...]],
    issuers: Sequence[pki.Authority],
    *,
    edition: str = "GPU",
    manufacturer: str = "5703",
    c14n: str = INCLUSIVE_11,
) -> bytes:
    """A manifest with these active measurements, signed by the first of `issuers`."""
    resources = "\n".join(_resource(index, values.get(index)) for index in range(max(values) + 1))
    said = {"swid": SWID, "hashes": HASHES, "tcg": TCG_RIM, "product": product, "version": version}
    said |= {"edition": edition, "manufacturer": manufacturer, "resources": resources}
    digest = base64.b64encode(sha384(_canonical(_DOCUMENT.format(**said, signature=""), c14n)))
    names = {"method": ECDSA_SHA384, "enveloped": ENVELOPED, "digest_method": SHA384, "c14n": c14n}
    info = _INFO.format(**names, digest=digest.decode())
    certificates = "".join(
        f"<ds:X509Certificate>{base64.b64encode(pki.der(one.certificate)).decode()}</ds:X509Certificate>"
        for one in issuers
    )
    unsigned = _SIGNATURE.format(dsig=DSIG, info=info, value="", certificates=certificates)
    root = rim_xml.parse(_DOCUMENT.format(**said, signature=unsigned).encode(), "simulated RIM")
    signed = canonical(root.elements()[-1].elements()[0], c14n)
    signature = _SIGNATURE.format(dsig=DSIG, info=info, value=_value(issuers[0], signed), certificates=certificates)
    return _DOCUMENT.format(**said, signature=signature).encode()


def _canonical(document: str, c14n: str) -> bytes:
    return canonical(rim_xml.parse(document.encode(), "simulated RIM"), c14n)


def _resource(index: int, allowed: tuple[bytes, ...] | None) -> str:
    listed = allowed or (bytes(48),)
    written = " ".join(f'ns2:Hash{at}="{value.hex()}"' for at, value in enumerate(listed))
    return _RESOURCE.format(
        index=index, active=allowed is not None, count=len(listed), values=written, size=len(listed[0])
    )


def _value(signer: pki.Authority, signed: bytes) -> str:
    if not isinstance(signer.key, ec.EllipticCurvePrivateKey):
        raise TypeError("manifests are signed with ECDSA")
    r, s = decode_dss_signature(signer.key.sign(signed, ec.ECDSA(hashes.SHA384())))
    return base64.b64encode(r.to_bytes(48, "big") + s.to_bytes(48, "big")).decode()
