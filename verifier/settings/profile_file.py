"""The shape of a profile file. `item` turns its items into values, `profiles` the whole."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from verifier.model.profile import GOLDEN_KINDS, Fifo, IdentificationLevel, NumberType, Parameter, Proof, Topic, WordOrder
from verifier.model.words import Criticality, Kind, Maturity, Table
from verifier.settings.fields import DecimalText, Label, Line, Name, Size
from verifier.settings.normalise import NormaliseStep
from verifier.settings.pattern import DevicePath, Expression, MemberPattern, VersionExpression
from verifier.settings.shape import Shape

ASKS = ("files", "facts", "parameters", "registers", "identification", "server_id", "file_records", "fifo")
"""The keys of an item that say what is asked. Exactly one is written."""

MOVES = ("counter", "within", "bits")
"""The rules of which one says how a register moves."""

RESERVED = frozenset({"connection", "profile"})
"""Items the tool adds by itself: how the device proved who it is, and in a report what was asked. In any spelling of capitals."""

Word = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1, le=65536)]


class FilesShape(Shape):
    paths: Annotated[tuple[DevicePath, ...], Field(min_length=1, max_length=100)]
    """Files and folders, with all that is below them. What does not exist is no reading; when it appears, that is drift."""
    exclude: tuple[MemberPattern, ...] = ()
    """Not read at all. Stands in the report."""
    proof: Proof = Proof.CONTENT
    """content: bytes read out and hashed here. device-hash: weaker, the device says it. cross-checked: both."""


class TextShape(Shape):
    match: Annotated[tuple[MemberPattern, ...], Field(min_length=1)]
    """Which members are text."""
    normalise: tuple[NormaliseStep, ...] = ()
    """In their order: line-ends, trailing-space, sort-lines, drop-lines, drop-match, or a form: key-value, ini, json, xml."""
    redact: tuple[Expression, ...] = ()
    """Secrets: each group, or the whole match, is replaced before anything is stored or shown. One line at a time."""
    keep: bool = False
    """Keep the redacted text, so that drift can be shown line by line."""
    limit: Size | None = None


class GoldenShape(Shape):
    match: Annotated[tuple[MemberPattern, ...], Field(min_length=1)]
    """Members whose exact bytes are kept when a baseline is proposed, for restore kits. What holds secrets is named in full."""
    limit: Size | None = None
    """Longer members are not kept. Default 64 MiB."""
    total: Size | None = None
    """Of the item so much is kept at most. Default 1 GiB."""


class ParameterShape(Shape):
    name: Label
    table: Table
    address: Word
    """Protocol address from 0: what manuals call 40001 is 0 of holding."""
    type: NumberType = NumberType.U16
    length: Annotated[int, Field(ge=0, le=125)] = 0
    """Registers of a text."""
    word_order: WordOrder = WordOrder.HIGH_FIRST
    scale: DecimalText | None = None
    """Engineering value = raw value x scale."""
    unit: Line | None = None
    low: DecimalText | None = None
    high: DecimalText | None = None
    """Limits in engineering units."""
    criticality: Criticality | None = None
    reference: Line | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.type is NumberType.BIT) != self.table.bits:
            raise ValueError(
                f"{self.type.value} cannot stand in the table {self.table.value}",
                "coil and discrete hold bits, holding and input hold numbers",
            )
        size = Parameter(self.name, self.table, self.address, self.type, self.length).registers
        if self.address + size > 65536:
            raise ValueError(f"{size} registers from {self.address} goes past address 65535", "addresses are 0 to 65535")
        if (self.type is NumberType.TEXT) != (self.length > 0):
            raise ValueError(
                "`length` belongs to type text, and only there", "write how many registers the text takes, or remove `length`"
            )
        if self.type in (NumberType.TEXT, NumberType.BIT) and (self.scale, self.low, self.high) != (None, None, None):
            raise ValueError(f"a {self.type.value} has no scale and no limits", "remove scale, low and high")
        if self.scale == 0:
            raise ValueError("a scale of 0 makes every value 0", 'write what one count is worth, like "0.1"')
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}", "exchange the two")
        return self


class RegistersShape(Shape):
    table: Table
    first: Word
    """Protocol address, from 0."""
    count: Count

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.first + self.count > 65536:
            raise ValueError(f"{self.count} from {self.first} goes past address 65535", "addresses are 0 to 65535")
        return self


class FileRecordsShape(Shape):
    file: Annotated[int, Field(ge=1, le=65535)]
    first: Annotated[int, Field(ge=0, le=9999)]
    count: Annotated[int, Field(ge=1, le=10000)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.first + self.count > 10000:
            raise ValueError(f"{self.count} from {self.first} goes past record 9999", "a Modbus file has records 0 to 9999")
        return self


class FifoShape(Shape):
    address: Word

    def ask(self) -> Fifo:
        return Fifo(self.address)


class MovingShape(Shape):
    """Registers that move by themselves, compared by what they may do: exactly one of counter, within, bits."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [rule]} for rule in MOVES]})

    members: Annotated[tuple[Line, ...], Field(min_length=1, max_length=100)]
    """Each by its name: a parameter, or a register as reports show it, like `holding 00104`."""
    counter: Literal[True] | None = None
    """May rise, never falls."""
    within: DecimalText | None = None
    """May be so far from the approved value, in its own unit."""
    bits: Annotated[tuple[Annotated[int, Field(ge=0, le=15)], ...], Field(max_length=15)] = ()
    """Bits of one register that are not compared, 0 being the lowest."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.counter is not None) + (self.within is not None) + bool(self.bits) != 1:
            raise ValueError("a register moves by exactly one rule", f"write one of {', '.join(MOVES)}")
        if self.within is not None and self.within <= 0:
            raise ValueError("`within` must be more than 0", "leave the rule out, and every change is drift")
        return self

    def fits(self, parameter: Parameter) -> bool:
        """Is it a rule for such a value?"""
        if self.bits:
            return parameter.type in (NumberType.U16, NumberType.S16)
        return parameter.type not in (NumberType.BIT, NumberType.TEXT)


class BoundsShape(Shape):
    """What one item may cost. Reaching a bound makes it unread, never silently shorter."""

    members: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    bytes: Size | None = None
    depth: Annotated[int, Field(ge=1, le=1000)] | None = None
    seconds: Annotated[int, Field(ge=1, le=86_400)] | None = None


class ItemShape(Shape):
    """One thing to ask: exactly one of files, facts, parameters, registers, identification, server_id, file_records, fifo."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [ask]} for ask in ASKS]})

    name: Label
    kind: Kind
    criticality: Criticality | None = None
    """Default by kind: firmware and program critical, hardware normal, the others high."""
    files: FilesShape | None = None
    facts: Topic | None = None
    parameters: Annotated[tuple[ParameterShape, ...], Field(min_length=1, max_length=10_000)] | None = None
    registers: RegistersShape | None = None
    identification: IdentificationLevel | None = None
    server_id: Literal[True] | None = None
    file_records: FileRecordsShape | None = None
    fifo: FifoShape | None = None
    text: TextShape | None = None
    version: VersionExpression | None = None
    """A regular expression with one group that finds a version, so that a downgrade is named."""
    volatile: tuple[MemberPattern, ...] = ()
    """Members that are read and recorded but not compared."""
    moving: Annotated[tuple[MovingShape, ...], Field(max_length=100)] = ()
    """Registers that are compared by a rule of their own."""
    golden: GoldenShape | None = None
    """Which files' exact bytes are kept, secrets and all, so that a device can be set up anew."""
    bounds: BoundsShape = BoundsShape()
    reference: Line | None = None

    @model_validator(mode="after")
    def _one_ask(self) -> Self:
        asks = [ask for ask in ASKS if getattr(self, ask) is not None]
        if len(asks) != 1:
            told = f"asks {' and '.join(asks)}" if asks else "asks nothing"
            raise ValueError(
                f"the item `{self.name}` {told}", f"write exactly one of {', '.join(ASKS)}; the rest is an item of its own"
            )
        if self.name.casefold() in RESERVED:
            raise ValueError(f"`{self.name}` is an item the tool adds by itself", "choose another name")
        if self.text and not self.files:
            raise ValueError("`text` is for files", "remove it, or ask for `files`")
        if self.golden:
            self._golden_is_bounded(self.golden)
        if self.moving:
            self._named_registers()
        return self

    def _golden_is_bounded(self, golden: GoldenShape) -> None:
        """Exact bytes are not redacted: where secrets are likely, each file is named, and nothing is kept by a wildcard."""
        if not self.files:
            raise ValueError("`golden` is for files", "remove it; registers stand in the baseline as they are")
        secret = self.kind not in GOLDEN_KINDS or bool(self.text and self.text.redact)
        for each in golden.match:
            if secret and ("*" in each or "?" in each):
                why = "redacts secrets" if self.kind in GOLDEN_KINDS else f"is of kind {self.kind}"
                raise ValueError(
                    f'`golden` would keep exact copies by the pattern "{each}", and the item {why}',
                    "copies are not redacted: name each file in full, or make two items of it",
                )

    def _named_registers(self) -> None:
        numbers = self._numbers()
        seen: set[str] = set()
        for rule in self.moving:
            for name in rule.members:
                if name not in numbers:
                    raise ValueError(
                        f"`moving` names {name}, which the item does not ask",
                        "write the name of a parameter, or of a register as reports show it, like holding 00104",
                    )
                if not rule.fits(numbers[name]):
                    raise ValueError(f"the rule for {name} does not fit a {numbers[name].type.value}", "see `type`")
                if name in seen:
                    raise ValueError(f"two rules for {name}", "write one")
                seen.add(name)

    def _numbers(self) -> dict[str, Parameter]:
        """What can move, by the name that reports give it."""
        if self.parameters:
            return {each.name: Parameter(each.name, each.table, each.address, each.type, each.length) for each in self.parameters}
        if self.registers is None:
            return {}
        table, first = self.registers.table, self.registers.first
        kind = NumberType.BIT if table.bits else NumberType.U16
        names = {f"{table.value} {address:05d}": address for address in range(first, first + self.registers.count)}
        return {name: Parameter(name, table, address, kind) for name, address in names.items()}


class PaceShape(Shape):
    """How fast the device may be asked."""

    requests_per_second: DecimalText | None = None
    """Like 10, or "0.5" for one request in two seconds."""
    bytes_per_second: Size | None = None
    registers_per_request: Annotated[int, Field(ge=1, le=125)] | None = None
    bits_per_request: Annotated[int, Field(ge=1, le=2000)] | None = None
    tries: Annotated[int, Field(ge=1, le=10)] | None = None
    """After so many failures in a row the device is left alone."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.requests_per_second is not None and not 0 < self.requests_per_second <= 1000:
            raise ValueError("requests_per_second is out of range", "write more than 0 and at most 1000")
        return self


class BusyShape(Shape):
    """The crane is working, and is left for later, when this register or coil has one of these values."""

    table: Table
    address: Word
    values: Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.table.bits and not set(self.values) <= {0, 1}:
            raise ValueError(f"a {self.table.value} is 0 or 1", "write values: [1]")
        return self


class ProfileShape(Shape):
    profile: Name
    """Its name, and that of the file."""
    title: Line
    version: Annotated[int, Field(ge=1, le=1_000_000)]
    """Raise it with every change."""
    maturity: Maturity
    """documented: from the vendor's papers. simulated: tried on a simulated device. field-tested: on a real one."""
    extends: Name | None = None
    """Another profile: its items come first, an item of the same name here replaces it."""
    without: tuple[Label, ...] = ()
    """Items of the extended profile that do not fit this device."""
    references: tuple[Line, ...] = ()
    """Vendor documents, pages, firmware versions it rests on."""
    gaps: tuple[Line, ...] = ()
    """What is left out because nothing confirms it."""
    pace: PaceShape = PaceShape()
    busy_when: BusyShape | None = None
    items: tuple[ItemShape, ...] = ()
