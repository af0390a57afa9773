# SPDX-License-Identifier: Apache-2.0
"""The wasm engine behind the few calls of its C interface that a Keep makes."""
