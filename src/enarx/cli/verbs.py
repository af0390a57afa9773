# SPDX-License-Identifier: Apache-2.0
"""Every verb: where its function is, and what help says of it in one line.

Imported by `enarx run` too, so it is data and nothing else.
"""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """module:function, and a summary for help."""

    target: str
    summary: str


RAW = {
    "run": Verb("enarx.cli.run:main", "Run a local module in a Keep."),
}
"""Verbs that read their own arguments, `main(argv) -> int`, because they must start fast."""

VERBS: dict[str, Verb] = {
    "deploy": Verb("enarx.cli.deploy:deploy", "Deliver a package to an attested Keep and run it."),
    "verify": Verb(
        "enarx.cli.verify:verify", "Check a running Keep, a bundle, or a file of evidence; show every check."
    ),
    "release": Verb("enarx.cli.release:release", "Release secrets to a running Keep that a policy accepts."),
    "broker": Verb(
        "enarx.cli.broker:broker", "Release a sealing root to a Keep that a policy accepts; hold its volume's version."
    ),
    "vectors": Verb("enarx.cli.vectors:vectors", "Judge every case of every evidence vector below a folder."),
    "demo": Verb("enarx.cli.demo:demo", "Tell the whole story on this machine."),
}

# "group" or "group subgroup" -> summary and verbs; a subgroup stands after its group
GROUPS: dict[str, tuple[str, dict[str, Verb]]] = {
    "config": (
        "Enarx.toml.",
        {"init": Verb("enarx.cli.config:init", "Write an Enarx.toml to start from.")},
    ),
    "package": (
        "Packages: a module with its Enarx.toml and files.",
        {
            "info": Verb("enarx.cli.package:info", "Show what a package, or a local module, holds and asks for."),
            "publish": Verb("enarx.cli.package:publish", "Publish a package to a Drawbridge."),
            "fetch": Verb("enarx.cli.package:fetch", "Fetch a package, every digest checked."),
            "sign": Verb("enarx.cli.package:sign", "Sign a package's digest."),
        },
    ),
    "repo": (
        "Repositories of a Drawbridge.",
        {
            "register": Verb("enarx.cli.repo:register", "Create a repository."),
            "info": Verb("enarx.cli.repo:info", "Show a repository and its tags."),
        },
    ),
    "tree": (
        "Trees: the files of a package.",
        {
            "digest": Verb("enarx.cli.tree:digest", "The digest that names a local folder or module."),
            "info": Verb("enarx.cli.tree:info", "Show one entry of a published tree."),
            "fetch": Verb("enarx.cli.tree:fetch", "Fetch one file of a published tree."),
        },
    ),
    "user": (
        "Users of a Drawbridge.",
        {
            "register": Verb("enarx.cli.user:register", "Create a user."),
            "info": Verb("enarx.cli.user:info", "Show a user."),
            "login": Verb("enarx.cli.user:login", "Log in with an OpenID Connect provider."),
            "logout": Verb("enarx.cli.user:logout", "Forget the token."),
        },
    ),
    "key": ("Signing keys of SEV-SNP and SGX images.", {}),
    "key sev": (
        "Keys that sign SEV-SNP launches.",
        {
            "create": Verb("enarx.cli.key:sev_create", "Make a P-384 key."),
            "digest": Verb("enarx.cli.key:sev_digest", "The digest of a key that a report shows."),
            "sign": Verb("enarx.cli.key:sev_sign", "Sign an id key with an author key."),
        },
    ),
    "key sgx": (
        "Keys that sign SGX enclaves.",
        {
            "create": Verb("enarx.cli.key:sgx_create", "Make an RSA-3072 key."),
            "digest": Verb("enarx.cli.key:sgx_digest", "The MRSIGNER of a key."),
        },
    ),
    "platform": (
        "What this machine has.",
        {"info": Verb("enarx.cli.platform:info", "Which backends this machine has, and what they lack.")},
    ),
    "policy": (
        "Policies: what is good enough.",
        {
            "init": Verb("enarx.cli.policy:init", "Write a policy to start from, with every key and its meaning."),
            "check": Verb("enarx.cli.policy:check", "Explain a policy in words, and warn of what it leaves open."),
            "import": Verb("enarx.cli.policy:import_", "Read an upstream steward.toml; write out what it left open."),
            "schema": Verb("enarx.cli.policy:schema", "The JSON Schema of a policy."),
        },
    ),
    "keep": (
        "The Keeps that are open on this machine.",
        {
            "list": Verb("enarx.cli.keep_verbs:list_", "List the Keeps that are open."),
            "inspect": Verb("enarx.cli.keep_verbs:inspect", "Show what a Keep was opened for, and how it is held."),
            "logs": Verb("enarx.cli.keep_verbs:logs", "Show the end of a machine's console."),
            "stop": Verb("enarx.cli.keep_verbs:stop", "Ask a Keep to end its program and itself."),
        },
    ),
    "image": (
        "The Keep image: a virtual machine known to the last byte.",
        {
            "build": Verb(
                "enarx.cli.image:build", "Build kernel, initramfs and command line, with a bill of materials."
            ),
            "measure": Verb("enarx.cli.image_measure:measure", "Say what each platform will measure for an image."),
            "firmware": Verb("enarx.cli.image:firmware", "Build the firmware that SEV-SNP needs, from source."),
            "update": Verb(
                "enarx.cli.image:update", "Move the image's pins to what is offered today; show the difference."
            ),
        },
    ),
    "steward": (
        "The attesting certificate authority.",
        {
            "serve": Verb("enarx.cli.steward:serve", "Serve."),
            "token": Verb("enarx.cli.steward_office:token", "Make an administrator's token."),
            "tenant": Verb("enarx.cli.steward_office:tenant", "Show whose Steward it is, and who you are there."),
            "revoke": Verb("enarx.cli.steward_office:revoke", "Revoke live certificates."),
            "audit": Verb("enarx.cli.steward_office:audit", "Show the last refusals."),
        },
    ),
    "steward policy": (
        "What a running Steward accepts.",
        {
            "list": Verb("enarx.cli.steward_policy:list_", "List the policies in force."),
            "history": Verb("enarx.cli.steward_policy:history", "List every version that was ever proposed."),
            "show": Verb("enarx.cli.steward_policy:show", "Show the text of a version."),
            "dry-run": Verb("enarx.cli.steward_policy:dry_run", "Judge the last requests by another policy."),
            "propose": Verb("enarx.cli.steward_policy:propose", "Propose a policy."),
            "approve": Verb("enarx.cli.steward_policy:approve", "Approve what another administrator proposed."),
            "retire": Verb("enarx.cli.steward_policy:retire", "End a policy."),
        },
    ),
    "steward ca": (
        "The Steward's certificate authorities.",
        {
            "root": Verb("enarx.cli.steward_ca:root", "Make a root, whose key stays offline."),
            "issuing": Verb("enarx.cli.steward_ca:issuing", "Make an issuing CA below a root."),
            "crl": Verb("enarx.cli.steward_ca:crl", "Make the root's list of revoked issuing CAs."),
        },
    ),
    "log": (
        "The Steward's log of what it issued.",
        {"verify": Verb("enarx.cli.log:verify", "Check that the log has a certificate, and that it only grew.")},
    ),
    "drawbridge": ("The registry.", {"serve": Verb("enarx.cli.drawbridge:serve", "Serve.")}),
}
