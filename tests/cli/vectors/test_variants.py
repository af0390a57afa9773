# SPDX-License-Identifier: Apache-2.0
"""The same evidence under other names and in other forms is judged the same."""

from __future__ import annotations

import base64
import uuid
from pathlib import Path

import pytest

from tests.cli.vectors.variants import Change, Files, der, outcome, pem, renamed

REPORT = 1184


def one_chain(*names: str, to: str = "cert_chain.pem") -> Change:
    """Several certificates become one PEM file, in this order."""

    def change(files: Files) -> Files:
        parts = [raw if b"-----" in (raw := files[name]) else pem(raw) for name in names]
        return {**{name: raw for name, raw in files.items() if name not in names}, to: b"".join(parts)}

    return change


def without(*starts: str) -> Change:
    return lambda files: {name: raw for name, raw in files.items() if not name.startswith(starts)}


def only_one_object(files: Files) -> Files:
    """Of the collateral only the JSON object of Intel's library is left."""
    return {name: raw for name, raw in files.items() if "/" not in name or name.endswith("qvl_collateral.json")}


def crls_in_hexadecimal(files: Files) -> Files:
    return {
        name.replace("crl.der", "crl.txt"): raw.hex().encode() if name.endswith("crl.der") else raw
        for name, raw in files.items()
    }


def crls_in_hexadecimal_by_name(files: Files) -> Files:
    return {name: raw.hex().encode() if name.endswith("crl.der") else raw for name, raw in files.items()}


def crls_in_pem(files: Files) -> Files:
    return {
        name.replace("crl.der", "crl.pem"): pem(raw, "X509 CRL") if name.endswith("crl.der") else raw
        for name, raw in files.items()
    }


def guids_as_microsoft_has_them(files: Files) -> Files:
    raw = files["extended_report.bin"]
    at, table = REPORT, bytearray(raw)
    while any(table[at : at + 16]):
        table[at : at + 16] = uuid.UUID(bytes=bytes(table[at : at + 16])).bytes_le
        at += 24
    return {"extended_report.bin": bytes(table)}


def chain_in_der(files: Files) -> Files:
    chain = b"".join(der(files["cert_chain.pem"]))
    return {"cert_chain.der": chain, **without("cert_chain", "evidence_as")(files)}


def chain_in_base64(files: Files) -> Files:
    return {
        "cert_chain.b64": base64.b64encode(files["cert_chain.pem"]),
        **without("cert_chain", "evidence_as")(files),
    }


def sized(files: Files) -> Files:
    raw = files["quote.tpms_attest"]
    return {**files, "quote.tpms_attest": len(raw).to_bytes(2, "big") + raw}


def sized_beside_a_report(files: Files) -> Files:
    raw = files["tpm_quote.msg"]
    return {**files, "tpm_quote.msg": len(raw).to_bytes(2, "big") + raw}


def one_file_for_each_bank(files: Files) -> Files:
    return {**files, "pcrs_sha1.txt": b"00" * 20}


def no_boot_log(files: Files) -> Files:
    return {**files, "eventlog.bin": b"neither"}


ASK_ARK_LEAF = one_chain("ask.pem", "ark.pem", "vcek.der")

SAME: dict[str, tuple[str, Change]] = {
    "AMD's chain backwards": ("snp/tinfoil-genoa-v3", one_chain("ark.pem", "ask.pem")),
    "AMD's chain with the leaf": ("snp/oak-turin-v5", ASK_ARK_LEAF),
    "AMD's leaf alone": ("snp/oak-turin-v5", without("ask", "ark")),
    "AMD's CRL in PEM": ("snp/spire-azure-milan-v2-crl", crls_in_pem),
    "a table by SVSM's protocol": ("snp/derived-extended-milan-vcek", guids_as_microsoft_has_them),
    "collateral in one object": ("tdx/near-2026-02", only_one_object),
    "CRLs as a PCCS writes them": ("sgx/phala-sgx-v3", crls_in_hexadecimal),
    "CRLs in hexadecimal under their own names": ("sgx/phala-sgx-v3", crls_in_hexadecimal_by_name),
    "CRLs in PEM": ("sgx/phala-sgx-v3", crls_in_pem),
    "collateral by other names": (
        "tdx/gotdx-v5-15",
        renamed(tcb_info="a.json", qe_identity="b.json", pck_crl="c.crl", root_ca_crl="d.crl",
                tcb_signing_chain="e.pem", pck_crl_issuer_chain="f.pem"),
    ),
    "an NVIDIA chain in DER": ("nvidia-gpu/sdk-blackwell-575.32", chain_in_der),
    "an NVIDIA chain in base64": ("nvidia-switch/sdk-switch-ls10", chain_in_base64),
    "a TPM2B_ATTEST": ("tpm/vaportpm-gcp-amd-2026", sized),
    "a TPM2B_ATTEST beside an HCL report": ("azure-snp-vtpm/trustee-genoa", sized_beside_a_report),
    "a key called ak.pem": ("tpm/vaportpm-gcp-amd-2026", renamed(ak_public="ak.pem")),
    "certificates by their places": (
        "tpm/automata-p256-quote",
        renamed(ak_chain_0="leaf.der", ak_chain_1="issuer.der", ak_chain_2="root.der"),
    ),
    "registers of several banks": ("azure-snp-vtpm/trustee-genoa", one_file_for_each_bank),
    "AMD's chain beside a vTPM's quote": ("azure-snp-vtpm/trustee-genoa", one_chain("ask.pem", "ark.pem")),
    "a log that is none beside a quote by SHA-1": ("tpm/goattestation-windows-gcp", no_boot_log),
}  # fmt: skip


@pytest.mark.parametrize(("capture", "change"), SAME.values(), ids=SAME)
def test_other_names_and_forms_are_judged_the_same(
    evidence_dir: Path, tmp_path: Path, capture: str, change: Change
) -> None:
    lines = outcome(evidence_dir / capture, tmp_path / "one", change)
    assert [line.text() for line in lines if not line.ok] == []


def test_collateral_of_which_a_part_is_missing_is_not_made_up_from_an_object(
    evidence_dir: Path, tmp_path: Path
) -> None:
    def no_root_crl(files: Files) -> Files:
        return without("collateral1/root_ca_crl", "collateral2")(files)

    first, *_ = outcome(evidence_dir / "tdx/near-2026-02", tmp_path / "one", no_root_crl)
    assert first.got.startswith("undetermined (collateral-missing")


def test_a_log_that_is_none_beside_a_genuine_quote_is_malformed(evidence_dir: Path, tmp_path: Path) -> None:
    (line,) = outcome(evidence_dir / "tpm/vaportpm-gcp-amd-2026", tmp_path / "one", no_boot_log)
    assert line.got.startswith("malformed (truncated: event log")


def test_a_leaf_without_issuers_adds_nothing_to_what_the_hardware_vouches_for(
    evidence_dir: Path, tmp_path: Path
) -> None:
    def leaf_only(files: Files) -> Files:
        return without("ak_intermediate", "ak_chain")(files)

    (line,) = outcome(evidence_dir / "azure-snp-vtpm/signal-svr2-akcert-2023", tmp_path / "one", leaf_only)
    assert line.ok, line.text()


def test_a_leaf_of_another_machine_is_refused_without_its_issuers_too(evidence_dir: Path, tmp_path: Path) -> None:
    source = evidence_dir / "azure-snp-vtpm"
    leaf = (source / "signal-svr2-akcert-2023" / "ak_cert.der").read_bytes()
    (line,) = outcome(source / "trustee-genoa", tmp_path / "one", lambda files: {**files, "ak_cert.der": leaf})
    assert line.got.startswith("unauthentic (key-not-bound")
