"""The issuance log, as whoever doubts the Steward reads it over HTTP."""

from __future__ import annotations

import base64

import httpx
import pytest

from enarx.codec.digest import sha256
from enarx.codec.x509 import Certificate
from enarx.errors import Malformed, Misused, Reason, Unauthentic
from enarx.identity import log, tiles
from enarx.identity.log import entry_of, parse_checkpoint
from enarx.identity.merkle import consistency, consistent, inclusion, leaf_hash, range_root, root_by_inclusion
from enarx.identity.tiles import Tile
from tests.identity.parties import Keep, Pki, Serving


@pytest.fixture
def web(steward: Serving, pki: Pki, tmp_path: object) -> httpx.Client:
    import ssl

    context = ssl.create_default_context(cadata=pki.root.certificates_pem().decode())
    return httpx.Client(base_url=steward.url, verify=context)


def test_a_certificate_is_in_the_log_with_a_proof(keep: Keep, web: httpx.Client) -> None:
    identity = keep.identity()
    entry, promise = entry_of(identity.chain[0], identity.chain[1], str(identity.spiffe_id))
    answer = web.get("/log/proof", params={"leaf": leaf_hash(entry).hex()}).json()
    checkpoint = parse_checkpoint(answer["checkpoint"].encode(), promise.key)
    path = tuple(base64.b64decode(one) for one in answer["path"])
    assert checkpoint.root == root_by_inclusion(leaf_hash(entry), answer["position"], checkpoint.size, path)


def test_the_tiles_give_the_same_root_and_every_proof(keep: Keep, web: httpx.Client) -> None:
    identity = keep.identity()
    promise = entry_of(identity.chain[0], identity.chain[1], str(identity.spiffe_id))[1]
    before = parse_checkpoint(web.get("/log/checkpoint").content, promise.key)
    for _ in range(3):
        keep.identity()
    after = parse_checkpoint(web.get("/log/checkpoint").content, promise.key)
    assert before.size + 3 == after.size

    def read(tile: Tile) -> bytes:
        answer = web.get(f"/log/{tile.path()}")
        assert answer.status_code == 200
        return answer.content

    subtree = tiles.subtree_reader(read, after.size)
    assert after.root == range_root(subtree, 0, after.size)
    assert before.root == range_root(subtree, 0, before.size)
    proof = consistency(subtree, before.size, after.size)
    assert consistent(before.size, before.root, after.size, after.root, proof)
    entries = tiles.unbundle(read(Tile(-1, 0, min(256, after.size))))
    position = len(entries) - 1
    path = inclusion(subtree, position, after.size)
    assert after.root == root_by_inclusion(leaf_hash(entries[position]), position, after.size, path)


def test_a_certificate_that_was_never_logged_has_no_proof(web: httpx.Client) -> None:
    answer = web.get("/log/proof", params={"leaf": sha256(b"never").hex()})
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")


@pytest.mark.parametrize(
    "path", ["0/999", "0/x001", "6/000", "0/000.p/0", "0/000.p/256", "0/0", "entries/000.p/255/", ""]
)
def test_a_tile_that_is_not_there_or_not_spelled_right_is_a_problem(web: httpx.Client, path: str) -> None:
    answer = web.get(f"/log/tile/{path}")
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_promise_covers_every_byte_of_the_certificate(keep: Keep) -> None:
    identity = keep.identity()
    raw = identity.chain[0].raw
    name = str(identity.spiffe_id)
    body = raw.index(identity.chain[0].subject)
    changed = bytearray(raw)
    changed[body + 12] ^= 1
    with pytest.raises((Unauthentic, Malformed)):
        entry_of(Certificate(bytes(changed)), identity.chain[1], name)
    with pytest.raises(Unauthentic) as refused:
        entry_of(identity.chain[0], identity.chain[2], name)
    assert Reason.NOT_LOGGED is refused.value.reason


def test_a_checkpoint_by_another_key_is_not_believed(web: httpx.Client) -> None:
    raw = web.get("/log/checkpoint").content
    with pytest.raises(Unauthentic):
        parse_checkpoint(raw, bytes(32))


@pytest.mark.parametrize(
    "raw", [b"", b"\n\n", b"a\n1\n\n", b"a\n01\nAAAA\n\n", b"a\n-1\nAAAA\n\n\xe2\x80\x94 a b\n", b"\xff" * 50]
)
def test_what_is_no_checkpoint_is_malformed(raw: bytes) -> None:
    with pytest.raises(Malformed):
        parse_checkpoint(raw, bytes(32))


def test_tile_addresses_have_one_spelling() -> None:
    for tile in (Tile(0, 0), Tile(0, 5, 7), Tile(2, 1234067), Tile(-1, 999), Tile(-1, 1000, 255)):
        assert tile == tiles.parse(tile.path().removeprefix("tile/"))
    assert Tile(0, 1234067).path() == "tile/0/x001/x234/067"


def test_a_tile_beyond_the_end_is_not_found() -> None:
    with pytest.raises(Misused):
        tiles.require_within(Tile(1, 0, 1), 255)
    tiles.require_within(Tile(1, 0, 1), 256)


def test_the_logs_key_is_shown_as_other_tools_read_it() -> None:
    assert log.verifier_key("example.com/log", bytes(32)).startswith("example.com/log+")
