# SPDX-License-Identifier: Apache-2.0
"""Repositories at the command line."""

from __future__ import annotations

import json
from typing import Any


def test_a_repository_is_public_unless_said(enarx: Any, store: Any) -> None:
    enarx("user", "register", store.user, "--subject", "alice", **store.environment)
    for name, options, public in (("one", (), True), ("two", ("--private",), False)):
        spec = f"{store.user}/{name}"
        assert enarx("repo", "info", spec, **store.environment).code == 1
        said = enarx("repo", "register", spec, *options, "--json", **store.environment)
        assert (said.code, json.loads(said.out)) == (0, {"public": public})
        seen = enarx("repo", "info", spec, **store.environment)
        assert seen.out == f'{{"config":{{"public":{str(public).lower()}}},"tags":[]}}\n'
        again = enarx("repo", "register", spec, *options, **store.environment)
        assert (again.code, again.err) == (1, f"enarx: already-exists: {store.host}: Already exists\n")


def test_a_name_that_is_none(enarx: Any) -> None:
    said = enarx("repo", "info", "a/b_c")
    assert (said.code, said.err.splitlines()[0]) == (2, "enarx: syntax: 'a/b_c': not of the form [HOST/]USER/REPO")
