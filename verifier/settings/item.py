"""Items as a profile file writes them, to items as the collector takes them."""

from __future__ import annotations

from decimal import Decimal

from verifier.model.moving import Moving
from verifier.model.profile import (
    Ask,
    Bounds,
    Facts,
    FileRecords,
    FileTree,
    Golden,
    Identification,
    Item,
    Parameter,
    Parameters,
    Registers,
    ServerId,
    TextRules,
)
from verifier.model.words import Criticality, Kind
from verifier.settings.profile_file import BoundsShape, GoldenShape, ItemShape, ParameterShape, TextShape

USUAL = {
    Kind.FIRMWARE: Criticality.CRITICAL,
    Kind.PROGRAM: Criticality.CRITICAL,
    Kind.CONFIGURATION: Criticality.HIGH,
    Kind.PARAMETER: Criticality.HIGH,
    Kind.ACCOUNT: Criticality.HIGH,
    Kind.NETWORK: Criticality.HIGH,
    Kind.HARDWARE: Criticality.NORMAL,
}
"""How much drift matters where the profile does not say. Code that runs comes first; what may be another spare part comes last.
New interfaces and modems are graver than other network facts: the built-in profiles say so at those items."""


def item_of(shape: ItemShape) -> Item:
    """The item of a shape that has exactly one ask."""
    return Item(
        name=shape.name,
        kind=shape.kind,
        ask=_ask(shape),
        criticality=shape.criticality or USUAL[shape.kind],
        volatile=shape.volatile,
        text=_text(shape.text) if shape.text else None,
        version=shape.version or "",
        bounds=_bounds(shape.bounds),
        reference=shape.reference or "",
        moving=tuple(Moving(each.members, each.counter or False, each.within, each.bits) for each in shape.moving),
        golden=_golden(shape.golden) if shape.golden else None,
    )


def _ask(shape: ItemShape) -> Ask:
    if shape.files:
        return FileTree(shape.files.paths, shape.files.exclude, shape.files.proof)
    if shape.facts:
        return Facts(shape.facts)
    if shape.parameters:
        return Parameters(tuple(_parameter(one) for one in shape.parameters))
    if shape.registers:
        return Registers(shape.registers.table, shape.registers.first, shape.registers.count)
    if shape.identification:
        return Identification(shape.identification)
    if shape.server_id:
        return ServerId()
    if shape.file_records:
        return FileRecords(shape.file_records.file, shape.file_records.first, shape.file_records.count)
    assert shape.fifo
    return shape.fifo.ask()


def _parameter(shape: ParameterShape) -> Parameter:
    return Parameter(
        name=shape.name,
        table=shape.table,
        address=shape.address,
        type=shape.type,
        length=shape.length,
        word_order=shape.word_order,
        scale=Decimal(1) if shape.scale is None else shape.scale,
        unit=shape.unit or "",
        low=shape.low,
        high=shape.high,
        criticality=shape.criticality,
        reference=shape.reference or "",
    )


def _text(shape: TextShape) -> TextRules:
    usual = TextRules(shape.match)
    return TextRules(shape.match, shape.normalise, shape.redact, shape.keep, shape.limit or usual.limit)


def _golden(shape: GoldenShape) -> Golden:
    usual = Golden(shape.match)
    return Golden(shape.match, shape.limit or usual.limit, shape.total or usual.total)


def _bounds(shape: BoundsShape) -> Bounds:
    usual = Bounds()
    return Bounds(
        members=shape.members or usual.members,
        bytes=shape.bytes or usual.bytes,
        depth=shape.depth or usual.depth,
        seconds=float(shape.seconds or usual.seconds),
    )
