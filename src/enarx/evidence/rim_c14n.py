# SPDX-License-Identifier: Apache-2.0
"""Canonical XML of the strict trees of `rim_xml`: inclusive (1.0 and 1.1 are the same here) and exclusive.

The standard library's `ElementTree.canonicalize` is C14N 2.0, which drops namespaces that are not
visibly used; NVIDIA signs inclusive Canonical XML 1.1, which keeps them. In trees without comments,
processing instructions, document types, `xml:` attributes and undeclared namespaces, what is left of
https://www.w3.org/TR/xml-c14n11/ is the order of attributes, the namespace axis and escaping.
"""

from __future__ import annotations

from collections.abc import Iterator

from enarx.evidence.rim_xml import Element

INCLUSIVE_10 = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
INCLUSIVE_11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ALGORITHMS = frozenset((INCLUSIVE_10, INCLUSIVE_11, EXCLUSIVE))


def canonical(apex: Element, algorithm: str, *, without: Element | None = None) -> bytes:
    """The canonical form of the subtree at `apex`, leaving out the subtree at `without`."""
    return "".join(_written(apex, {}, algorithm == EXCLUSIVE, without)).encode("utf-8")


def _written(element: Element, rendered: dict[str, str], exclusive: bool, without: Element | None) -> Iterator[str]:  # noqa: FBT001
    """`rendered`: the namespace declarations that output ancestors have written, by prefix."""
    name = f"{element.prefix}:{element.local}" if element.prefix else element.local
    wanted = _used(element) if exclusive else element.scope
    fresh = {prefix: uri for prefix, uri in wanted.items() if rendered.get(prefix) != uri}
    yield f"<{name}"
    for prefix, uri in sorted(fresh.items()):
        yield f' xmlns:{prefix}="{_in_attribute(uri)}"' if prefix else f' xmlns="{_in_attribute(uri)}"'
    for _, local, value, prefix in sorted(
        (uri, local, value, prefix) for uri, prefix, local, value in element.attributes
    ):
        yield f' {prefix}:{local}="{_in_attribute(value)}"' if prefix else f' {local}="{_in_attribute(value)}"'
    yield ">"
    below = {**rendered, **fresh}
    for child in element.children:
        if isinstance(child, str):
            yield _in_text(child)
        elif child is not without:
            yield from _written(child, below, exclusive, without)
    yield f"</{name}>"


def _used(element: Element) -> dict[str, str]:
    """Exclusive C14N section 3: the prefixes of the element's own name and of its attributes."""
    prefixes = {element.prefix, *(prefix for _, prefix, _, _ in element.attributes if prefix)}
    return {prefix: element.scope[prefix] for prefix in prefixes if prefix in element.scope}


def _in_text(text: str) -> str:
    """Section 2.3, text nodes."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def _in_attribute(text: str) -> str:
    """Section 2.3, attribute nodes."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return escaped.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")
