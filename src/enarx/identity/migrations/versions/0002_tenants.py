# SPDX-License-Identifier: Apache-2.0
"""The last refusals and requests of one tenant are found without reading those of all."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the indexes."""
    op.create_index("audit_tenant", "audit", ["tenant", "id"])
    op.create_index("recent_tenant", "recent", ["tenant", "id"])


def downgrade() -> None:
    """Remove them."""
    op.drop_index("recent_tenant", "recent")
    op.drop_index("audit_tenant", "audit")
