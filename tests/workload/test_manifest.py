# SPDX-License-Identifier: Apache-2.0
"""Enarx.toml as upstream defines it, and refusals that point at the place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.errors import Misused, Reason
from enarx.workload.manifest import (
    DEFAULT,
    Connect,
    Limits,
    Listen,
    Manifest,
    Network,
    Null,
    Rule,
    Stderr,
    Stdin,
    Stdout,
    Trust,
    parse,
)


def refusal(text: str) -> tuple[Reason, str]:
    with pytest.raises(Misused) as caught:
        parse(text.encode())
    return caught.value.reason, caught.value.subject


def test_every_kind_of_file_is_read_with_upstreams_defaults() -> None:
    text = """
steward = "https://steward.example"
args = ["a", "b"]

[env]
A = "1"

[[files]]
kind = "null"
[[files]]
kind = "stdin"
[[files]]
kind = "stdout"
name = "out"
[[files]]
kind = "stderr"
[[files]]
kind = "listen"
prot = "tcp"
name = "plain"
[[files]]
kind = "listen"
prot = "tls"
name = "secure"
addr = "127.0.0.1"
port = 8443
[[files]]
kind = "connect"
prot = "tls"
host = "example.com"
[[files]]
kind = "connect"
prot = "tcp"
host = "example.com"
name = "peer"
"""
    expected = Manifest(
        steward="https://steward.example",
        args=("a", "b"),
        env={"A": "1"},
        files=(
            Null("null"),
            Stdin("stdin", "host"),
            Stdout("out"),
            Stderr("stderr"),
            Listen("plain", 80, "tcp", "::"),
            Listen("secure", 8443, "tls", "127.0.0.1"),
            Connect("example.com", "example.com", 443, "tls"),
            Connect("peer", "example.com", 80, "tcp"),
        ),
    )
    assert expected == parse(text.encode())


def test_no_file_at_all_means_the_three_standard_streams() -> None:
    assert (Stdin(), Stdout(), Stderr()) == DEFAULT.files


def test_a_manifest_without_files_has_none() -> None:
    assert parse(b"").files == ()


def test_a_missing_prot_is_tls() -> None:
    text = b'[[files]]\nkind = "listen"\nname = "web"\n[[files]]\nkind = "connect"\nhost = "h"'
    assert (Listen("web", 443), Connect("h", "h", 443)) == parse(text).files


def test_stdin_may_be_a_file_of_the_package() -> None:
    manifest = parse(b'[[files]]\nkind = "stdin"\nsource = "lib/script.py"')
    assert (manifest.sources, manifest.input_from_host) == (("lib/script.py",), False)
    assert parse(b'[[files]]\nkind = "stdin"').input_from_host


def test_limits_and_network_are_read() -> None:
    text = b"""
[limits]
memory = 1048576
cpu_seconds = 5
[network.incoming.default]
prot = "tcp"
[network.incoming.8080]
[network.outgoing."example.com:443"]
prot = "tls"
"""
    manifest = parse(text)
    assert Limits(memory=1 << 20, cpu_seconds=5) == manifest.limits
    rules = Network({"default": Rule("tcp"), "8080": Rule("tls")}, {"example.com:443": Rule("tls")})
    assert rules == manifest.network


def test_whom_tls_trusts_is_read() -> None:
    digest = "ab" * 32
    text = f"""
[[files]]
kind = "listen"
name = "web"
clients = "optional"
workloads = ["{digest}"]
[[files]]
kind = "connect"
host = "h"
roots = "ca.pem"
[network.outgoing.h]
workloads = ["{digest}"]
"""
    manifest = parse(text.encode())
    web = Listen("web", 443, trust=Trust(clients="optional", workloads=(digest,)))
    assert (web, Connect("h", "h", 443, trust=Trust("ca.pem"))) == manifest.files
    assert {"h": Rule(trust=Trust(workloads=(digest,)))} == manifest.network.outgoing
    assert ("ca.pem",) == manifest.sources


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[[files]]\nkind = "connect"\nhost = "h"\nclients = "none"', (Reason.UNKNOWN_KEY, "Enarx.toml:4:1: unknown key 'clients'")),
        ('[network.incoming.80]\nkind = "x"', (Reason.UNKNOWN_KEY, "Enarx.toml:2:1: unknown key 'kind'")),
        ('[[files]]\nkind = "connect"\nhost = "h"\nprot = "tcp"\nroots = "a"', (Reason.INCONSISTENT, "Enarx.toml:1:1: roots, clients and workloads")),
        ('[[files]]\nkind = "connect"\nhost = "h"\nroots = "/a"', (Reason.UNKNOWN_VALUE, "Enarx.toml:4:1: roots '/a'")),
        ('[[files]]\nkind = "connect"\nhost = "h"\nworkloads = ["AB"]', (Reason.UNKNOWN_VALUE, "Enarx.toml:4:14: workloads[0] is no SHA-256")),
        ("args = [\n  1\n]", (Reason.WRONG_TYPE, "Enarx.toml:2:3: args[0] is an integer, expected a string")),
        ("a = 1", (Reason.UNKNOWN_KEY, "Enarx.toml:1:1: unknown key 'a', expected one of steward, args, env, files")),
        ('[[files]]\nkind = "stdin"\n\n[[files]]\nkind = "disk"', (Reason.UNKNOWN_VALUE, "Enarx.toml:5:1: kind is 'disk'")),
        ('files = [{kind = "null"}, {kind = "null", x = 1}]', (Reason.UNKNOWN_KEY, "Enarx.toml:1:43: unknown key 'x'")),
        ('[[files]]\nkind = "null"\n  name = "a:b"', (Reason.UNKNOWN_VALUE, "Enarx.toml:3:3: file name 'a:b' must not contain ':'")),
        ('[[files]]\nkind = "listen"\nprot = "tcp"', (Reason.MISSING, "Enarx.toml:1:1: a listen file without 'name'")),
        ('[[files]]\nkind = "connect"\nprot = "udp"\nhost = "h"', (Reason.UNKNOWN_VALUE, "Enarx.toml:3:1: prot is 'udp'")),
        ('[[files]]\nkind = "connect"\nhost = "h"\nport = 70000', (Reason.UNKNOWN_VALUE, "Enarx.toml:4:1: port 70000 does not exist")),
        ('[[files]]\nkind = "connect"\nhost = "h"\nport = true', (Reason.WRONG_TYPE, "Enarx.toml:4:1: 'port' is a boolean, expected an integer")),
        ('[[files]]\nkind = "connect"\nhost = "::1"', (Reason.UNKNOWN_VALUE, "Enarx.toml:3:1: host '::1' holds ':'")),
        ('[[files]]\nkind = "stdin"\nsource = "../x"', (Reason.UNKNOWN_VALUE, "Enarx.toml:3:1: source '../x'")),
        ("x =", (Reason.SYNTAX, "Enarx.toml: invalid value at the end")),
        ("[env]\nA = 1", (Reason.WRONG_TYPE, "Enarx.toml:2:1: 'A' is an integer, expected a string")),
        ('[env]\n"a=b" = "1"', (Reason.UNKNOWN_VALUE, "Enarx.toml:2:1: 'a=b' names no variable")),
        ("[limits]\nmemory = 0", (Reason.UNKNOWN_VALUE, "Enarx.toml:2:1: memory must be positive")),
        ("[network.incoming.web]", (Reason.UNKNOWN_VALUE, "Enarx.toml:1:1: 'web' is neither a port nor 'default'")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_place(text: str, expected: tuple[Reason, str]) -> None:
    reason, subject = refusal(text)
    assert expected == (reason, subject[: len(expected[1])])


def test_bytes_that_are_not_utf_8_are_refused() -> None:
    with pytest.raises(Misused) as caught:
        parse(b"args = ['\xff']")
    assert caught.value.subject == "Enarx.toml: not UTF-8 at byte 9"


@given(st.text(alphabet='[]files.kind="stdinlisten\n =#{},0', max_size=80))
def test_no_text_is_refused_in_another_way(text: str) -> None:
    try:
        parse(text.encode())
    except Misused as error:
        assert error.subject.startswith("Enarx.toml:")
