# SPDX-License-Identifier: Apache-2.0
"""Simulated TEEs: evidence in each vendor's exact format, signed by a test root made for one run."""
