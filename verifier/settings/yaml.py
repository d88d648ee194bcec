"""Strict YAML: one document of mappings, lists, text, whole numbers, true, false and null, every value with its line.

Refused, each with the line and the fix: a key written twice, anchors and aliases (they can make a small file huge), merge
keys, tags, a second document, directives, words that YAML 1.1 reads as something unexpected (see `scalar`), tabs, control
characters. Size is bounded before anything is parsed and nesting before anything is built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from verifier.errors import SettingsError
from verifier.settings.fault import Fault, refusal
from verifier.settings.node import Entry, Listing, Mapping, Node, Place, Scalar
from verifier.settings.scalar import Surprise, resolved

SIZE = 1 << 20
"""Bytes a file may have."""
DEPTH = 32
"""How deep lists and mappings may stand in each other."""
SECRET_KEYS = frozenset({"password", "passphrase", "interactive", "secret", "token", "pin"})
"""What stands under these keys is never repeated in a message."""

# libyaml gives the same events seventeen times faster than Python; a wheel without it still works
_Loader: type[yaml.CSafeLoader] | type[yaml.SafeLoader] = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
# what YAML does not allow, what only some readers take for a line break, and what shows a text otherwise than it is
_INVISIBLE = re.compile(
    "[^\t\n\x20-\x7e\xa1-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_TROUBLE = (
    (
        "cannot start any token",
        "this character cannot begin a value here",
        "indent with spaces, not tabs; put text that begins with @ ` or % in quotes",
    ),
    (
        "mapping values are not allowed",
        "a colon stands where no key can be",
        "put text that holds a colon and a space in quotes, or check the indentation",
    ),
    ("expected key", "this line is not indented like its neighbours", "give all keys of one block the same indentation"),
    ("block end", "this line is not indented like its neighbours", "give all keys of one block the same indentation"),
    (
        "expected '-' indicator",
        "this line is not indented like its neighbours",
        "begin every entry of the list with `- ` in one column",
    ),
    ("expected ',' or", "a list or mapping in brackets is not closed", "add the missing `]`, `}` or comma"),
    ("expected node content", "a list or mapping in brackets is not closed", "add the missing `]` or `}`"),
    ("expected the node content", "a list or mapping in brackets is not closed", "add the missing `]` or `}`"),
    ("end of stream", "a quotation mark is opened and never closed", "add the missing quotation mark"),
    ("could not find expected ':'", "a key without a colon", "write `key: value`"),
    ("escape", "a backslash in double quotes begins an escape", "double the backslash, or use single quotes"),
    ("hexdecimal", "a backslash in double quotes begins an escape", "double the backslash, or use single quotes"),
)


def read_node(path: Path) -> Node:
    """The tree of a file.

    Raises:
        SettingsError: it cannot be read, is too large, not UTF-8, or not strict YAML.
    """
    try:
        with path.open("rb") as file:
            data = file.read(SIZE + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SettingsError(str(path), 0, f"cannot be read: {reason}", "check the name and the permissions") from error
    if len(data) > SIZE:
        raise _too_large(str(path))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(str(path), line, "a byte that is not UTF-8", "save the file as UTF-8") from error
    return parse(text, str(path))


def parse(text: str, path: str) -> Node:
    """The tree of a text; `path` is only what errors call it.

    Raises:
        SettingsError: as `read_node`; all faults of the file in one error where the file's structure holds.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if len(text) > SIZE or len(text.encode("utf-8", "surrogatepass")) > SIZE:
        raise _too_large(path)
    if found := _INVISIBLE.search(text):
        line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
        message = f"the invisible character U+{ord(found[0]):04X}"
        raise SettingsError(path, line, message, "remove it; inside double quotes it can be written as an escape", column)
    builder = _Builder(path)
    try:
        node = builder.document(_events(text, path))
    except yaml.MarkedYAMLError as error:
        raise _trouble(path, error) from error
    except yaml.YAMLError as error:
        raise SettingsError(path, 0, "not a YAML file", "see the examples that `crane-verify init` writes") from error
    if builder.faults:
        raise refusal(path, builder.faults)
    return node


def _events(text: str, path: str) -> Iterator[yaml.Event]:
    """The events of a text, stopped before nesting costs anything."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEPTH:
                place = _place(event)
                raise SettingsError(
                    path,
                    place.line,
                    f"nested more than {DEPTH} deep",
                    "nothing here needs that; check the brackets",
                    place.column,
                )
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        yield event


class _Builder:
    """Events to nodes. Faults that leave the structure intact are collected, so that one run shows them all."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.faults: list[Fault] = []

    def document(self, events: Iterator[yaml.Event]) -> Node:
        node: Node | None = None
        for event in events:
            match event:
                case yaml.DocumentStartEvent():
                    if node is not None:
                        self._fault(event, "a second document begins here", "keep one document per file; remove the `---`")
                        return node
                    if event.version or event.tags:
                        self._fault(event, "a YAML directive", "remove the line that begins with %")
                case yaml.StreamStartEvent() | yaml.DocumentEndEvent() | yaml.StreamEndEvent():
                    pass
                case _:
                    node = self._node(event, events, secret=False)
        return node if node is not None else Scalar(None, Place(1, 1))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], secret: bool) -> Node:
        place = _place(event)
        if isinstance(event, yaml.AliasEvent):
            self._fault(event, f"the alias *{event.anchor}", "write the value out; for sister cranes use `groups`")
            return Scalar(None, place)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if event.anchor is not None:
            self._fault(event, f"the anchor &{event.anchor}", "remove it; for sister cranes use `groups`")
        if event.tag is not None:
            self._fault(event, "a YAML tag, the word that begins with !", "remove it; put text in quotes")
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(self._value(event, secret), place)
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(event := next(events), yaml.SequenceEndEvent):
                items.append(self._node(event, events, secret))
            return Listing(tuple(items), place)
        return self._mapping(events, place, secret)

    def _mapping(self, events: Iterator[yaml.Event], place: Place, secret: bool) -> Mapping:
        entries: dict[str, Entry] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            place_of_key = _place(event)
            key = self._key(event, events, secret)
            value = self._node(next(events), events, secret or key in SECRET_KEYS)
            if key in entries:
                first = entries[key].place.line
                self._fault(event, f"the key `{_short(key)}` is written twice, first in line {first}", "keep one of the two")
            else:
                entries[key] = Entry(key, place_of_key, value)
        return Mapping(tuple(entries.values()), place)

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], secret: bool) -> str:
        told = len(self.faults)
        node = self._node(event, events, secret)
        if isinstance(node, Scalar) and isinstance(node.value, str):
            return node.value
        if len(self.faults) > told:
            pass
        elif isinstance(node, Scalar):
            word = json.dumps(node.value)
            self._fault(event, f"the key {word} is not text", f'put it in quotes: "{word}"')
        else:
            self._fault(event, "a list or mapping used as a key", "a key is one word")
        return f"\0{node.place.line}:{node.place.column}"  # no key of a file can be this one

    def _value(self, event: yaml.ScalarEvent, secret: bool) -> str | int | bool | None:
        text = str(event.value)
        if not event.implicit[0] or event.style in ("'", '"', "|", ">"):
            return text
        match resolved(text):
            case Surprise(message, hint):
                if secret:
                    message, hint = "this word would be read as something other than text", "put it in quotes"
                self._fault(event, message, hint)
                return None
            case value:
                return value

    def _fault(self, event: yaml.Event, message: str, hint: str) -> None:
        place = _place(event)
        self.faults.append(Fault(place.line, place.column, message, hint))


def _place(event: yaml.Event) -> Place:
    assert event.start_mark is not None  # the parser marks every event; only hand-made ones have none
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _too_large(path: str) -> SettingsError:
    return SettingsError(path, 0, f"larger than {SIZE >> 20} MiB", "this is not a file of settings, or it should be several")


def _trouble(path: str, error: yaml.MarkedYAMLError) -> SettingsError:
    """The parser's own words are about tokens; a technician needs words about the line."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = str(error.problem or "")
    for part, message, hint in _TROUBLE:
        if part in problem:
            return SettingsError(path, line, message, hint, column)
    return SettingsError(
        path, line, f"not YAML here: {problem}", "check brackets, quotes and indentation from this line upwards", column
    )
