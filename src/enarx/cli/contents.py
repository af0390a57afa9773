# SPDX-License-Identifier: Apache-2.0
"""What a package holds, what its module asks for, and what its Enarx.toml grants."""

from __future__ import annotations

from typing import Any, NamedTuple

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
        "entry": _entry(outline),
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


class Uses(NamedTuple):
    """What a module or component could do with a grant, by its imports."""

    what: str
    accepts: bool
    sockets: bool
    connects: bool
    transfers: bool
    listens: bool
    opens: bool
    input: bool
    output: bool
    arguments: bool
    environment: bool


def _module_uses(outline: module.Module) -> Uses:
    names = {one.name for one in outline.imports}
    opens = "path_open" in names
    return Uses(
        what="module",
        accepts="sock_accept" in names,
        sockets=bool(names & {"sock_recv", "sock_send"}),
        connects=opens,
        transfers=bool(names & {"fd_read", "sock_recv", "fd_write", "sock_send"}),
        listens=opens,
        opens=opens,
        input="fd_read" in names,
        output="fd_write" in names,
        arguments="args_get" in names,
        environment="environ_get" in names,
    )


def _component_uses(component: Component) -> Uses:
    names = {function.rpartition("]")[2] for one in component.imports for function in one.functions}
    opens, connects = "descriptor.open-at" in names, "tcp-socket.start-connect" in names
    return Uses(
        what="component",
        accepts="tcp-socket.accept" in names,
        sockets=connects,
        connects=connects or opens,
        transfers=connects,
        listens="tcp-socket.start-listen" in names,
        opens=opens,
        input="get-stdin" in names,
        output=bool(names & {"get-stdout", "get-stderr"}),
        arguments="get-arguments" in names,
        environment="get-environment" in names,
    )


def _notes(outline: module.Module, granted: Manifest) -> list[str]:
    """Where what it asks for and what it is granted, or what a Keep has, do not fit."""
    component = outline.component
    if component is not None:
        from enarx.runtime.component.world import missing

        found = [f"a Keep has no {name}" for name in missing(component)]
        found += _unmatched(_component_uses(component), granted)
        if any("create-udp-socket" in one.functions for one in component.imports):
            found.append("the component imports datagram sockets, and no Enarx.toml can grant them")
    else:
        found = [f"a Keep has no {one.module}.{one.name}" for one in outline.imports if not _known(one)]
        found += _unmatched(_module_uses(outline), granted)
    if granted.input_from_host:
        found.append("the host feeds standard input: certificates say `input: host`")
    if _entry(outline) is None:
        found.append(f"no export named {COMMAND if component else '_start'}: it cannot be run")
    return found


def _entry(outline: module.Module) -> str | None:
    return outline.component.exported(COMMAND) if outline.component else outline.entry


def _unmatched(uses: Uses, granted: Manifest) -> list[str]:
    """What is imported and nothing granted for, and what is granted and nothing imported for."""
    listens = any(isinstance(one, Listen) for one in granted.files)
    connects = any(isinstance(one, Connect) for one in granted.files)
    network, what = granted.network, uses.what
    found = []
    if uses.accepts and not (listens or network.incoming):
        found.append(f"the {what} accepts connections, and Enarx.toml grants no socket that listens")
    elif uses.sockets and not (listens or connects or network.incoming or network.outgoing):
        found.append(f"the {what} uses sockets, and Enarx.toml grants none")
    if listens and not uses.accepts:
        found.append(f"Enarx.toml grants a socket that listens, and the {what} accepts no connections")
    unused = [
        ("a socket that connects", connects, uses.transfers),
        ("connections at run time", network.outgoing, uses.connects),
        ("listening at run time", network.incoming, uses.listens),
        ("/sealed", granted.sealed is not None, uses.opens),
        ("standard input", any(isinstance(one, Stdin) for one in granted.files), uses.input),
        ("standard output", any(isinstance(one, Stdout | Stderr) for one in granted.files), uses.output),
        ("arguments", granted.args, uses.arguments),
        ("environment variables", granted.env, uses.environment),
    ]
    return found + [
        f"Enarx.toml grants {named}, and the {what} imports nothing that could use it"
        for named, given, used in unused
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
