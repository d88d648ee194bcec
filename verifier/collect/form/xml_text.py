"""`xml`: a document written again with its attributes sorted and one element in a line.

Not compared: the order of attributes, white space between elements where there is no other text (and no `xml:space="preserve"`),
quotes, character references, CDATA marks, how an empty element is written, the XML declaration (the characters it decodes to are
compared), and comments where the rule says so. The order of elements is compared; namespace prefixes are compared as written.

A document type is refused before anything of it is read, so there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from verifier.collect.form.form import DEEPEST, LARGEST, MASKED, MOST, Normal, NotOfForm
from verifier.model.place import ANY, Steps, path

_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "windows-1252", "utf-16"})
SPACE: Final = "xml:space"
_BLANK = re.compile(r"[ \t\r\n]*")
_ESCAPES: Final = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_IN_QUOTES: Final = {**_ESCAPES, ord('"'): "&quot;", ord("\t"): "&#9;", ord("\n"): "&#10;"}


@dataclass(slots=True)
class _Element:
    name: str
    attributes: dict[str, str]
    children: list[_Element | _Aside | str] = field(default_factory=list)


@dataclass(slots=True)
class _Aside:
    """A comment or a processing instruction, as it is written."""

    text: str


def xml_text(data: bytes, masks: Iterable[str], no_comments: bool) -> Normal:
    """The document written again, in UTF-8.

    Args:
        masks: paths of single values that are not compared: `/config/status/uptime` is the text of an element without elements in
            it, `/config/status/@time` an attribute. A step `*` is any one name; `port[2]` the second of that name beside each
            other. An element with others in it is compared all the same.

    Raises:
        NotOfForm: as the head of this module says, or over the bounds.
    """
    reading = _Reading(no_comments)
    top = reading.document(data)
    writer = _Writer()
    for node in top:
        writer.block(node, 0, [path(mask) for mask in masks], "")
    return Normal("".join(writer.out).encode(), writer.masked + reading.comments_left_out)


def xml_values(data: bytes) -> dict[str, str]:
    """Every path a mask may name, each of one element or attribute alone, with its text."""
    found: dict[str, str] = {}
    for node in _Reading(no_comments=False).document(data):
        if isinstance(node, _Element):
            _collect(node, f"/{node.name}", found)
    return found


class _Reading:
    """One document being read. Bounds are kept while it grows."""

    def __init__(self, no_comments: bool) -> None:
        self._top: list[_Element | _Aside | str] = []
        self._open: list[_Element] = []
        self._count = 0
        self._no_comments = no_comments
        self.comments_left_out = 0

    def document(self, data: bytes) -> list[_Element | _Aside]:
        if len(data) > LARGEST:
            raise NotOfForm(f"longer than {LARGEST:,} bytes")
        parser = expat.ParserCreate()
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.CommentHandler = self._comment
        parser.ProcessingInstructionHandler = self._instruction
        try:
            parser.Parse(data, True)
        except expat.ExpatError as error:
            raise NotOfForm(f"no XML from line {error.lineno}: {expat.ErrorString(error.code)}") from error
        return [node for node in self._top if not isinstance(node, str)]

    def _declaration(self, _: str, encoding: str | None, __: int) -> None:
        if encoding and encoding.lower() not in _ENCODINGS:
            raise NotOfForm("an encoding that is not UTF-8, UTF-16, ISO-8859-1 or Windows-1252")

    def _document_type(self, *_: object) -> None:
        raise NotOfForm("it has a document type, which could define what its words mean")

    def _start(self, name: str, attributes: list[str]) -> None:
        self._counted(1 + len(attributes) // 2)
        if len(self._open) >= DEEPEST:
            raise NotOfForm(f"more than {DEEPEST} elements one in the other")
        element = _Element(name, dict(zip(attributes[::2], attributes[1::2], strict=True)))
        self._children.append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        self._open.pop()

    def _text(self, text: str) -> None:
        self._counted(1)
        children = self._children
        if children and isinstance(children[-1], str):
            children[-1] += text
        else:
            children.append(text)

    def _comment(self, text: str) -> None:
        self._counted(1)
        if self._no_comments:
            self.comments_left_out += 1
        else:
            self._children.append(_Aside(f"<!--{text}-->"))

    def _instruction(self, target: str, text: str) -> None:
        self._counted(1)
        self._children.append(_Aside(f"<?{target} {text}?>" if text else f"<?{target}?>"))

    @property
    def _children(self) -> list[_Element | _Aside | str]:
        return self._open[-1].children if self._open else self._top

    def _counted(self, more: int) -> None:
        self._count += more
        if self._count > MOST:
            raise NotOfForm(f"more than {MOST:,} values")


class _Writer:
    """Writes a document; each mask is given from the element on that it goes through."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.masked = 0

    def block(self, node: _Element | _Aside | str, depth: int, masks: list[Steps], index: str) -> None:
        """A node on lines of its own."""
        self.out.append(" " * depth)
        if not isinstance(node, _Element):
            self.inline(node, masks, index)
        elif (inner := self._opened(node, masks, index)) is None:
            pass
        elif _only_elements(node):
            self.out.append(">\n")
            for child, place in _numbered(node.children):
                if not isinstance(child, str):
                    self.block(child, depth + 1, inner, place)
            self.out.append(f"{' ' * depth}</{node.name}>")
        else:
            self._content(node, inner)
        self.out.append("\n")

    def inline(self, node: _Element | _Aside | str, masks: list[Steps], index: str) -> None:
        """A node between text, where white space counts."""
        match node:
            case str():
                self.out.append(_escaped(node, _ESCAPES))
            case _Aside(text):
                self.out.append(text)
            case _Element():
                if (inner := self._opened(node, masks, index)) is not None:
                    self._content(node, inner)

    def _opened(self, node: _Element, masks: list[Steps], index: str) -> list[Steps] | None:
        """The start tag without its end, and the masks that go on inside; None where nothing is inside: then it is whole."""
        inner = [mask[1:] for mask in masks if mask[0] in (node.name, f"{node.name}{index}", ANY)]
        self.out.append(f"<{node.name}")
        for name, value in sorted(node.attributes.items()):
            hidden = (f"@{name}",) in inner and name != SPACE  # it says how the rest is read
            self.masked += hidden
            self.out.append(f' {name}="{MASKED if hidden else _escaped(value, _IN_QUOTES)}"')
        if () in inner and not any(isinstance(child, _Element) for child in node.children):
            self.masked += 1
            node.children = [MASKED, *(child for child in node.children if not isinstance(child, str))]
        inner = [mask for mask in inner if mask]
        if not node.children:
            self.out.append("/>")
            return None
        return inner

    def _content(self, node: _Element, inner: list[Steps]) -> None:
        self.out.append(">")
        for child, place in _numbered(node.children):
            self.inline(child, inner, place)
        self.out.append(f"</{node.name}>")


def _only_elements(node: _Element) -> bool:
    """May white space in it go? Not beside other text, not as the only content, not where the document says that it counts."""
    texts = [child for child in node.children if isinstance(child, str)]
    return (
        len(texts) < len(node.children)
        and all(_BLANK.fullmatch(text) for text in texts)
        and node.attributes.get(SPACE) != "preserve"
    )


def _numbered(children: list[_Element | _Aside | str]) -> Iterator[tuple[_Element | _Aside | str, str]]:
    """Children, elements with `[2]` for the second of their name."""
    seen: Counter[str] = Counter()
    for child in children:
        if isinstance(child, _Element):
            seen[child.name] += 1
            yield child, f"[{seen[child.name]}]"
        else:
            yield child, ""


def _escaped(text: str, escapes: Mapping[int, str]) -> str:
    return text.translate(escapes)


def _collect(element: _Element, at: str, found: dict[str, str]) -> None:
    for name, value in element.attributes.items():
        found[f"{at}/@{name}"] = value
    inner = [child for child in element.children if isinstance(child, _Element)]
    if not inner:
        found[at] = "".join(child for child in element.children if isinstance(child, str))
    times = Counter(child.name for child in inner)
    for child, place in _numbered(element.children):
        if isinstance(child, _Element):
            _collect(child, f"{at}/{child.name}{place if times[child.name] > 1 else ''}", found)
