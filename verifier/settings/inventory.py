"""inventory.yaml to an `Inventory`.

A device is laid over its crane, its group, its site and the defaults of the file, in this order; what is written nearest
to the device wins, key by key. Then the crane's values are filled in, and only then is it a whole device and checked as one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from verifier.model.device import Device, DeviceName
from verifier.model.inventory import Inventory
from verifier.settings.address import ROUTES, address_of, endpoint
from verifier.settings.fault import Fault, refusal
from verifier.settings.inventory_file import DeviceShape, InventoryShape, LayerShape
from verifier.settings.node import Entry, Mapping, Node, Place, Scalar, overlay, without_nulls
from verifier.settings.placeholder import Filling
from verifier.settings.shape import checked, faults_of_part, near
from verifier.settings.yaml import parse, read_node

_LAYER = tuple(LayerShape.model_fields)
_GIVEN = ("site", "crane", "device")
"""Values that every device has without being given any."""


def load_inventory(path: Path) -> Inventory:
    """The inventory of a file. Relative paths in it start at the file's folder.

    Raises:
        SettingsError: unreadable, or wrong; one error names all faults with their lines.
    """
    return _inventory(read_node(path), str(path), path.absolute().parent)


def read_inventory(text: str, path: str) -> Inventory:
    """The inventory of a text; `path` is what errors call it and where relative paths start.

    Raises:
        SettingsError: as `load_inventory`.
    """
    return _inventory(parse(text, path), path, Path(path).absolute().parent)


def _inventory(root: Node, path: str, base: Path) -> Inventory:
    faults = list(faults_of_part(InventoryShape, without_nulls(root)))
    if not isinstance(root, Mapping) or faults:
        raise refusal(path, faults)
    if root.entry("sites") is None:
        raise refusal(path, [Fault(0, 0, "no `sites`", "write `sites:` and below it sites, cranes and devices")])
    reading = _Reading(root, base)
    devices = tuple(reading.devices())
    if reading.faults:
        raise refusal(path, reading.faults)
    return Inventory(devices)


class _Reading:
    """One pass over a file whose parts have their right shape."""

    def __init__(self, root: Mapping, base: Path) -> None:
        self.root = root
        self.base = base
        self.faults: list[Fault] = []
        self._taken: dict[str, tuple[DeviceName, int]] = {}

    def devices(self) -> Iterator[Device]:
        groups = _mapping(self.root.get("groups"))
        self._distinct(groups)
        sites = _mapping(self.root.get("sites"))
        self._distinct(sites)
        for site in sites.entries:
            whole_site = _mapping(site.value)
            cranes = _mapping(whole_site.get("cranes"))
            self._distinct(cranes)
            for crane in cranes.entries:
                group = self._group(crane, groups)
                if group is None:
                    continue
                layers = [_mapping(self.root.get("defaults")), whole_site, group, _mapping(crane.value)]
                yield from self._crane(site, crane, group, layers)

    def _crane(self, site: Entry, crane: Entry, group: Mapping, layers: list[Mapping]) -> Iterator[Device]:
        whole = _mapping(crane.value)
        shared, own = _mapping(group.get("devices")), _mapping(whole.get("devices"))
        self._gone(crane, shared, own)
        together = overlay(shared, own)
        assert isinstance(together, Mapping)
        self._distinct(together)
        below = Mapping((), whole.place)
        for layer in layers:
            below = _mapping(overlay(below, layer.only(*_LAYER)))
        told = len(self.faults)
        values = self._values(whole)
        if len(self.faults) > told:
            return  # what is filled in with wrong values would only be told as wrong again
        used: set[str] = set()
        for entry in together.entries:
            if _null(entry.value):
                continue
            name = DeviceName(site.key, crane.key, entry.key)
            given = {
                key: Scalar(text, entry.place) for key, text in zip(_GIVEN, (name.site, name.crane, name.device), strict=True)
            }
            filling = Filling(crane.key, {**values, **given})
            device = _mapping(entry.value)
            # a default for SSH is no reason to ask a Modbus device over SSH
            usable = below.without(*(route for route in ROUTES if device.get(route) is None))
            node = without_nulls(filling.filled(overlay(usable, device)))
            used |= filling.used
            if filling.faults:
                self.faults += filling.faults
            else:
                at = own.entry(entry.key) or crane
                yield from self._device(name, node, entry, at.place)
        for key, value in values.items():
            if key not in used:
                self._unused(crane, key, value)

    def _device(self, name: DeviceName, node: Node, entry: Entry, at: Place) -> Iterator[Device]:
        """`at` is the place in the crane itself, where the device may stand only in the group."""
        shape = checked(DeviceShape, node, where=name.device)
        if isinstance(shape, tuple):
            # a key that is missing from the whole device has no line of its own but the device's
            whole_device = (node.place.line, node.place.column)
            for fault in shape:
                at_top = (fault.line, fault.column) == whole_device
                self.faults.append(Fault(entry.place.line, entry.place.column, fault.message, fault.hint) if at_top else fault)
            return
        routes = [route for route in ROUTES if getattr(shape, route) is not None]
        if len(routes) != 1:
            message = (
                f"{name.device} has {' and '.join(routes)}, which are two ways to reach it"
                if routes
                else f"{name.device} cannot be reached"
            )
            self._fault(
                entry.place,
                message,
                f"write one of {', '.join(ROUTES)}; `{routes[0] if routes else 'ssh'}: null` takes one away"
                if routes
                else f"write one of {', '.join(ROUTES)}",
            )
            return
        address = address_of(shape, self.base)
        where = endpoint(address)
        if where in self._taken:
            other, line = self._taken[where]
            self._fault(
                at,
                f"{name} has the address of {other} (line {line}): {where}",
                "each device stands in the inventory once; correct one of the two",
            )
            return
        if where:
            self._taken[where] = (name, at.line)
        yield Device(name, address, shape.profile, shape.every, shape.window, shape.facts)

    def _group(self, crane: Entry, groups: Mapping) -> Mapping | None:
        """The group of a crane, an empty one where it has none, None where it names one that is not there."""
        match _mapping(crane.value).get("group"):
            case Scalar(str() as word, place):
                if (found := groups.get(word)) is not None:
                    return _mapping(found)
                names = [entry.key for entry in groups.entries]
                meant = near(word, names)
                hint = f"did you mean {meant}?" if meant else f"groups of this file: {', '.join(names) or 'none'}"
                self._fault(place, f"there is no group `{word}`", hint)
                return None
        return Mapping((), crane.place)

    def _values(self, whole: Mapping) -> dict[str, Scalar]:
        values: dict[str, Scalar] = {}
        for entry in _mapping(whole.get("values")).entries:
            if entry.key in _GIVEN:
                self._fault(entry.place, f"`{entry.key}` is given already", "choose another name for this value")
            elif isinstance(entry.value, Scalar) and not _null(entry.value):
                values[entry.key] = entry.value
            else:
                self._fault(entry.place, f"the value `{entry.key}` is empty", "write it, or remove the line")
        return values

    def _unused(self, crane: Entry, key: str, value: Scalar) -> None:
        self._fault(
            value.place, f"no device of {crane.key} uses the value `{key}`", f"remove it, or write {{{key}}} where it belongs"
        )

    def _gone(self, crane: Entry, shared: Mapping, own: Mapping) -> None:
        for entry in own.entries:
            if _null(entry.value) and shared.entry(entry.key) is None:
                meant = near(entry.key, [one.key for one in shared.entries])
                hint = f"did you mean {meant}?" if meant else "write its keys below it, or remove the line"
                self._fault(entry.place, f"{crane.key} takes away {entry.key}, which its group does not have", hint)

    def _distinct(self, names: Mapping) -> None:
        """Names become folders, and some file systems do not tell STS-01 from sts-01."""
        seen: dict[str, Entry] = {}
        for entry in names.entries:
            folded = entry.key.casefold()
            if folded in seen:
                first = seen[folded]
                self._fault(
                    entry.place,
                    f"`{entry.key}` differs from `{first.key}` (line {first.place.line}) only in capitals",
                    "choose another name",
                )
            seen.setdefault(folded, entry)

    def _fault(self, place: Place, message: str, hint: str) -> None:
        self.faults.append(Fault(place.line, place.column, message, hint))


def _null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _mapping(node: Node | None) -> Mapping:
    """What the shape already proved to be a mapping, or an empty one where nothing is written."""
    return node if isinstance(node, Mapping) else Mapping((), node.place if node else Place(0, 0))
