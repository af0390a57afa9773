# SPDX-License-Identifier: Apache-2.0
"""One digest names a package whole: whatever else arrives is refused by the name of the node."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enarx.codec.digest import sha256
from enarx.errors import Malformed, Misused, Reason, Unauthentic
from enarx.workload import package, tree

FILES = {
    "main.wasm": b"\0asm\1\0\0\0",
    "Enarx.toml": b"[[files]]\nkind = 'null'\n",
    "script.py": b"print('hello')\n",
    "data/deep/table.bin": bytes(range(256)),
    "data/empty": b"",
}
NAME = st.text("ab.-_", min_size=1, max_size=3).filter(tree.valid_name)
TREES = st.dictionaries(st.lists(NAME, min_size=1, max_size=4).map("/".join), st.binary(max_size=20), max_size=6)


@pytest.fixture
def made() -> package.Package:
    return package.build(FILES)


def test_the_digest_is_that_of_the_root_directory_as_received(made: package.Package) -> None:
    assert made.digest == sha256(made.root)
    spaced = made.root.replace(b",", b" ,\n")
    received = package.from_nodes(made.nodes, spaced, sha256(spaced))
    assert received.digest == sha256(spaced)
    assert received.nodes == made.nodes


def test_a_package_is_received_as_it_was_built(made: package.Package) -> None:
    assert package.from_nodes(made.nodes, made.root, made.digest) == made
    assert made.files() == FILES
    assert made.module == FILES["main.wasm"]
    assert made.manifest == FILES["Enarx.toml"]
    assert sorted(made.nodes) == [
        "Enarx.toml",
        "data",
        "data/deep",
        "data/deep/table.bin",
        "data/empty",
        "main.wasm",
        "script.py",
    ]


def test_a_bare_module_is_the_tree_of_itself_and_the_default_manifest() -> None:
    bare = package.bare(FILES["main.wasm"])
    assert bare == package.build({"main.wasm": FILES["main.wasm"], "Enarx.toml": package.DEFAULT_MANIFEST})
    assert bare.digest != package.build({**FILES}).digest
    # The default manifest is part of this digest: a change would rename every bare module.
    assert sha256(package.DEFAULT_MANIFEST).hex() == "85b589b3ef3f5d82b5f03f4caf6875a2b9072e60d2a83616730bd0b8f3c12557"


def test_an_empty_directory_keeps_its_place() -> None:
    assert package.build({**FILES, "none/": b""}).nodes["none"] == b"{}"


@given(TREES)
def test_any_files_come_back(files: dict[str, bytes]) -> None:
    wanted = {"Enarx.toml": package.DEFAULT_MANIFEST, **files, "main.wasm": b"x"}
    try:
        made = package.build(wanted)
    except Misused as error:
        assert error.reason == Reason.INCONSISTENT
        return
    assert package.from_nodes(made.nodes, made.root, made.digest).files() == wanted


@given(st.data())
def test_a_package_with_one_byte_changed_anywhere_is_refused_by_the_name_of_the_node(data: st.DataObject) -> None:
    made = package.build(FILES)
    path = data.draw(st.sampled_from(sorted(path for path, raw in made.nodes.items() if raw)))
    at = data.draw(st.integers(0, len(made.nodes[path]) - 1))
    raw = bytearray(made.nodes[path])
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes({**made.nodes, path: bytes(raw)}, made.root, made.digest)
    assert refused.value.reason == Reason.DIGEST_MISMATCH
    assert f"node {path}: " in refused.value.subject


def test_a_changed_root_is_refused_before_it_is_read(made: package.Package) -> None:
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes(made.nodes, b"[" + made.root, made.digest)
    assert refused.value.reason == Reason.DIGEST_MISMATCH


@pytest.mark.parametrize("path", ["main.wasm", "Enarx.toml", "script.py", "data", "data/deep", "data/deep/table.bin"])
def test_a_missing_node_is_named(made: package.Package, path: str) -> None:
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes({name: raw for name, raw in made.nodes.items() if name != path}, made.root, made.digest)
    assert (refused.value.reason, refused.value.subject) == (Reason.NODE_MISSING, f"node {path}")


def test_a_node_that_no_directory_names_is_named(made: package.Package) -> None:
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes({**made.nodes, "data/more": b""}, made.root, made.digest)
    assert refused.value.reason == Reason.NODE_EXTRA
    assert "data/more" in refused.value.subject


@pytest.mark.parametrize(("change", "reason"), [(slice(0, -1), Reason.TRUNCATED), (slice(0, 0), Reason.TRUNCATED)])
def test_a_truncated_node_is_named(made: package.Package, change: slice, reason: Reason) -> None:
    cut = {**made.nodes, "script.py": made.nodes["script.py"][change]}
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes(cut, made.root, made.digest)
    assert refused.value.reason == reason
    assert "script.py" in refused.value.subject


def test_a_node_longer_than_its_entry_is_named(made: package.Package) -> None:
    with pytest.raises(Unauthentic) as refused:
        package.from_nodes({**made.nodes, "script.py": FILES["script.py"] + b"\n"}, made.root, made.digest)
    assert refused.value.reason == Reason.TOO_LARGE


def _claiming(name: str, media_type: str, length: int) -> bytes:
    entries = {"main.wasm": tree.weigh(b"", tree.WASM), name: tree.Entry({"sha-256": bytes(32)}, length, media_type)}
    return tree.encode_directory(entries)


@pytest.mark.parametrize(
    ("name", "media_type", "length", "reason"),
    [
        ("main.wasm", tree.WASM, tree.MAX_WASM + 1, Reason.TOO_LARGE),
        ("Enarx.toml", tree.TOML, tree.MAX_CONF + 1, Reason.TOO_LARGE),
        ("sub", tree.DIRECTORY, tree.MAX_DIRECTORY + 1, Reason.TOO_LARGE),
        ("main.wasm", tree.TOML, 3, Reason.MEDIA_TYPE),
        ("Enarx.toml", tree.OCTETS, 3, Reason.MEDIA_TYPE),
    ],
)
def test_an_entry_beyond_the_limits_is_refused_before_its_node_is_asked_for(
    name: str, media_type: str, length: int, reason: Reason
) -> None:
    root = _claiming(name, media_type, length)
    asked: list[str] = []

    def fetch(path: str, limit: int) -> bytes:
        asked.append(path)
        return b"" if path else root

    with pytest.raises(Malformed) as refused:
        package.receive(fetch, sha256(root))
    assert refused.value.reason == reason
    assert name not in asked


def test_each_node_is_asked_for_with_its_own_length_as_the_limit(made: package.Package) -> None:
    asked: dict[str, int] = {}

    def fetch(path: str, limit: int) -> bytes:
        asked[path] = limit
        return made.nodes[path] if path else made.root

    package.receive(fetch, made.digest)
    assert asked == {"": tree.MAX_DIRECTORY, **{path: len(raw) for path, raw in made.nodes.items()}}


def test_a_tree_without_a_module_is_no_package() -> None:
    root = tree.encode_directory({})
    with pytest.raises(Malformed) as refused:
        package.from_nodes({}, root, sha256(root))
    assert refused.value.reason == Reason.NODE_MISSING


def test_a_tree_that_is_too_deep_is_refused() -> None:
    raw, nodes = tree.encode_directory({}), {"main.wasm": b""}
    for depth in range(package.MAX_DEPTH, 0, -1):
        nodes["/".join("d" * depth)] = raw
        entries = {"d": tree.weigh(raw, tree.DIRECTORY)}
        raw = tree.encode_directory(entries if depth > 1 else {**entries, "main.wasm": tree.weigh(b"", tree.WASM)})
    with pytest.raises(Malformed) as refused:
        package.from_nodes(nodes, raw, sha256(raw))
    assert refused.value.reason == Reason.TOO_DEEP


@pytest.mark.parametrize("path", ["bad file", "../x", "a/../b", "/x", "a//b", "", "x/./y", "ü"])
def test_a_name_that_no_directory_may_hold_is_refused(path: str) -> None:
    with pytest.raises(Misused, match="invalid file name"):
        package.build({**FILES, path: b""})


def test_a_package_without_a_module_is_refused() -> None:
    with pytest.raises(Misused, match=r"main\.wasm"):
        package.build({"Enarx.toml": b""})
