# SPDX-License-Identifier: Apache-2.0
"""Alembic runs this: it migrates on the connection that `database.connect` hands over."""

from __future__ import annotations

from alembic import context

from enarx.registry.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds every step
    render_as_batch=True,
)
context.run_migrations()
