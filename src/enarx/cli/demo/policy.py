# SPDX-License-Identifier: Apache-2.0
"""The tenant's policy of the demo, written out in full: nothing is open without the word."""

from __future__ import annotations

from collections.abc import Iterable

_TEXT = """\
# The tenant's policy. Every expectation is written out; what is left open says so.
name = "{name}"
security_version = 1
binding = "enarx-binding-1"       # evidence is tied to key, nonce, purpose and launch
freshness = "nonce"               # … and to a nonce of the verifier's own
launch_field = "required"         # HOST_DATA holds the launch digest
workload = {workload}
package_signers = "unchecked"
minimum_package_security_version = "unchecked"
revocation = "unchecked"          # a simulated vendor has no revocation service
expires = "unchecked"
composition = "required"
log = "{log}"

[snp]
hash = ["{measurement}"]
hash_blacklist = []
signer = "unchecked"
signer_blacklist = []
id_key_digest = "unchecked"
id_key_digest_blacklist = []
author_key = "unchecked"
debug = "refused"
migrate_ma = "refused"
policy_flags = "unchecked"
platform_info_flags = "unchecked"
abi = "unchecked"
firmware = "unchecked"
provisional_firmware = "refused"
vmpl = [0]
minimum_tcb = {{ milan = {{ bootloader = 3, tee = 0, snp = 8, microcode = 115 }} }}
mitigations = "unchecked"
minimum_report_version = 2
minimum_guest_svn = "unchecked"
generations = ["milan"]
platforms = "unchecked"
signing_key = ["VCEK"]
csp_id = "unchecked"
family_id = "unchecked"
image_id = "unchecked"
report_id_ma = "unchecked"
"""


def text(name: str, measurement: bytes, packages: Iterable[bytes] | None) -> str:
    """The policy that accepts one measurement, and these packages (None: any, and says so)."""
    if packages is None:
        workload = '"unchecked"'
    else:
        workload = "[" + ", ".join(f'"{package.hex()}"' for package in packages) + "]"
    # the Steward itself writes the log; whoever relies on its certificates looks into it
    log = "unchecked" if packages is None else "required"
    return _TEXT.format(name=name, measurement=measurement.hex(), workload=workload, log=log)
