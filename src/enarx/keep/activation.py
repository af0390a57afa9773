# SPDX-License-Identifier: Apache-2.0
"""How a Keep shows that its attestation key is in the TPM whose endorsement key is certified.

The certificate beside a quote proves nothing; a credential that the Steward makes for both keys, and
that the TPM opens, does (TPM 2.0 Library, Part 1, section 24).
"""

from __future__ import annotations

from enarx.identity.client import StewardClient
from enarx.identity.message import Activation
from enarx.keep.device import Device, TpmDevice


def activated(device: Device, steward: StewardClient, nonce: bytes) -> Activation | None:
    """The answer to the Steward's credential; None where there is no TPM, or none with a certificate.

    Without one the Steward has nobody to believe for the key, and says so.
    """
    if not isinstance(device, TpmDevice) or (endorsement := device.endorsement()) is None:
        return None
    answer = steward.credential(
        nonce,
        ek_certificates=(endorsement.certificate,),
        ek_public=endorsement.ek_public,
        ak_public=endorsement.ak_public,
    )
    secret = device.activate(endorsement, answer.credential_blob, answer.encrypted_secret)
    return Activation(handle=answer.handle, secret=secret)
