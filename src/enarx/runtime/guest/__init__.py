# SPDX-License-Identifier: Apache-2.0
"""The process in which a workload runs, beside its agent and without the agent's secrets.

Nothing here imports third-party Python, TLS or key handling: what is not loaded cannot leak.
"""
