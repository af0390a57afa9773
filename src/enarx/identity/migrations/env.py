# SPDX-License-Identifier: Apache-2.0
"""Runs migrations on the connection that `enarx.identity.store` has opened and locked."""

from __future__ import annotations

from alembic import context

from enarx.identity.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
