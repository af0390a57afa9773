"""Keeps are found while their launchers live, and not a moment longer."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from enarx.errors import EnarxError, Misused, Reason
from enarx.platform import keeps
from enarx.platform.keeps import Announced


def test_a_keep_is_listed_while_it_is_announced_and_answers() -> None:
    stopped = threading.Event()
    with Announced(inspect=lambda: {"backend": "tcg"}, logs=lambda: "console", stop=stopped.set) as announced:
        assert announced.keep in keeps.listed()
        assert {"backend": "tcg"} == keeps.ask(announced.keep, "inspect")
        assert "console" == keeps.ask(announced.keep, "logs")
        keeps.ask(announced.keep, "stop")
        assert stopped.wait(60)
    assert announced.keep not in keeps.listed()


@pytest.mark.parametrize("keep", ["00000000", "../etc", "", "zzzzzzzz"])
def test_a_keep_that_is_not_there_is_named(keep: str) -> None:
    with pytest.raises(Misused) as caught:
        keeps.ask(keep, "inspect")
    assert caught.value.reason in {Reason.NOT_FOUND, Reason.UNKNOWN_VALUE}


def test_a_launcher_that_was_killed_is_gone_from_the_list() -> None:
    program = (
        "import time\nfrom enarx.platform.keeps import Announced\n"
        "with Announced(inspect=dict, logs=str, stop=print) as one:\n    print(one.keep, flush=True)\n    time.sleep(60)"
    )
    launcher = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    keep = (launcher.stdout.readline() if launcher.stdout else "").strip()
    assert keep in keeps.listed()
    launcher.kill()
    launcher.communicate()
    assert keep not in keeps.listed()


def test_a_launcher_that_does_not_understand_is_undetermined_not_a_crash() -> None:
    with (
        Announced(inspect=dict, logs=lambda: "x" * (2 << 20), stop=lambda: None) as announced,
        pytest.raises(EnarxError) as caught,
    ):
        keeps.ask(announced.keep, "logs")
    assert Reason.UNEXPECTED_ANSWER == caught.value.reason
