# SPDX-License-Identifier: Apache-2.0
"""The Steward's tables: one description for SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text, event
from sqlalchemy.schema import DDL

METADATA = MetaData()

NONCE = Table(
    "nonce",
    METADATA,
    Column("nonce", LargeBinary, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("policy", String(255), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("launch", LargeBinary, nullable=False),
    Column("expires", Float, nullable=False),
    # Which run of the database this nonce belongs to: rows of a restored copy belong to another one.
    Column("incarnation", Text, nullable=False),
    Index("nonce_expires", "expires"),
)
"""Outstanding nonces. On PostgreSQL the table is unlogged: a crash or a physical restore empties it."""
_UNLOGGED: Any = DDL  # the library leaves it untyped
event.listen(NONCE, "after_create", _UNLOGGED("ALTER TABLE nonce SET UNLOGGED").execute_if(dialect="postgresql"))

ENTRY = Table(
    "log_entry",
    METADATA,
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Index("log_entry_leaf", "leaf"),
)
"""The issuance log's entries, in order."""

ISSUED = Table(
    "issued",
    METADATA,
    Column("serial", LargeBinary, primary_key=True),
    Column("tenant", String(63), nullable=False),
    Column("policy", String(255), nullable=False),
    Column("time", Float, nullable=False),
    Column("until", Float, nullable=False),
    Column("technology", String(255), nullable=False),
    Column("measurement", Text, nullable=False),
    Column("package", LargeBinary, nullable=False),
    Column("launch", LargeBinary, nullable=False),
    Column("platform", Text, nullable=False),
    Column("revoked", Float, nullable=True),
    Column("reason", Integer, nullable=True),
    Index("issued_until", "until"),
)
"""Certificates by serial number: what they rest on, and whether they were revoked (RFC 5280 section 5.3.1)."""

NODE = Table(
    "log_node",
    METADATA,
    Column("level", Integer, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("hash", LargeBinary, nullable=False),
)
"""Hashes of full subtrees of 256, 65536, … leaves: the entries of the tiles above the lowest."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("policy", String(255), nullable=False),
    Column("technology", String(255), nullable=False),
    Column("family", String(32), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("request", String(64), nullable=False),
    Index("audit_tenant", "tenant", "id"),
)
"""The last refusals, a bounded number of each tenant's: strangers can cause them, and must not fill a disk."""

RECENT = Table(
    "recent",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("time", Float, nullable=False),
    Column("tenant", String(63), nullable=False),
    Column("policy", String(255), nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("recent_tenant", "tenant", "id"),
)
"""The last requests that spent a nonce, a bounded number: what a policy is tried on before it is used."""

POLICY = Table(
    "policy",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("tenant", String(63), nullable=False),
    Column("name", String(255), nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("terms", LargeBinary, nullable=False),
    Column("proposed_by", String(63), nullable=False),
    Column("proposed", Float, nullable=False),
    Column("approved_by", String(255), nullable=False),
    Column("since", Float, nullable=True),
    Column("until", Float, nullable=True),
    Index("policy_name", "tenant", "name"),
)
"""Every version of every policy: who proposed and approved it, and from when until when it accepts."""

TREE = Table(
    "log_tree",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Column("time", Float, nullable=False),
)
"""One row: how many entries, the roots of the perfect subtrees they make, and the time of the last."""
