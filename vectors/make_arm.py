# SPDX-License-Identifier: Apache-2.0
"""Makes vectors/policy/cca and vectors/policy/psa: `python vectors/make_arm.py`."""

from __future__ import annotations

from field_vectors import Refusal, write

from enarx.evidence.endorsement import NOTHING
from enarx.platform.simulated.cca import PLATFORM_PROFILE, REALM_PROFILE, SimulatedCca
from enarx.platform.simulated.psa import PROFILE, SimulatedPsa

CHALLENGE = b"\x77" * 64
DEBUG = 0x4000
OTHER32, OTHER33, OTHER64 = "ee" * 32, "01" + "ee" * 32, "ee" * 64
SIGNER = "51" * 32


def shared(implementation: str, instance: str, profile: str, components: list[str]) -> dict[str, object]:
    """What CCA and PSA have in common, accepting the genuine token."""
    return {
        "debug": "refused",
        "lifecycle": "secured",
        "profile": [profile],
        "implementation_id": [implementation],
        "platforms": [instance],
        "components": components,
        "components_blacklist": [OTHER32],
        "signer": [SIGNER],
        "signer_blacklist": [OTHER32],
    }


def shared_refusals(debug: bytes, assembly: bytes, components: list[str]) -> dict[str, Refusal]:
    """How the common fields refuse; `debug` and `assembly` are tokens in those lifecycles."""
    return {
        "debug": Refusal("refused", "debug-enabled", {"lifecycle": "unchecked"}, debug),
        "lifecycle": Refusal("secured", "lifecycle", {}, assembly),
        "profile": Refusal(["none"], "field-not-accepted"),
        "implementation_id": Refusal([OTHER32], "generation-not-accepted"),
        "platforms": Refusal([OTHER33], "platform-not-accepted"),
        "components": Refusal(components[:1], "measurement-not-accepted"),
        "components_blacklist": Refusal(components[1:], "measurement-denied"),
        "signer": Refusal([OTHER32], "signer-not-accepted"),
        "signer_blacklist": Refusal([SIGNER], "signer-denied"),
    }


def cca() -> None:
    """Vectors of section [cca]."""
    device = SimulatedCca.made()
    components = ["21" * 32, "22" * 32]
    accepting = {
        **shared("a2" * 32, "01" + "c2" * 32, PLATFORM_PROFILE, components),
        "hash": ["31" * 32],
        "hash_blacklist": [OTHER32],
        "extensible_measurements": {"1": ["41" * 32]},
        "personalization_value": ["00" * 64],
        "configuration": ["cf" * 4],
        "realm_profile": [REALM_PROFILE],
        "hash_algorithm": ["sha-256"],
        "mec_policy": ["private"],
    }
    refusals = {
        **shared_refusals(
            device.token(CHALLENGE, lifecycle=DEBUG), device.token(CHALLENGE, lifecycle=0x1000), components
        ),
        "hash": Refusal([OTHER32], "measurement-not-accepted"),
        "hash_blacklist": Refusal(["31" * 32], "measurement-denied"),
        "extensible_measurements": Refusal({"1": ["41" * 32], "2": [OTHER32]}, "measurement-not-accepted"),
        "personalization_value": Refusal([OTHER64], "field-not-accepted"),
        "configuration": Refusal(["cfcfcfce"], "platform-configuration"),
        "realm_profile": Refusal(["none"], "field-not-accepted"),
        "hash_algorithm": Refusal(["sha-512"], "algorithm"),
        "mec_policy": Refusal(["shared", "none"], "platform-configuration"),
    }
    write("cca", device.token(CHALLENGE), NOTHING, device.anchors(), accepting, refusals)


def psa() -> None:
    """Vectors of section [psa]."""
    device = SimulatedPsa.made()
    components = ["11" * 32, "12" * 32]
    accepting = {
        **shared("a1" * 32, "01" + "c1" * 32, PROFILE, components),
        "client_id": [1],
        "certification_reference": ["1234567890123-12345"],
    }
    refusals = {
        **shared_refusals(
            device.token(CHALLENGE, lifecycle=0x5001), device.token(CHALLENGE, lifecycle=0x2000), components
        ),
        "client_id": Refusal([2], "field-not-accepted"),
        "certification_reference": Refusal(["none"], "platform-not-accepted"),
    }
    write("psa", device.token(CHALLENGE), NOTHING, device.anchors(), accepting, refusals)


if __name__ == "__main__":
    cca()
    psa()
