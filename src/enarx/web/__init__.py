# SPDX-License-Identifier: Apache-2.0
"""What every service shares: limits, problem documents, request ids, metrics, TLS with peer certificates."""
