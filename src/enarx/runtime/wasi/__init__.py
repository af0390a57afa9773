# SPDX-License-Identifier: Apache-2.0
"""WASI preview 1 as host functions of our own: every guest pointer passes `memory.at`."""
