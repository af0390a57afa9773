# SPDX-License-Identifier: Apache-2.0
"""The interfaces of WASI 0.2, one file a package. Source: the WIT files of wasi:* 0.2."""
