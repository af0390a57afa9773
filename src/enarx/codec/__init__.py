# SPDX-License-Identifier: Apache-2.0
"""Bytes in, values out, nothing left over."""
