# SPDX-License-Identifier: Apache-2.0
"""`/sealed`: files that outlive the Keep on a host that can neither read nor change them (docs/formats/sealed.md)."""
