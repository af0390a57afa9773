# SPDX-License-Identifier: Apache-2.0
"""The tables of the catalog. The bytes themselves lie in the blob store under their SHA-256.

A node's row is written when its directory arrives, with what the directory says of it and no
blob; the upload fills the blob in. A tag is whole when no row of it lacks its blob.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
_KEY = BigInteger().with_variant(Integer, "sqlite")

users = Table(
    "users",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("name", String(255), nullable=False, unique=True),
    Column("subject", String(1024), nullable=False),
)

repositories = Table(
    "repositories",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("public", Boolean, nullable=False),
    UniqueConstraint("user_id", "name"),
)

tags = Table(
    "tags",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("repository_id", ForeignKey("repositories.id"), nullable=False),
    Column("name", String(255), nullable=False),
    Column("content", LargeBinary, nullable=False),  # entry or JWS, as received
    Column("type", String(255), nullable=False),
    Column("package", LargeBinary(32)),  # the package's digest, from its root
    Column("whole", Boolean, nullable=False),
    Column("yanked", Boolean, nullable=False),
    Column("created", DateTime(timezone=True), nullable=False),
    UniqueConstraint("repository_id", "name"),
)

nodes = Table(
    "nodes",
    metadata,
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
    Column("path", String(4351), primary_key=True),  # 16 names of 255 bytes; "" is the root
    Column("entry", LargeBinary, nullable=False),  # what the directory above, or the tag, says
    Column("length", BigInteger, nullable=False),
    Column("blob", LargeBinary(32), index=True),  # SHA-256, once the bytes are here
)
