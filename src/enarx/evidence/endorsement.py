# SPDX-License-Identifier: Apache-2.0
"""Endorsements as they arrive: bytes from anyone, believed only after authentication.

A caller, the evidence itself, a cache or a vendor's server may supply them; where they came
from makes no difference to the judge.
"""

from __future__ import annotations

import msgspec


class IntelCollateral(msgspec.Struct, frozen=True):
    """What Intel PCS v3/v4 answers for one platform; the JSON documents are the bytes received.

    tcb_info      `{"tcbInfo":…,"signature":…}`
    tcb_chain     TCB-Info-Issuer-Chain, PEM
    qe_identity   `{"enclaveIdentity":…,"signature":…}`
    qe_chain      Enclave-Identity-Issuer-Chain, PEM
    pck_crl       DER (or PEM) of the PCK platform or processor CA's CRL
    pck_crl_chain SGX-PCK-CRL-Issuer-Chain, PEM
    root_crl      DER of the root CA's CRL
    """

    tcb_info: bytes
    tcb_chain: bytes
    qe_identity: bytes
    qe_chain: bytes
    pck_crl: bytes
    pck_crl_chain: bytes
    root_crl: bytes


class Endorsements(msgspec.Struct, frozen=True):
    """Everything that might vouch for a piece of evidence.

    certificates  DER, in no particular order: VCEK, ASK, EK, AK chains, device certificates
    crls          DER
    intel         Intel collateral, or None: there is none and none may be fetched here
    rims          NVIDIA reference integrity manifests (XML), or CoRIM bytes
    ocsp          OCSP responses, DER
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    intel: IntelCollateral | None = None
    rims: tuple[bytes, ...] = ()
    ocsp: tuple[bytes, ...] = ()


NOTHING = Endorsements()
