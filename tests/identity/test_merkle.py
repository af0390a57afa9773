"""The log's tree, held against a plain reading of RFC 6962 and its published values."""

from __future__ import annotations

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from enarx.identity import merkle
from enarx.identity.merkle import Peaks, consistency, consistent, inclusion, leaf_hash, root_by_inclusion

# The leaves and roots of the reference implementation's test suite (certificate-transparency, merkletree).
LEAVES = [
    bytes.fromhex(one)
    for one in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def plain_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + plain_root(leaves[:k]) + plain_root(leaves[k:])).digest()


def subtree_of(leaves: list[bytes]) -> merkle.Subtree:
    return lambda height, position: plain_root(leaves[position << height : (position + 1) << height])


def grown(leaves: list[bytes]) -> Peaks:
    peaks = Peaks()
    for one in leaves:
        peaks.append(one)
    return peaks


def test_roots_are_those_of_the_reference_implementation() -> None:
    for size in range(1, 9):
        assert ROOTS[size - 1] == grown([leaf_hash(one) for one in LEAVES[:size]]).root().hex()


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert hashlib.sha256(b"").digest() == Peaks().root()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 70), st.data())
def test_proofs_hold_and_no_other_leaf_or_size_has_them(size: int, data: st.DataObject) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(size)]
    root = plain_root(leaves)
    position = data.draw(st.integers(0, size - 1))
    path = inclusion(subtree_of(leaves), position, size)
    assert root == grown(leaves).root()
    assert root == root_by_inclusion(leaves[position], position, size, path)
    assert root != root_by_inclusion(leaf_hash(b"other"), position, size, path)
    assert root != root_by_inclusion(leaves[position], (position + 1) % size, size, path) or size == 1
    assert root_by_inclusion(leaves[position], position, size, (*path, root)) != root
    old = data.draw(st.integers(1, size))
    proof = consistency(subtree_of(leaves), old, size)
    assert consistent(old, plain_root(leaves[:old]), size, root, proof)
    assert not consistent(old, leaf_hash(b"other"), size, root, proof)
    assert not consistent(old, plain_root(leaves[:old]), size, leaf_hash(b"other"), proof)


def test_peaks_survive_being_stored_and_tell_full_tiles() -> None:
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(600)]
    peaks = Peaks()
    full = []
    for one in leaves:
        peaks = Peaks(peaks.size, peaks.encoded())
        peaks.append(one)
        full += peaks.full
    assert plain_root(leaves) == peaks.root()
    assert [(1, 0, plain_root(leaves[:256])), (1, 1, plain_root(leaves[256:512]))] == full
