# SPDX-License-Identifier: Apache-2.0
"""`--tenants FILE`: whom one Steward serves, `[[tenant]]` by `[[tenant]]`; paths are relative to the file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec

from enarx.cli.anchors import anchors
from enarx.cli.files import read
from enarx.codec import toml
from enarx.errors import Misused, Reason
from enarx.identity.settings import TenantSettings

_LIMIT = 1 << 20
Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$")]
Host = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?$")]


class _Tenant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tenant; the keys mean what the options of `enarx steward serve` do."""

    name: Name
    hosts: Annotated[tuple[Host, ...], msgspec.Meta(min_length=1)]
    trust_domain: str
    crt: str
    key: str
    key_passphrase_file: str = ""
    policies: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    anchors: str = ""
    unsafe_anchors: bool = False
    administrators: str = ""
    persons: Annotated[int, msgspec.Meta(ge=1, le=2)] = 1
    san: tuple[str, ...] = ()
    lifetime_hours: Annotated[float, msgspec.Meta(gt=0)] = 24.0
    url: str = ""
    legacy_policy: str = ""
    legacy_crt: str = ""
    legacy_key: str = ""
    legacy_intermediates: str = ""

    def settings(self, folder: Path) -> TenantSettings:
        """As the Steward takes them."""

        def path(said: str) -> Path | None:
            return folder / said if said else None

        return TenantSettings(
            name=self.name,
            hosts=self.hosts,
            trust_domain=self.trust_domain,
            certificate=folder / self.crt,
            key=Path(self.key) if self.key.startswith("pkcs11:") else folder / self.key,
            passphrase=path(self.key_passphrase_file),
            anchors=anchors(path(self.anchors), unsafe=self.unsafe_anchors),
            policies=tuple(folder / one for one in self.policies),
            dns=self.san,
            lifetime=timedelta(hours=self.lifetime_hours),
            url=self.url.rstrip("/"),
            administrators=path(self.administrators),
            persons=self.persons,
            legacy_policy=path(self.legacy_policy),
            legacy_certificate=path(self.legacy_crt),
            legacy_key=path(self.legacy_key),
            legacy_intermediates=path(self.legacy_intermediates),
        )


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tenant: Annotated[tuple[_Tenant, ...], msgspec.Meta(min_length=1)]


def load(file: Path) -> tuple[TenantSettings, ...]:
    """The tenants of a file; `Misused` with the key that is wrong."""
    _, table = toml.parse(read(file, limit=_LIMIT), str(file))
    try:
        found = msgspec.convert(table, _File).tenant
    except msgspec.ValidationError as error:
        raise Misused(Reason.SYNTAX, f"{file}: {error}", hint="see docs/steward/tenants.md") from None
    return tuple(one.settings(file.parent) for one in found)
