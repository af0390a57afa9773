# SPDX-License-Identifier: Apache-2.0
"""Packages in a real OCI registry (Debian's docker-registry), over TLS, with and without a login."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Misused, Reason, Unacceptable, Unauthentic
from enarx.registry import oci
from enarx.registry.connection import client_context
from enarx.registry.oci_client import OciRegistry
from enarx.workload.package import Package, bare, build
from tests.parts import program

MODULE = bytes.fromhex("0061736d0100000001040160000003020100070a01065f737461727400000a040102000b")


@pytest.fixture
def package() -> Package:
    return build({"main.wasm": MODULE, "data/a": os.urandom(3000), "data/b": b"b", "script.py": b"print(1)\n"})


class Registry:
    """One docker-registry process."""

    def __init__(self, folder: Path, server: Any, auth: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        (folder / "cert.pem").write_bytes(b"".join(one.bytes() for one in server.cert_chain_pems))
        (folder / "key.pem").write_bytes(server.private_key_pem.bytes())
        self.store = folder / "store"
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {self.store}}}}}\n"
            f"http:\n  addr: {self.host}\n  tls: {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}\n{auth}"
        )
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [program("docker-registry", "docker-registry"), "serve", folder / "config.yml"], stdout=log, stderr=log
            )
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(self.host.partition(":")[2]))) == 0:
                    return
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, cas: Any) -> Iterator[Registry]:
    running = Registry(tmp_path_factory.mktemp("oci"), cas.server)
    yield running
    running.stop()


@pytest.fixture
def reach(registry: Registry, cas: Any) -> Callable[[str], OciRegistry]:
    context = client_context(ca=cas.tls.cert_pem.bytes())
    return lambda tag: OciRegistry(oci.parse_reference(f"oci://{registry.host}/team/app:{tag}"), context)


@pytest.fixture
def tag() -> str:
    return "t" + os.urandom(6).hex()


def test_a_package_comes_back_from_an_oci_registry(
    reach: Callable[[str], OciRegistry], package: Package, tag: str
) -> None:
    with reach(tag) as one:
        one.publish(package)
        one.publish(package)
        assert one.fetch(package.digest) == package
        assert one.fetch(None) == package


def test_any_wasm_tool_sees_a_cncf_artifact_of_one_layer(
    registry: Registry, reach: Callable[[str], OciRegistry], cas: Any, package: Package, tag: str
) -> None:
    with reach(tag) as one:
        one.publish(package)
    with httpx.Client(verify=client_context(ca=cas.tls.cert_pem.bytes()), trust_env=False) as http:
        base = f"https://{registry.host}/v2/team/app"
        manifest = http.get(f"{base}/manifests/{tag}", headers={"accept": oci.MANIFEST}).json()
        config = http.get(f"{base}/blobs/{manifest['config']['digest']}").json()
        layer = http.get(f"{base}/blobs/{manifest['layers'][0]['digest']}").content
    assert manifest["config"]["mediaType"] == "application/vnd.wasm.config.v0+json"
    assert [one["mediaType"] for one in manifest["layers"]] == ["application/wasm"]
    assert layer == MODULE
    assert config == {
        "architecture": "wasm",
        "os": "wasip1",
        "layerDigests": [f"sha256:{sha256(MODULE).hex()}"],
    }


def test_a_tag_names_the_package_published_last_and_a_digest_no_other(
    reach: Callable[[str], OciRegistry], package: Package, tag: str
) -> None:
    other = build({"main.wasm": MODULE, "script.py": os.urandom(9)})
    with reach(tag) as one:
        one.publish(package)
        one.publish(other)
        assert one.fetch(None) == one.fetch(other.digest) == other
        with pytest.raises(Unauthentic):
            one.fetch(package.digest)


def test_another_package_is_refused(reach: Callable[[str], OciRegistry], package: Package, tag: str) -> None:
    with reach(tag) as one:
        one.publish(package)
        with pytest.raises(Unauthentic) as refused:
            one.fetch(bytes(32))
    assert refused.value.reason == Reason.DIGEST_MISMATCH


def test_an_artifact_that_others_pushed_is_the_package_of_its_module(
    reach: Callable[[str], OciRegistry], tag: str
) -> None:
    module = MODULE + b"\0\x05\x04" + os.urandom(4)  # a custom section makes it a module of its own
    with reach(tag) as one:
        one._push(oci.artifact(build({"main.wasm": module})), tag)
        assert one.fetch(None) == bare(module)
        assert one.fetch(bare(module).digest) == bare(module)


@pytest.mark.parametrize("path", ["script.py", "data/a"])
def test_one_byte_changed_in_the_registry_is_refused_by_the_name_of_the_node(
    registry: Registry, reach: Callable[[str], OciRegistry], package: Package, tag: str, path: str
) -> None:
    with reach(tag) as one:
        one.publish(package)
        digest = sha256(package.nodes[path]).hex()
        blob = registry.store / "docker/registry/v2/blobs/sha256" / digest[:2] / digest / "data"
        genuine = blob.read_bytes()
        blob.write_bytes(bytes([genuine[0] ^ 1]) + genuine[1:])
        try:
            with pytest.raises(Unauthentic) as refused:
                one.fetch(package.digest)
        finally:
            blob.write_bytes(genuine)
    assert (refused.value.reason, refused.value.subject.partition(":")[0]) == (Reason.DIGEST_MISMATCH, f"node {path}")


def test_the_command_line_speaks_to_it(
    registry: Registry, cas: Any, tmp_path: Path, tag: str, capfd: pytest.CaptureFixture[str]
) -> None:
    from enarx.cli.main import main

    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "main.wasm").write_bytes(MODULE)
    (tmp_path / "ca.pem").write_bytes(cas.tls.cert_pem.bytes())
    spec, ca = f"oci://{registry.host}/team/cli:{tag}", ["--ca-bundle", str(tmp_path / "ca.pem")]
    digest = bare(MODULE).digest.hex()
    assert main(["package", "publish", spec, str(tmp_path / "app"), *ca]) == 0
    assert main(["package", "fetch", spec, str(tmp_path / "out"), "--digest", digest, *ca]) == 0
    assert capfd.readouterr().out == f"{digest}\n" * 2
    assert (tmp_path / "out" / "main.wasm").read_bytes() == MODULE
    assert main(["package", "info", spec, *ca]) == 0
    assert f"digest   {digest}\n" in capfd.readouterr().out
    assert main(["package", "fetch", spec, str(tmp_path / "no"), "--digest", "00" * 32, *ca]) == 1
    assert capfd.readouterr().err.startswith("enarx: digest-mismatch: ")
    assert not (tmp_path / "no").exists()


def test_what_is_not_there_is_said(reach: Callable[[str], OciRegistry]) -> None:
    with reach("none") as one, pytest.raises(Unacceptable) as refused:
        one.fetch(None)
    assert refused.value.reason == Reason.NOT_FOUND


def test_a_registry_may_want_a_login(registry: Registry, tmp_path: Path, cas: Any, package: Package) -> None:
    salted = subprocess.run(
        ["perl", "-e", 'print crypt("hush", "\\$2y\\$05\\$abcdefghijklmnopqrstuu")'],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    (tmp_path / "htpasswd").write_text(f"alice:{salted.stdout}\n")
    auth = f"auth: {{htpasswd: {{realm: test, path: {tmp_path}/htpasswd}}}}\n"
    running = Registry(tmp_path, cas.server, auth)
    context = client_context(ca=cas.tls.cert_pem.bytes())
    reference = oci.Reference(running.host, "team/app", "1.0.0")
    try:
        for login in (None, ("alice", "wrong")):
            with OciRegistry(reference, context, login=login) as one, pytest.raises(Unacceptable) as refused:
                one.publish(package)
            assert refused.value.reason == Reason.UNAUTHENTICATED
        with OciRegistry(reference, context, login=("alice", "hush")) as one:
            one.publish(package)
            assert one.fetch(package.digest) == package
    finally:
        running.stop()


@pytest.mark.parametrize(
    "text",
    ["", "oci://h/App:1", "oci://h/a", "oci://h/a:", "oci://h/a:-x", "oci://h/:1", "h/../b:1", "oci://u@h/a:1", "/a:1"],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Misused):
        oci.parse_reference(text)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{}", b'{"schemaVersion":2}', b'{"schemaVersion":2,"layers":[{}]}',
        b'{"schemaVersion":2,"layers":[],"config":{"digest":"sha512:00"}}',
        b'{"schemaVersion":2,"layers":[{"digest":"sha256:' + b"0" * 64
        + b'","annotations":{"org.opencontainers.image.title":"../x"}}],"config":{"digest":"sha256:' + b"0" * 64 + b'"}}',
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        oci.parse(raw)
