# SPDX-License-Identifier: Apache-2.0
"""Users, repositories, tags and nodes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the four tables."""
    _users()
    _repositories()
    _tags()
    _nodes()


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(1024), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )


def _repositories() -> None:
    op.create_table(
        "repositories",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("user_id", _KEY, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("public", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_repositories"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_repositories_user_id_users"),
        sa.UniqueConstraint("user_id", "name", name="uq_repositories_user_id_name"),
    )


def _tags() -> None:
    op.create_table(
        "tags",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("repository_id", _KEY, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("type", sa.String(255), nullable=False),
        sa.Column("package", sa.LargeBinary(32)),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("yanked", sa.Boolean, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tags"),
        sa.ForeignKeyConstraint(["repository_id"], ["repositories.id"], name="fk_tags_repository_id_repositories"),
        sa.UniqueConstraint("repository_id", "name", name="uq_tags_repository_id_name"),
    )


def _nodes() -> None:
    op.create_table(
        "nodes",
        sa.Column("tag_id", _KEY, nullable=False),
        sa.Column("path", sa.String(4351), nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
        sa.Column("length", sa.BigInteger, nullable=False),
        sa.Column("blob", sa.LargeBinary(32)),
        sa.PrimaryKeyConstraint("tag_id", "path", name="pk_nodes"),
        sa.ForeignKeyConstraint(["tag_id"], ["tags.id"], name="fk_nodes_tag_id_tags", ondelete="CASCADE"),
    )
    op.create_index("ix_nodes_blob", "nodes", ["blob"])


def downgrade() -> None:
    """Drop the four tables, newest first."""
    for table in ("nodes", "tags", "repositories", "users"):
        op.drop_table(table)
