# SPDX-License-Identifier: Apache-2.0
"""Packages in OCI registries: push and pull by the distribution specification 1.1.

Where a registry has no referrers interface, the index under the tag `sha256-DIGEST` is read and
written instead, as the specification says.
"""

from __future__ import annotations

import base64
import re
import ssl
from typing import Any, Self
from urllib.parse import urlencode, urljoin

from enarx.codec import json
from enarx.codec.digest import same, sha256
from enarx.errors import Malformed, Reason, Unacceptable, Unauthentic, Undetermined
from enarx.registry import oci
from enarx.registry.connection import Answer, Connection, host_of, require_secure
from enarx.registry.oci import MANIFEST, MAX_MANIFEST, PACKAGE, Artifact, Blob, Pulled, Reference
from enarx.workload.package import Package, bare, receive
from enarx.workload.tree import MAX_DIRECTORY, MAX_WASM

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_ACCEPT = {"accept": f"{MANIFEST}, {oci.INDEX}"}
_REFUSED = frozenset({401})


class OciRegistry:
    """One registry and one repository in it.

    login  user and password, or None; a token is asked for when the registry wants one
    """

    def __init__(
        self,
        reference: Reference,
        context: ssl.SSLContext,
        *,
        login: tuple[str, str] | None = None,
        plain_http: bool = False,
    ) -> None:
        self._connection = Connection(context)
        self._base = f"{'http' if plain_http else 'https'}://{reference.host}/v2/{reference.name}"
        self._name = reference.name
        self._tag = reference.tag
        self._login = login
        self._authorization: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def publish(self, package: Package) -> None:
        """Push the module's artifact under the tag, and the package that refers to it."""
        module = oci.artifact(package)
        whole = oci.package(package, module)
        self._push(module, self._tag)
        answer = self._push(whole, whole.manifest.digest)
        # a registry that knows referrers says so with this header; for the others there is the tag
        if "oci-subject" not in answer.headers:
            self._list_referrer(module.manifest, whole.manifest)

    def fetch(self, digest: bytes | None) -> Package:
        """The package, every digest checked before use. None takes the tag's word for its digest.

        A plain wasm artifact that no package refers to is the package its module stands for.
        """
        tagged = self._ask("GET", f"/manifests/{self._tag}", limit=MAX_MANIFEST, headers=_ACCEPT).body
        subject = oci.parse(tagged)
        named = digest or subject.package
        if named is not None:
            for whole in self._referrers(sha256(tagged)):
                if same(whole.config, named):
                    return self._receive(whole, named)
        return self._bare(subject, named)

    def _receive(self, whole: Pulled, digest: bytes) -> Package:
        def fetch(path: str, limit: int) -> bytes:
            if path and path not in whole.titles:
                raise Unauthentic(Reason.NODE_MISSING, f"node {path}")
            return self._blob(whole.titles[path] if path else whole.config, limit)

        return receive(fetch, digest)

    def _bare(self, subject: Pulled, digest: bytes | None) -> Package:
        if subject.config_type != oci.WASM_CONFIG or len(subject.layers) != 1:
            raise Malformed(Reason.UNKNOWN_KIND, f"{self._name}:{self._tag}: not a wasm artifact of one layer")
        package = bare(self._blob(subject.layers[0], MAX_WASM))
        if not same(sha256(package.module), subject.layers[0]):
            raise Unauthentic(Reason.DIGEST_MISMATCH, "main.wasm: not the layer that the manifest names")
        if digest is not None and not same(package.digest, digest):
            raise Unauthentic(Reason.DIGEST_MISMATCH, f"main.wasm: not the package {digest.hex()}")
        return package

    def _blob(self, digest: bytes, limit: int) -> bytes:
        return self._ask("GET", f"/blobs/sha256:{digest.hex()}", limit=limit).body

    def _referrers(self, subject: bytes) -> list[Pulled]:
        """The packages that refer to a manifest: by the interface, or the tag that stands for it."""
        raw = self._found(f"/referrers/sha256:{subject.hex()}") or self._found(f"/manifests/sha256-{subject.hex()}")
        found = []
        for one in oci.referrers(raw) if raw else []:
            if one.get("artifactType") == PACKAGE:
                digest = oci.digest_of(one)
                found.append(self._manifest(digest))
        return found

    def _manifest(self, digest: bytes) -> Pulled:
        where = f"/manifests/sha256:{digest.hex()}"
        raw = self._ask("GET", where, limit=MAX_MANIFEST, headers=_ACCEPT).body
        if not same(sha256(raw), digest):
            raise Unauthentic(Reason.DIGEST_MISMATCH, f"OCI manifest {digest.hex()}")
        return oci.parse(raw)

    def _found(self, path: str) -> bytes | None:
        try:
            return self._ask("GET", path, limit=MAX_DIRECTORY, headers=_ACCEPT).body
        except Unacceptable as error:
            if error.reason is Reason.NOT_FOUND:
                return None
            raise

    def _list_referrer(self, subject: Blob, whole: Blob) -> None:
        tag = subject.digest.replace(":", "-")
        raw = self._found(f"/manifests/{tag}")
        listed = oci.referrers(raw) if raw else []
        if whole.digest not in {one.get("digest") for one in listed}:
            self._put_manifest(oci.index([*listed, oci.referring(whole)]), tag)

    def _push(self, artifact: Artifact, name: str) -> Answer:
        for blob in artifact.blobs:
            self._put_blob(blob)
        return self._put_manifest(artifact.manifest, name)

    def _put_blob(self, blob: Blob) -> None:
        if self._has(f"/blobs/{blob.digest}"):
            return
        begun = self._ask("POST", "/blobs/uploads/", limit=MAX_DIRECTORY)
        where = urljoin(f"{self._base}/", begun.headers.get("location", ""))
        if host_of(where) != host_of(self._base):
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "OCI upload: location on another host")
        joint = "&" if "?" in where else "?"
        query = urlencode({"digest": blob.digest})
        kind = {"content-type": "application/octet-stream"}
        self._ask("PUT", f"{where}{joint}{query}", limit=MAX_DIRECTORY, content=blob.raw, headers=kind)

    def _has(self, path: str) -> bool:
        try:
            self._ask("HEAD", path, limit=0)
        except Unacceptable as error:
            if error.reason is Reason.NOT_FOUND:
                return False
            raise
        return True

    def _put_manifest(self, manifest: Blob, name: str) -> Answer:
        kind = {"content-type": manifest.type}
        return self._ask("PUT", f"/manifests/{name}", limit=MAX_DIRECTORY, content=manifest.raw, headers=kind)

    def _ask(
        self, method: str, where: str, *, limit: int, headers: dict[str, str] | None = None, **more: Any
    ) -> Answer:
        url = where if where.startswith("http") else self._base + where
        said = {**(headers or {}), **self._authorization}
        answer = self._connection.ask(method, url, limit=limit, accepted=_REFUSED, headers=said, **more)
        if answer.status != 401:
            return answer
        self._authorize(answer.headers.get("www-authenticate", ""))
        said = {**(headers or {}), **self._authorization}
        return self._connection.ask(method, url, limit=limit, headers=said, **more)

    def _authorize(self, challenge: str) -> None:
        """Answer a challenge: Basic, or a token of the service that a Bearer challenge names."""
        scheme, _, rest = challenge.partition(" ")
        basic = {}
        if self._login is not None:
            basic = {"authorization": "Basic " + base64.b64encode(":".join(self._login).encode()).decode()}
        if scheme.lower() == "basic" and basic:
            self._authorization = basic
            return
        told = dict(_CHALLENGE.findall(rest))
        if scheme.lower() != "bearer" or "realm" not in told:
            raise Unacceptable(Reason.UNAUTHENTICATED, f"OCI registry: wants {scheme[:20] or 'a login'}")
        require_secure(told["realm"], "OCI token service")
        scope = {name: told[name] for name in ("service", "scope") if name in told}
        url = f"{told['realm']}?{urlencode(scope)}"
        answer = self._connection.ask("GET", url, limit=MAX_DIRECTORY, headers=basic)
        table = json.decode(answer.body, "OCI token", limit=MAX_DIRECTORY)
        token = (table.get("token") or table.get("access_token")) if isinstance(table, dict) else None
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise Undetermined(Reason.UNEXPECTED_ANSWER, "OCI token")
        self._authorization = {"authorization": f"Bearer {token}"}
