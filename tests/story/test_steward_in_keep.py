"""The Steward in a Keep: it proves what it is to the tenant, gets its CA key only then, and issues."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import wasmtime
from cryptography.hazmat.primitives import serialization

from enarx.cli.demo import policy
from enarx.cli.demo.attacks import Replaying
from enarx.cli.demo.stage import Stage
from enarx.cli.deploy import launched
from enarx.cli.package_signature import Signatures
from enarx.cli.verify_keep import verify_keep
from enarx.delivery.release_client import release
from enarx.delivery.release_tenant import Terms
from enarx.errors import Reason
from enarx.evidence.endorsement import Endorsements
from enarx.evidence.envelope import Evidence
from enarx.evidence.kind import Kind
from enarx.evidence.snp_report import POLICY_DEBUG
from enarx.identity import ca
from enarx.keep.native_part import STEWARD, part_digest
from enarx.platform.chip import Chip
from enarx.platform.simulated.snp import SimulatedSnp
from enarx.platform.simulated.store import ANCHORS, agent_measurement
from tests.story.tenant import SETTINGS, Tenant, made, now, opened
from tests.story.world import outcome


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Tenant:
    return made(tmp_path_factory.mktemp("tenant"))


class Recording:
    """A wire between chip and Keep on which the host reads along."""

    kind = Kind.SNP

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.answers: list[tuple[Evidence, Endorsements]] = []

    def evidence(self, bound: bytes) -> tuple[Evidence, Endorsements]:
        self.answers.append(self._chip.evidence(bound))
        return self.answers[-1]


def refused(url: str, tenant: Tenant, terms: Terms | None = None) -> Reason:
    """Why the tenant releases nothing."""
    refusal = release(url, tenant.secrets(), terms or tenant.terms(), when=now()).refusal()
    assert refusal is not None
    return refusal.reason


def test_the_steward_gets_its_key_in_a_keep_and_certifies_another_keep(
    tenant: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    issuer = tenant.folder / "issuer.pem"

    with opened(tenant, tenant.launch()) as steward:
        judged = release(steward.url(), tenant.secrets(), tenant.terms(), when=now())
        url = f"https://{steward.wait_for('listening')['address']}"
        placed = tenant.placed(str(workload(tmp_path)), steward=url, steward_ca=issuer)
        states, ended = outcome(placed.launch, chip=tenant.chip, cas=placed.cas, nodes=placed.nodes)
        found = places_of(tenant.authority, steward.keep.pid, tmp_path)
        states_of_steward = steward.states()
        steward.keep.ask_to_stop()
        code = steward.wait_for("ended")["code"]

    assert judged.refusal() is None
    assert ["opened", "keyed", "entrusted", "running"] == states_of_steward
    assert ["opened", "keyed", "challenged", "attested", "identified", "delivered", "running", "ended"] == states
    assert 0 == ended
    assert [] == found
    assert 0 == code


def test_a_relying_party_can_ask_a_stewards_keep_what_it_is(tenant: Tenant) -> None:
    with opened(tenant, tenant.launch()) as keep:
        verified = verify_keep(
            keep.url(), tenant.policy(), tenant.anchors(), issuers=(), signatures=Signatures(), when=now()
        )

    assert part_digest(STEWARD) == verified.launch.package
    assert verified.appraisal.accepted().appraisal is verified.appraisal


def test_no_key_leaves_for_another_measurement(tenant: Tenant) -> None:
    with opened(tenant, tenant.launch()) as keep:
        reason = refused(keep.url(), tenant, tenant.terms(tenant.policy(measurement=b"\x01" * 48)))
        states = keep.states_until_stopped()

    assert Reason.MEASUREMENT_NOT_ACCEPTED == reason
    assert "entrusted" not in states


def test_no_key_leaves_for_a_keep_that_can_be_debugged(tenant: Tenant) -> None:
    launch = tenant.launch()
    guest = launched(tenant.chip, launch)
    assert isinstance(guest, SimulatedSnp)

    with opened(tenant, launch, hardware=guest.launched(policy=guest.fields.policy | POLICY_DEBUG)) as keep:
        reason = refused(keep.url(), tenant)
        states = keep.states_until_stopped()

    assert Reason.DEBUG_ENABLED == reason
    assert "entrusted" not in states


def test_no_key_leaves_for_an_earlier_answer(tenant: Tenant) -> None:
    launch = tenant.launch()
    wire = Recording(launched(tenant.chip, launch) or tenant.chip)
    with opened(tenant, launch, hardware=wire) as first:
        release(first.url(), tenant.secrets(), tenant.terms(), when=now())

    with opened(tenant, launch, hardware=Replaying(*wire.answers[0])) as second:
        reason = refused(second.url(), tenant)
        states = second.states_until_stopped()

    assert Reason.BINDING_MISMATCH == reason
    assert "entrusted" not in states


def test_no_key_leaves_for_a_keep_of_the_hosts_own_tenant(tenant: Tenant, tmp_path: Path) -> None:
    """The host opens the same code for a tenant key of its own, to give it another CA later."""
    host = msgspec.structs.replace(tenant, key=tmp_path / "host.pem")

    with opened(host, host.launch()) as keep:
        reason = refused(keep.url(), tenant)

    assert Reason.LAUNCH_MISMATCH == reason


def test_no_key_leaves_where_the_launch_document_was_exchanged(tenant: Tenant, tmp_path: Path) -> None:
    """Measured is the tenant's document; the agent is handed one of the host's."""
    launch = tenant.launch()
    host = msgspec.structs.replace(tenant, key=tmp_path / "host.pem")

    with opened(tenant, launch, document=host.launch().encoded()) as keep:
        reason = refused(keep.url(), tenant)

    assert Reason.LAUNCH_MISMATCH == reason


def test_a_launch_document_for_another_version_of_the_steward_is_refused_inside(tenant: Tenant) -> None:
    launch = msgspec.structs.replace(tenant.launch(), package=b"\x07" * 32)

    with opened(tenant, launch) as keep:
        assert Reason.WORKLOAD_MISMATCH == keep.refusal().reason


def test_a_launch_document_that_steers_the_steward_is_refused_inside(tenant: Tenant) -> None:
    launch = msgspec.structs.replace(tenant.launch(), args=("--database=sqlite:///host",))

    with opened(tenant, launch) as keep:
        assert Reason.LAUNCH_MISMATCH == keep.refusal().reason


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"settings.toml": "trust_domain = 3"}, Reason.SYNTAX),
        ({"settings.toml": SETTINGS.replace(":0", ":port")}, Reason.SYNTAX),
        ({"settings.toml": SETTINGS + 'mode = "sideways"'}, Reason.SYNTAX),
        ({"steward.toml": ""}, Reason.UNKNOWN_KEY),
        ({"ca.key": "-----BEGIN"}, Reason.KEY_INVALID),
    ],
)
def test_secrets_that_make_no_steward_end_the_keep(tenant: Tenant, more: dict[str, str], reason: Reason) -> None:
    with opened(tenant, tenant.launch()) as keep:
        release(keep.url(), tenant.secrets(**more), tenant.terms(), when=now())
        refusal = keep.refusal()

    assert reason == refusal.reason
    assert "BEGIN" not in f"{refusal} {refusal.hint}"


def test_the_commands_that_a_tenant_types(tenant: Tenant, tmp_path: Path) -> None:
    (tmp_path / "keep.toml").write_text(policy.text("k", agent_measurement(), [part_digest(STEWARD)]))
    given: list[str] = []
    for name, value in tenant.secrets().values.items():
        (tmp_path / name).write_bytes(value)
        given += ["--secret", f"{name}={tmp_path / name}"]
    with Stage() as stage:
        keep = stage.keep(
            STEWARD, "--backend", "process", "--insecure-backend", "--simulate-tee", "snp",
            "--tee-state", tenant.machine, "--tenant-key", tenant.key,
        )  # fmt: skip
        url = f"https://{keep.wait_for('attesting')['address']}"
        trust = ("--anchors", tenant.machine / ANCHORS, "--unsafe-anchors", "--tenant-key", tenant.key)
        bad = tmp_path / "bad.toml"
        bad.write_text((tmp_path / "keep.toml").read_text().replace(agent_measurement().hex(), "00" * 48))
        no = stage.enarx("release", url, "--policy", bad, *given, *trust, expect=1)
        missing = stage.enarx("release", url, "--policy", tmp_path / "none.toml", *given, *trust, expect=2)
        nobody = stage.enarx(
            "release", "https://127.0.0.1:1", "--policy", tmp_path / "keep.toml", *given, *trust, expect=3
        )
        yes = stage.enarx("release", url, "--policy", tmp_path / "keep.toml", *given, *trust)
        listening = keep.wait_for("listening")

    assert "measurement-not-accepted" in no.stdout
    assert "├── snp evidence is authentic" in no.stdout
    assert f"released to {url}: anchors-amd.pem, ca.key" in yes.stderr
    assert "none.toml" in missing.stderr
    assert "unreachable" in nobody.stderr
    assert "steward" == listening["name"]


def workload(folder: Path) -> str:
    """A local package of a program that does nothing."""
    package = folder / "nothing"
    package.mkdir()
    module = '(module (memory (export "memory") 1) (func (export "_start")))'
    (package / "main.wasm").write_bytes(wasmtime.wat2wasm(module))
    (package / "Enarx.toml").write_text('[[files]]\nkind = "null"\n')
    return f"file:{package}"


def places_of(made: ca.MadeCa, pid: int, folder: Path) -> list[str]:
    """Where the CA key can be found outside the agent's memory: as PEM, as DER, as the bare number."""
    numbers = made.key.private_numbers().private_value.to_bytes(32, "big")
    der = made.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    wanted = (numbers, der, made.key_pem().splitlines()[1])
    process = Path(f"/proc/{pid}")
    files = [one for one in folder.rglob("*") if one.is_file()]
    open_files = [one for one in (process / "fd").iterdir() if on_disk(one)]
    assert any(one.name.endswith(".sqlite") for one in files)  # the Steward's database is among them
    texts = [*files, *open_files, process / "environ", process / "cmdline"]
    return [str(one) for one in texts if any(form in one.read_bytes() for form in wanted)]


def on_disk(descriptor: Path) -> bool:
    """Whether an open file of a process is one of a file system, not memory, a pipe or a socket."""
    target = str(descriptor.readlink())
    return target.startswith("/") and not target.startswith(("/memfd:", "/dev/", "/proc/"))
