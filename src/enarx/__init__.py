# SPDX-License-Identifier: Apache-2.0
"""Keeps: programs that run where nobody can look inside, and prove it."""
