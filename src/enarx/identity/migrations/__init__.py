# SPDX-License-Identifier: Apache-2.0
"""How the Steward's database came to be what it is, step by step (Alembic)."""
