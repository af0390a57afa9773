# SPDX-License-Identifier: Apache-2.0
"""Asking the vendors for endorsements, and keeping their answers."""
