# SPDX-License-Identifier: Apache-2.0
"""The evidence devices of a machine that a TEE protects, as Linux shows them to its user space."""
