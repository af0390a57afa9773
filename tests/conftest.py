"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.parts import unavailable

ROOT = Path(__file__).resolve().parent.parent

# how long an example takes depends on who else is using the machine, and says nothing of the code
settings.register_profile("enarx", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("enarx")


@pytest.fixture(scope="session")
def evidence_dir() -> Path:
    """The folder of captured evidence."""
    folder = Path(os.environ.get("ENARX_EVIDENCE", ROOT.parent / "shared" / "evidence"))
    if not folder.is_dir():
        unavailable("the folder of captured evidence")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)
