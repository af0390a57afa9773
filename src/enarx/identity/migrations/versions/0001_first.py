# SPDX-License-Identifier: Apache-2.0
"""The first tables: nonces, log, certificates, refusals, policies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make them."""
    _nonces()
    _log()
    _certificates()
    _policies()


def downgrade() -> None:
    """Remove them; an issuance log is not something to remove, so this is for tests."""
    for table in ("policy", "recent", "audit", "issued", "log_tree", "log_node", "log_entry", "nonce"):
        op.drop_table(table)


def _nonces() -> None:
    op.create_table(
        "nonce",
        sa.Column("nonce", sa.LargeBinary, primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("policy", sa.String(255), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("launch", sa.LargeBinary, nullable=False),
        sa.Column("expires", sa.Float, nullable=False),
        sa.Column("incarnation", sa.Text, nullable=False),
    )
    op.create_index("nonce_expires", "nonce", ["expires"])
    if op.get_context().dialect.name == "postgresql":
        # a crash or a physical restore empties it: no nonce comes back
        op.execute("ALTER TABLE nonce SET UNLOGGED")


def _log() -> None:
    op.create_table(
        "log_entry",
        sa.Column("position", _BIG, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("entry", sa.LargeBinary, nullable=False),
    )
    op.create_index("log_entry_leaf", "log_entry", ["leaf"])
    op.create_table(
        "log_node",
        sa.Column("level", sa.Integer, primary_key=True),
        sa.Column("position", sa.BigInteger, primary_key=True),
        sa.Column("hash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "log_tree",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("peaks", sa.LargeBinary, nullable=False),
        sa.Column("time", sa.Float, nullable=False),
    )


def _certificates() -> None:
    op.create_table(
        "issued",
        sa.Column("serial", sa.LargeBinary, primary_key=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("policy", sa.String(255), nullable=False),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("until", sa.Float, nullable=False),
        sa.Column("technology", sa.String(255), nullable=False),
        sa.Column("measurement", sa.Text, nullable=False),
        sa.Column("package", sa.LargeBinary, nullable=False),
        sa.Column("launch", sa.LargeBinary, nullable=False),
        sa.Column("platform", sa.Text, nullable=False),
        sa.Column("revoked", sa.Float, nullable=True),
        sa.Column("reason", sa.Integer, nullable=True),
    )
    op.create_index("issued_until", "issued", ["until"])
    op.create_table(
        "audit",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("policy", sa.String(255), nullable=False),
        sa.Column("technology", sa.String(255), nullable=False),
        sa.Column("family", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("request", sa.String(64), nullable=False),
    )


def _policies() -> None:
    op.create_table(
        "recent",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("time", sa.Float, nullable=False),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("policy", sa.String(255), nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "policy",
        sa.Column("id", _BIG, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.String(63), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sa.Column("terms", sa.LargeBinary, nullable=False),
        sa.Column("proposed_by", sa.String(63), nullable=False),
        sa.Column("proposed", sa.Float, nullable=False),
        sa.Column("approved_by", sa.String(255), nullable=False),
        sa.Column("since", sa.Float, nullable=True),
        sa.Column("until", sa.Float, nullable=True),
    )
    op.create_index("policy_name", "policy", ["tenant", "name"])
