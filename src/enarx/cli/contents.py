# SPDX-License-Identifier: Apache-2.0
"""What a package holds, what its module asks for, and what its Enarx.toml grants."""

from __future__ import annotations

from typing import Any

from enarx.runtime.wasi.signature import MODULE, PARAMETERS
from enarx.workload import manifest, module
from enarx.workload.component import COMMAND, Component
from enarx.workload.manifest import Connect, File, Listen, Manifest, Stderr, Stdin, Stdout
from enarx.workload.package import Package
from enarx.workload.tree import DIRECTORY


def of(package: Package) -> dict[str, Any]:
    """Everything, as JSON values."""
    outline = module.parse(package.module)
    granted = manifest.parse(package.manifest)
    return {
        "digest": package.digest.hex(),
        "files": [
            {"path": path, "length": entry.length, "type": entry.type}
            for path, entry in sorted(package.entries().items())
            if entry.type != DIRECTORY
        ],
        "component": outline.component is not None,
        "entry": outline.component.exported(COMMAND) if outline.component else outline.entry,
        "imports": _imports(outline),
        "grants": _grants(granted),
        "notes": _notes(outline, granted),
    }


def _imports(outline: module.Module) -> list[str]:
    if outline.component is None:
        return sorted({f"{one.module}.{one.name}" for one in outline.imports})
    return sorted(
        name
        for one in outline.component.imports
        for name in ([f"{one.name}.{function}" for function in one.functions] or [one.name])
    )


def _grants(granted: Manifest) -> list[str]:
    lines = [f"fd {number}: {_file(one)}" for number, one in enumerate(granted.files)]
    lines += [f"accept on port {port}: {rule.prot}" for port, rule in granted.network.incoming.items()]
    lines += [f"connect to {host}: {rule.prot}" for host, rule in granted.network.outgoing.items()]
    if (kept := granted.sealed) is not None:
        lines.append(f"/sealed: seal {kept.seal}, bound to the {kept.bind}, rollback {kept.rollback}")
    lines += [f"argument {argument!r}" for argument in granted.args]
    lines += [f"environment {name}" for name in granted.env]
    return lines


def _file(one: File) -> str:
    match one:
        case Listen():
            return f"{one.name}: listen on {one.addr} port {one.port}, {one.prot}"
        case Connect():
            return f"{one.name}: connect to {one.host} port {one.port}, {one.prot}"
        case Stdin():
            return f"{one.name}: input from {one.source}"
        case _:
            return one.name


def _notes(outline: module.Module, granted: Manifest) -> list[str]:
    """Where what it asks for and what it is granted, or what a Keep has, do not fit."""
    if outline.component:
        return _component_notes(outline.component, granted)
    found = [f"a Keep has no {one.module}.{one.name}" for one in outline.imports if not _known(one)]
    found += _unmatched({one.name for one in outline.imports}, granted)
    if granted.input_from_host:
        found.append("the host feeds standard input: certificates say `input: host`")
    if outline.entry is None:
        found.append("no export named _start: it cannot be run")
    return found


def _component_notes(component: Component, granted: Manifest) -> list[str]:
    from enarx.runtime.component.world import missing

    found = [f"a Keep has no {name}" for name in missing(component)]
    if granted.input_from_host:
        found.append("the host feeds standard input: certificates say `input: host`")
    if component.exported(COMMAND) is None:
        found.append(f"no export named {COMMAND}: it cannot be run")
    return found


def _unmatched(imports: set[str], granted: Manifest) -> list[str]:
    """What is imported and nothing granted for, and what is granted and nothing imported for."""
    listens = any(isinstance(one, Listen) for one in granted.files)
    connects = any(isinstance(one, Connect) for one in granted.files)
    network = granted.network
    found = []
    if "sock_accept" in imports and not (listens or network.incoming):
        found.append("the module accepts connections, and Enarx.toml grants no socket that listens")
    elif imports & {"sock_recv", "sock_send"} and not (listens or connects or network.incoming or network.outgoing):
        found.append("the module uses sockets, and Enarx.toml grants none")
    if listens and "sock_accept" not in imports:
        found.append("Enarx.toml grants a socket that listens, and the module accepts no connections")
    reads, writes = imports & {"fd_read", "sock_recv"}, imports & {"fd_write", "sock_send"}
    unused = [
        ("a socket that connects", connects, reads | writes),
        ("connections at run time", network.outgoing, imports & {"path_open"}),
        ("listening at run time", network.incoming, imports & {"path_open"}),
        ("/sealed", granted.sealed is not None, imports & {"path_open"}),
        ("standard input", any(isinstance(one, Stdin) for one in granted.files), imports & {"fd_read"}),
        ("standard output", any(isinstance(one, Stdout | Stderr) for one in granted.files), imports & {"fd_write"}),
        ("arguments", granted.args, imports & {"args_get"}),
        ("environment variables", granted.env, imports & {"environ_get"}),
    ]
    return found + [
        f"Enarx.toml grants {what}, and the module imports nothing that could use it"
        for what, given, used in unused
        if given and not used
    ]


def _known(wanted: module.Import) -> bool:
    return wanted.module == MODULE and wanted.name in PARAMETERS and wanted.kind is module.Kind.FUNCTION


def shown(found: dict[str, Any]) -> str:
    """The same for people."""
    lines = [f"digest   {found['digest']}"]
    lines += [f"file     {one['path']}  {one['length']} bytes  {one['type']}" for one in found["files"]]
    lines += [f"imports  {one}" for one in found["imports"]]
    lines += [f"grants   {one}" for one in found["grants"]]
    lines += [f"note     {one}" for one in found["notes"]]
    return "\n".join(lines)
