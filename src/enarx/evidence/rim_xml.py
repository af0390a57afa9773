# SPDX-License-Identifier: Apache-2.0
"""XML of signed manifests: a strict tree without anything that a signature could be hidden behind.

Read with expat's raw events, because a signature needs the prefixes as written. A document type,
entities, processing instructions and comments are refused outright: NVIDIA's manifests have none,
and each of them has carried an attack on signed XML.
"""

from __future__ import annotations

from xml.parsers import expat

import msgspec

from enarx.errors import Malformed, Reason

MAX_BYTES = 2 << 20
"""NVIDIA's manifests are about 20 KiB."""
MAX_DEPTH = 16
MAX_ELEMENTS = 8192
MAX_ATTRIBUTES = 64

_XMLNS = "xmlns"


class Element(msgspec.Struct, frozen=True):
    """One element as written.

    prefix, local  of its name
    namespace      the URI of its name, "" for none
    attributes     (namespace, prefix, local, value), in no particular order; no declarations
    scope          every namespace in scope here: prefix ("" for the default) to URI
    children       text and elements in document order; neighbouring text is one string
    """

    prefix: str
    local: str
    namespace: str
    attributes: tuple[tuple[str, str, str, str], ...]
    scope: dict[str, str]
    children: list[str | Element]

    def named(self, namespace: str, local: str) -> bool:
        """Whether this is the element of that name."""
        return self.namespace == namespace and self.local == local

    def elements(self) -> tuple[Element, ...]:
        """The child elements."""
        return tuple(child for child in self.children if isinstance(child, Element))

    def text(self) -> str:
        """The text of an element that has no child elements."""
        if self.elements():
            raise Malformed(Reason.WRONG_TYPE, f"XML: {self.local} has child elements")
        return "".join(child for child in self.children if isinstance(child, str))

    def attribute(self, local: str, namespace: str = "") -> str | None:
        """The value of one attribute, or None."""
        return next((value for uri, _, name, value in self.attributes if (uri, name) == (namespace, local)), None)


def parse(raw: bytes, what: str) -> Element:
    """The root element of a document in UTF-8."""
    if len(raw) > MAX_BYTES:
        raise Malformed(Reason.TOO_LARGE, f"{what}: {len(raw)} bytes, at most {MAX_BYTES}")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(Reason.SYNTAX, f"{what}: not UTF-8") from None
    builder = _Builder(what)
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.XmlDeclHandler = builder.declaration
    parser.StartDoctypeDeclHandler = builder.refuse_doctype
    parser.EntityDeclHandler = builder.refuse_entity
    parser.ProcessingInstructionHandler = builder.refuse_instruction
    parser.CommentHandler = builder.refuse_comment
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise Malformed(Reason.SYNTAX, f"{what}: {error}") from None
    return builder.root()


class _Builder:
    """Builds the tree from expat's events, in document order."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._open: list[Element] = []
        self._root: Element | None = None
        self._count = 0

    def root(self) -> Element:
        if self._root is None:
            raise Malformed(Reason.SYNTAX, f"{self._what}: no element")
        return self._root

    def start(self, name: str, given: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH:
            raise Malformed(Reason.TOO_DEEP, self._what)
        if self._count > MAX_ELEMENTS or len(given) > MAX_ATTRIBUTES:
            raise Malformed(Reason.TOO_LARGE, f"{self._what}: elements or attributes")
        scope = self._scope(given)
        prefix, local = _split(name, self._what)
        element = Element(prefix, local, self._uri(prefix, scope), self._attributes(given, scope), scope, [])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        if not self._open:
            return
        children = self._open[-1].children
        if children and isinstance(children[-1], str):
            children[-1] += text
        else:
            children.append(text)

    def _scope(self, given: dict[str, str]) -> dict[str, str]:
        """Namespaces in scope at an element: its parent's, and the ones that it declares."""
        scope = dict(self._open[-1].scope) if self._open else {}
        for name, uri in given.items():
            if name != _XMLNS and not name.startswith(_XMLNS + ":"):
                continue
            prefix = name[len(_XMLNS) + 1 :]
            # No format that we read takes a namespace away again or touches the two reserved prefixes.
            if not uri or prefix in {"xml", _XMLNS}:
                raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: declaration of namespace {prefix!r}")
            scope[prefix] = uri
        return scope

    def _uri(self, prefix: str, scope: dict[str, str]) -> str:
        if prefix and prefix not in scope:
            raise Malformed(Reason.SYNTAX, f"{self._what}: namespace prefix {prefix!r} is not declared")
        return scope.get(prefix, "")

    def _attributes(self, given: dict[str, str], scope: dict[str, str]) -> tuple[tuple[str, str, str, str], ...]:
        found: list[tuple[str, str, str, str]] = []
        for name, value in given.items():
            prefix, local = _split(name, self._what)
            if _XMLNS in (name, prefix):
                continue
            found.append((self._uri(prefix, scope) if prefix else "", prefix, local, value))
        if len({(uri, local) for uri, _, local, _ in found}) != len(found):
            raise Malformed(Reason.DUPLICATE, f"{self._what}: attribute")
        return tuple(found)

    def declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        """What a document says of its own encoding is true, or it is refused."""
        if encoding is not None and encoding.lower() != "utf-8":
            raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: encoding {encoding[:20]!r}")

    def refuse_doctype(self, *_: object) -> None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: document type declaration")

    def refuse_entity(self, *_: object) -> None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: entity declaration")

    def refuse_instruction(self, *_: object) -> None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: processing instruction")

    def refuse_comment(self, *_: object) -> None:
        raise Malformed(Reason.UNKNOWN_VALUE, f"{self._what}: comment")


def _split(name: str, what: str) -> tuple[str, str]:
    prefix, colon, local = name.partition(":")
    if not colon:
        return "", name
    if not prefix or not local or ":" in local:
        raise Malformed(Reason.SYNTAX, f"{what}: name {name[:40]!r}")
    return prefix, local
