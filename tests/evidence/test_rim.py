# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from enarx.errors import EnarxError, Malformed, Reason, Unauthentic
from enarx.evidence import rim, rim_c14n, rim_xml
from enarx.evidence.nvidia_roots import rim_roots
from enarx.evidence.rim_signature import DSIG
from enarx.platform.simulated.nvidia import SimulatedNvidia

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
DEVICE = SimulatedNvidia.made(WHEN)
ROOTS = DEVICE.anchors().roots["nvidia-rim"]  # type: ignore[index]
DRIVER = DEVICE.rims()[0]
CAPTURED = {
    "nvidia-gpu/nvtrust-sample-hopper/rim_NV_GPU_DRIVER_GH100_550.90.07.swidtag": "2025-06-01",
    "nvidia-gpu/nvtrust-sample-hopper/rim_NV_GPU_VBIOS_1010_0200_882_96009F0001.swidtag": "2026-06-01",
    "nvidia-gpu/sdk-hopper-535.86.09/rim_1010_0200_882_96005E0001_PROD.swidtag": "2025-01-01",
    "nvidia-switch/sdk-switch-ls10/rim_switchVBIOSRim_NV_SWITCH_BIOS_5612_0002_890_9610550001.xml": "2026-06-01",
}


def believed(raw: bytes) -> rim.AuthenticRim:
    return rim.authenticate(rim.parse(raw), ROOTS, when=WHEN)


def refused(raw: bytes) -> tuple[type[EnarxError], Reason]:
    with pytest.raises(EnarxError) as caught:
        believed(raw)
    return type(caught.value), caught.value.reason


@pytest.mark.parametrize("name", CAPTURED)
def test_nvidias_own_manifests_are_believed(evidence_dir: Path, name: str) -> None:
    raw = (evidence_dir / name).read_bytes()
    when = datetime.fromisoformat(CAPTURED[name]).replace(tzinfo=UTC)
    found = rim.authenticate(rim.parse(raw), rim_roots(), when=when)
    assert "NVIDIA CoRIM signing Root CA" == found.path[-1].common_name()
    assert len(found.rim.references) in (12, 21, 31)


@pytest.mark.parametrize("form", [rim_c14n.INCLUSIVE_11, rim_c14n.INCLUSIVE_10, rim_c14n.EXCLUSIVE])
def test_canonical_forms_are_lxmls(evidence_dir: Path, form: str) -> None:
    for name in CAPTURED:
        raw = (evidence_dir / name).read_bytes()
        ours, theirs = rim_xml.parse(raw, "RIM"), etree.fromstring(raw)
        exclusive = form == rim_c14n.EXCLUSIVE
        whole = etree.tostring(theirs, method="c14n", exclusive=exclusive, with_comments=False)
        assert rim_c14n.canonical(ours, form) == whole
        signature = theirs.find(f"{{{DSIG}}}Signature")
        assert signature is not None
        info = etree.tostring(signature[0], method="c14n", exclusive=exclusive, with_comments=False)
        assert rim_c14n.canonical(ours.elements()[-1].elements()[0], form) == info


NAMES = st.sampled_from(["a", "b", "p:a", "q:b"])
TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")) | st.sampled_from("\t\n\r<>&\"'"), max_size=6)


def _element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    attributes = st.dictionaries(st.sampled_from(["x", "y", "p:x", "q:y"]), TEXT, max_size=3)
    spaces = st.dictionaries(st.sampled_from(["xmlns", "xmlns:p", "xmlns:q"]), st.sampled_from(["urn:1", "urn:2"]))
    return st.tuples(NAMES, spaces, attributes, st.lists(children, max_size=3)).map(_written)


def _written(parts: tuple[str, dict[str, str], dict[str, str], list[str]]) -> str:
    name, spaces, attributes, children = parts
    listed = {"xmlns:p": "urn:p", "xmlns:q": "urn:q", **spaces, **attributes}
    said = "".join(f' {key}="{_escaped(value)}"' for key, value in listed.items())
    return f"<{name}{said}>{''.join(children)}</{name}>"


def _escaped(text: str) -> str:
    for raw, written in (("&", "&amp;"), ("<", "&lt;"), ('"', "&quot;"), ("\r", "&#13;"), (">", "&gt;")):
        text = text.replace(raw, written)
    return text


@settings(max_examples=300, deadline=None)
@given(_element(st.recursive(TEXT.map(_escaped), _element, max_leaves=6)), st.booleans())
def test_canonical_forms_of_any_document_are_lxmls(document: str, exclusive: bool) -> None:
    try:
        theirs = etree.fromstring(document.encode())
    except etree.XMLSyntaxError:
        return  # two attributes with one expanded name
    ours = rim_xml.parse(document.encode(), "XML")
    form = rim_c14n.EXCLUSIVE if exclusive else rim_c14n.INCLUSIVE_11
    assert rim_c14n.canonical(ours, form) == etree.tostring(theirs, method="c14n", exclusive=exclusive)


@pytest.mark.parametrize(
    "document",
    [
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
        b"<a>&undefined;</a>",
        b"<a><!-- hidden --></a>",
        b"<a><?php x?></a>",
        b"<?xml version='1.0' encoding='utf-16'?><a/>",
        b"<a xml:lang='en'/>",
        b"<p:a/>",
        b"<a p:x='1'/>",
        b"<a xmlns:p=''/>",
        b"<a xmlns='u'><b xmlns=''/></a>",
        b"<a xmlns:xml='http://elsewhere'/>",
        b"<a xmlns:p='u' xmlns:q='u' p:x='1' q:x='2'/>",
        b"<a><b></a></b>",
        b"<a/><b/>",
        b"",
        b"\xff\xfe<\x00a\x00/\x00>\x00",
    ],
)
def test_xml_that_signed_xml_must_not_have_is_malformed(document: bytes) -> None:
    with pytest.raises(Malformed):
        rim_xml.parse(document, "XML")


def test_xml_is_bounded() -> None:
    for document in (b"<a>" * 17 + b"</a>" * 17, b"<a>" + b"<b/>" * 9000 + b"</a>", b" " * (3 << 20)):
        with pytest.raises(Malformed):
            rim_xml.parse(document, "XML")


def test_a_cdata_section_is_text() -> None:
    assert rim_c14n.canonical(rim_xml.parse(b"<a>x<![CDATA[<y>]]>z</a>", "XML"), rim_c14n.INCLUSIVE_11) == (
        b"<a>x&lt;y&gt;z</a>"
    )


def test_a_simulated_manifest_has_the_form_of_nvidias() -> None:
    found = believed(DRIVER)
    assert (found.rim.product, found.rim.version, found.signer) == ("GH100", "550.90.07", "simulated RIM L4 Signer")
    assert [reference.index for reference in found.rim.references] == list(range(1, 64, 2))


@pytest.mark.parametrize("form", sorted(rim_c14n.ALGORITHMS))
def test_all_three_canonical_forms_may_be_signed(form: str) -> None:
    believed(DEVICE.rim("1", {0: (bytes(48),)}, c14n=form))


def test_production_roots_do_not_believe_it_and_device_roots_sign_no_manifests() -> None:
    for roots in (rim_roots(), DEVICE.anchors().roots["nvidia"]):  # type: ignore[index]
        with pytest.raises(Unauthentic) as caught:
            rim.authenticate(rim.parse(DRIVER), roots, when=WHEN)
        assert caught.value.reason is Reason.UNKNOWN_ANCHOR


@pytest.mark.parametrize(("days", "reason"), [(-2, Reason.NOT_YET_VALID), (366, Reason.EXPIRED)])
def test_a_signer_is_believed_in_its_time_only(days: int, reason: Reason) -> None:
    with pytest.raises(Unauthentic) as caught:
        rim.authenticate(rim.parse(DRIVER), ROOTS, when=WHEN + timedelta(days=days))
    assert caught.value.reason is reason


def test_another_manufacturer_is_refused() -> None:
    raw = DEVICE.rim("1", {0: (bytes(48),)}, manufacturer="1234")
    assert refused(raw) == (Unauthentic, Reason.ENDORSEMENT_MISMATCH)


def test_any_text_added_removed_or_moved_is_noticed() -> None:
    for old, new in (
        (b'active="True"', b'active="False"'),
        (b"550.90.07", b"550.90.08"),
        (b"</ns0:Payload>", b" </ns0:Payload>"),
        (b'revision="r1"', b'revision="r2"'),
        (b'role="', b'role="x '),
    ):
        assert refused(DRIVER.replace(old, new, 1)) == (Unauthentic, Reason.DIGEST_MISMATCH)


def test_what_is_changed_in_signed_info_breaks_the_signature() -> None:
    changed = DRIVER.replace(b"<ds:DigestValue>", b"<ds:DigestValue> ", 1)
    assert refused(changed) == (Unauthentic, Reason.SIGNATURE_INVALID)


def _moved(raw: bytes) -> bytes:
    """The signature wrapped into another element: the classic attack on signed XML."""
    return re.sub(rb"(<ds:Signature .*</ds:Signature>)", rb"<wrapper>\1</wrapper>", raw, flags=re.DOTALL)


def _doubled(raw: bytes) -> bytes:
    return re.sub(rb"(<ds:Signature .*</ds:Signature>)", rb"\1\1", raw, flags=re.DOTALL)


def _without(raw: bytes) -> bytes:
    return re.sub(rb"<ds:Signature .*</ds:Signature>", b"", raw, flags=re.DOTALL)


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "wrapped": _moved,
    "doubled": _doubled,
    "unsigned": _without,
    "other reference": lambda raw: raw.replace(b'URI=""', b'URI="#id"'),
    "xpath": lambda raw: raw.replace(b"enveloped-signature", b"xpath"),
    "weak digest": lambda raw: raw.replace(b"xmldsig-more#sha384", b"sha1"),
    "mac": lambda raw: raw.replace(b"ecdsa-sha384", b"hmac-sha384"),
    "short signature": lambda raw: re.sub(rb"(<ds:SignatureValue>).{4}", rb"\1", raw),
    "no certificate": lambda raw: re.sub(rb"<ds:X509Certificate>.*</ds:X509Certificate>", b"", raw, flags=re.DOTALL),
    "no base64": lambda raw: raw.replace(b"<ds:SignatureValue>", b"<ds:SignatureValue>*"),
    "more key info": lambda raw: raw.replace(b"<ds:KeyInfo>", b"<ds:KeyInfo><ds:KeyName>x</ds:KeyName>"),
    "two references": lambda raw: re.sub(rb"(<ds:Reference .*</ds:Reference>)", rb"\1\1", raw, flags=re.DOTALL),
    "other root": lambda raw: raw.replace(b"SoftwareIdentity", b"SomethingElse"),
    "index twice": lambda raw: raw.replace(b'index="1"', b'index="3"'),
    "odd index": lambda raw: raw.replace(b'index="1"', b'index="-1"'),
    "more alternatives": lambda raw: raw.replace(b'alternatives="1"', b'alternatives="2"'),
    "other size": lambda raw: raw.replace(b'size="48"', b'size="47"'),
    "perhaps active": lambda raw: raw.replace(b'active="True"', b'active="Perhaps"'),
    "nothing active": lambda raw: raw.replace(b'active="True"', b'active="False"'),
    "no payload": lambda raw: raw.replace(b"ns0:Payload", b"ns0:Other"),
    "no version": lambda raw: raw.replace(b"colloquialVersion", b"colloquialOther"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_shape_is_malformed(name: str) -> None:
    changed = CHANGES[name](DRIVER)
    assert changed != DRIVER
    assert refused(changed)[0] is Malformed


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=120), st.integers(0, len(DRIVER)))
def test_any_bytes_in_a_manifest_are_refused_in_our_families(noise: bytes, at: int) -> None:
    try:
        found = believed(DRIVER[:at] + noise + DRIVER[at:])
    except EnarxError:
        return
    assert found.rim.references == rim.parse(DRIVER).references
