# SPDX-License-Identifier: Apache-2.0
"""`wasi:cli`: arguments, environment, standard streams, terminals, and the end of the program."""
# ruff: noqa: D102 - the functions are the specification's

from __future__ import annotations

from enarx.runtime.component.interface import Interface, wit
from enarx.runtime.component.launch import Launch
from enarx.runtime.component.streams import DescriptorInput, DescriptorOutput, InputStream, OutputStream
from enarx.runtime.component.types import STRING, U8, Err, List, Ok, Option, Own, Result, Tuple
from enarx.runtime.wasi import rights
from enarx.runtime.wasi.process import Ended

RUN = "wasi:cli/run"
PAIRS = List(Tuple(STRING, STRING))
STDIN, STDOUT, STDERR = 0, 1, 2


class Terminal:
    """`terminal-input` and `terminal-output`: that there is one is all that can be known."""

    def drop(self) -> None:
        """Nothing is held."""


def _output(launch: Launch, number: int) -> OutputStream:
    """A file of the manifest's that can be written; else one that is closed."""
    shared = launch.standing(number, rights.FD_WRITE)
    return DescriptorOutput(shared) if shared else OutputStream()


def _terminal(launch: Launch, number: int) -> Terminal | None:
    """Whether a standard stream is a character device, as preview 1 would call it."""
    descriptor = launch.table.open.get(number)
    return Terminal() if descriptor is not None and descriptor.filetype == rights.CHARACTER_DEVICE else None


class Environment(Interface):
    """`wasi:cli/environment`."""

    name = "wasi:cli/environment"

    @wit("get-environment", returns=PAIRS)
    def get_environment(self) -> list[tuple[str, str]]:
        return self.launch.env

    @wit("get-arguments", returns=List(STRING))
    def get_arguments(self) -> list[str]:
        return self.launch.args

    @wit("initial-cwd", returns=Option(STRING))
    def initial_cwd(self) -> str | None:
        return None


class Exit(Interface):
    """`wasi:cli/exit`."""

    name = "wasi:cli/exit"

    @wit("exit", Result())
    def exit(self, status: Ok | Err) -> None:
        raise Ended(int(isinstance(status, Err)))

    @wit("exit-with-code", U8)
    def exit_with_code(self, code: int) -> None:
        raise Ended(code)


class Stdin(Interface):
    """`wasi:cli/stdin`."""

    name = "wasi:cli/stdin"

    @wit("get-stdin", returns=Own("input-stream"))
    def get_stdin(self) -> InputStream:
        shared = self.launch.standing(STDIN, rights.FD_READ)
        return DescriptorInput(shared) if shared else InputStream()


class Stdout(Interface):
    """`wasi:cli/stdout`."""

    name = "wasi:cli/stdout"

    @wit("get-stdout", returns=Own("output-stream"))
    def get_stdout(self) -> OutputStream:
        return _output(self.launch, STDOUT)


class Stderr(Interface):
    """`wasi:cli/stderr`."""

    name = "wasi:cli/stderr"

    @wit("get-stderr", returns=Own("output-stream"))
    def get_stderr(self) -> OutputStream:
        return _output(self.launch, STDERR)


class TerminalInput(Interface):
    """`wasi:cli/terminal-input`."""

    name = "wasi:cli/terminal-input"
    resources = ("terminal-input",)


class TerminalOutput(Interface):
    """`wasi:cli/terminal-output`."""

    name = "wasi:cli/terminal-output"
    resources = ("terminal-output",)


class TerminalStdin(Interface):
    """`wasi:cli/terminal-stdin`."""

    name = "wasi:cli/terminal-stdin"

    @wit("get-terminal-stdin", returns=Option(Own("terminal-input")))
    def get_terminal_stdin(self) -> Terminal | None:
        return _terminal(self.launch, STDIN)


class TerminalStdout(Interface):
    """`wasi:cli/terminal-stdout`."""

    name = "wasi:cli/terminal-stdout"

    @wit("get-terminal-stdout", returns=Option(Own("terminal-output")))
    def get_terminal_stdout(self) -> Terminal | None:
        return _terminal(self.launch, STDOUT)


class TerminalStderr(Interface):
    """`wasi:cli/terminal-stderr`."""

    name = "wasi:cli/terminal-stderr"

    @wit("get-terminal-stderr", returns=Option(Own("terminal-output")))
    def get_terminal_stderr(self) -> Terminal | None:
        return _terminal(self.launch, STDERR)
