"""`{plc}` in a text becomes the value that the crane gives. `{{` and `}}` stand for the braces themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping as Values
from typing import assert_never

from verifier.settings.fault import Fault
from verifier.settings.node import Entry, Listing, Mapping, Node, Scalar

_PIECE = re.compile(r"\{\{|\}\}|\{([a-z][a-z0-9_]*)\}|[{}]")


class Filling:
    """Fills the texts of one crane, and remembers which of its values were wanted and which were missing."""

    def __init__(self, crane: str, values: Values[str, Scalar]) -> None:
        self._crane = crane
        self._values = values
        self.used: set[str] = set()
        self.faults: list[Fault] = []

    def filled(self, node: Node) -> Node:
        """The tree with every placeholder of its texts replaced. A text that is one placeholder takes the value as it is."""
        match node:
            case Scalar(str() as text) if "{" in text or "}" in text:
                return self._text(node, text)
            case Scalar():
                return node
            case Listing(items, place):
                return Listing(tuple(self.filled(item) for item in items), place)
            case Mapping(entries, place):
                return Mapping(tuple(Entry(e.key, e.place, self.filled(e.value)) for e in entries), place)
            case _:
                assert_never(node)

    def _text(self, node: Scalar, text: str) -> Scalar:
        whole = _PIECE.fullmatch(text)
        if whole and whole[1]:
            return self._value(whole[1], node)

        def piece(found: re.Match[str]) -> str:
            if found[1]:
                return str(self._value(found[1], node).value)
            if len(found[0]) == 1:
                self._fault(
                    node,
                    f"a lone {found[0]} in a text",
                    f"write {found[0] * 2} for a brace, or {{name}} for a value of the crane",
                )
            return found[0][0]

        return Scalar(_PIECE.sub(piece, text), node.place)

    def _value(self, name: str, node: Scalar) -> Scalar:
        if name in self._values:
            self.used.add(name)
            return self._values[name]
        given = ", ".join(sorted(self._values))
        self._fault(
            node, f"crane {self._crane} gives no value for {{{name}}}", f"add `{name}: ...` to its `values`; given are {given}"
        )
        return Scalar("", node.place)

    def _fault(self, node: Scalar, message: str, hint: str) -> None:
        self.faults.append(Fault(node.place.line, node.place.column, message, hint))
