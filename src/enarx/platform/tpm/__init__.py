# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0: commands as bytes, the device that takes them, and a software TPM for a machine without one."""
