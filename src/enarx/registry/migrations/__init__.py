# SPDX-License-Identifier: Apache-2.0
"""How the catalog's tables came to be, one step a file (Alembic)."""
