# SPDX-License-Identifier: Apache-2.0
"""Commands as they are typed, and the Drawbridge that they speak to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.registry.conftest import TLS, drawbridge, fresh_name, provider

# pytest finds fixtures by name in this module
__all__ = ["drawbridge", "fresh_name", "provider"]


@pytest.fixture
def enarx(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Runs one command in this process: exit code, standard output and error."""
    for name in ("ENARX_CA_BUNDLE", "ENARX_INSECURE_AUTH_TOKEN", "ENARX_CREDENTIAL_HELPER", "ENARX_OIDC_DOMAIN"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, **environment: str) -> SimpleNamespace:
        from enarx.cli.main import main

        capfdbinary.readouterr()
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            code = main([str(one) for one in arguments])
        out, err = capfdbinary.readouterr()
        return SimpleNamespace(code=code, raw=out, out=out.decode("utf-8", "replace"), err=err.decode())

    return run


@pytest.fixture
def store(enarx: Callable[..., Any], drawbridge: Any, tmp_path: Path, fresh_name: Any) -> SimpleNamespace:
    """A user of the Drawbridge, and the options that reach it as that user."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(TLS.cert_pem.bytes())
    environment = {"ENARX_CA_BUNDLE": str(ca), "ENARX_INSECURE_AUTH_TOKEN": "alice-token"}
    user = f"{drawbridge.host}/{fresh_name()}"
    return SimpleNamespace(user=user, host=drawbridge.host, environment=environment, ca=ca)


@pytest.fixture
def module() -> bytes:
    """The smallest command: it exports `_start`, which does nothing."""
    return bytes.fromhex(
        "0061736d01000000"  # magic, version
        "010401600000"  # type () -> ()
        "03020100"  # one function of it
        "070a01065f73746172740000"  # exported as _start
        "0a040102000b"  # which returns
    )


@pytest.fixture
def folder(tmp_path: Path, module: bytes) -> Path:
    """A package: module, Enarx.toml, and a file in a folder."""
    made = tmp_path / "app"
    (made / "data").mkdir(parents=True)
    (made / "main.wasm").write_bytes(module)
    (made / "Enarx.toml").write_text('[[files]]\nkind = "stdout"\n')
    (made / "data" / "table.bin").write_bytes(bytes(range(256)))
    return made
