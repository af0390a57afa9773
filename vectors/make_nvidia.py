# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/nvidia-gpu and vectors/policy/nvidia-switch: `python vectors/make_nvidia.py`."""

from __future__ import annotations

import msgspec
from cryptography.x509 import ReasonFlags, ocsp
from field_vectors import WHEN, Refusal, write

from enarx.codec.x509 import Certificate
from enarx.evidence.kind import Kind
from enarx.evidence.nvidia_identity import device_of
from enarx.platform.simulated.nvidia import DRIVER, FWID, VBIOS, SimulatedNvidia, default_blocks

NONCE = b"\x77" * 32
OTHER = "ee" * 48


def common(device: SimulatedNvidia, architecture: str) -> tuple[dict[str, object], dict[str, Refusal]]:
    """What GPUs and switches have in common: values that accept, and how each field refuses."""
    identity = device_of(Certificate(device.certificates[0]))
    first = default_blocks(1)[0].hex()
    genuine = device.endorsements(WHEN)
    without = msgspec.structs.replace(genuine, rims=())
    revoked = device.ocsp(WHEN, status=ocsp.OCSPCertStatus.REVOKED, reason=ReasonFlags.certificate_hold)
    held = msgspec.structs.replace(genuine, ocsp=revoked)
    blocks = default_blocks(64 if device.kind is Kind.NVIDIA_GPU else 31)
    other = msgspec.structs.replace(genuine, rims=device.rims((bytes(48), *blocks[1:])))
    accepting: dict[str, object] = {
        "debug": "refused",
        "rim": "required",
        "ocsp": "good",
        "vbios_versions": [VBIOS],
        "minimum_vbios_version": VBIOS,
        "platforms": [identity.ueid],
        "architectures": [architecture],
        "firmware_id": [FWID.hex()],
        "measurements": {"1": [first]},
        "measurements_blacklist": [OTHER],
    }
    refusals = {
        "debug": Refusal("refused", "reference-missing", {"rim": "unchecked"}, None, without),
        "rim": Refusal("required", "measurement-not-accepted", {"debug": "unchecked"}, None, other),
        "ocsp": Refusal("good", "revoked", {"rim": "unchecked"}, None, held),
        "vbios_versions": Refusal(["96.00.9F.00.02"], "field-not-accepted"),
        "minimum_vbios_version": Refusal("96.00.9F.00.02", "version-too-low"),
        "platforms": Refusal(["1", "ee" * 8], "platform-not-accepted"),
        "architectures": Refusal(["blackwell"], "generation-not-accepted"),
        "firmware_id": Refusal([OTHER], "signer-not-accepted"),
        "measurements": Refusal({"1": [first], "2": [OTHER]}, "measurement-not-accepted"),
        "measurements_blacklist": Refusal([first], "measurement-denied"),
    }
    return accepting, refusals


def gpu() -> None:
    """Vectors of section [nvidia-gpu]."""
    device = SimulatedNvidia.made(WHEN)
    accepting, refusals = common(device, "hopper")
    accepting |= {"driver_versions": [DRIVER], "minimum_driver_version": "550.54.14", "modes": ["spt"]}
    refusals |= {
        "driver_versions": Refusal(["570.124.06"], "field-not-accepted"),
        "minimum_driver_version": Refusal("550.127.5", "version-too-low"),
        "modes": Refusal(["ppcie", "mpt", "none"], "platform-configuration"),
    }
    write("nvidia-gpu", device.report(NONCE), device.endorsements(WHEN), device.anchors(), accepting, refusals)


def switch() -> None:
    """Vectors of section [nvidia-switch]."""
    device = SimulatedNvidia.made(WHEN, Kind.NVIDIA_SWITCH)
    accepting, refusals = common(device, "nvswitch")
    accepting |= {"lock": "required"}
    unlocked = device.report(NONCE, f25=b"\x00\x00")
    refusals |= {"lock": Refusal("required", "platform-configuration", {}, unlocked)}
    write("nvidia-switch", device.report(NONCE), device.endorsements(WHEN), device.anchors(), accepting, refusals)


if __name__ == "__main__":
    gpu()
    switch()
