"""Profile files to profiles: the library that comes with the tool, and a port's own folder, which wins.

A profile may extend another one: it then has all its items, those of the same name replaced, and adds its own. A profile that
extends its own name extends the built-in one. The digest is over the result, so that a change below is a change here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path

from verifier.errors import SettingsError, UsageError
from verifier.model import codec
from verifier.model.profile import BusyWhen, Item, Pace, Profile
from verifier.settings.fault import Fault, refusal
from verifier.settings.fields import NAME
from verifier.settings.item import item_of
from verifier.settings.node import Node, place_of
from verifier.settings.profile_file import BusyShape, PaceShape, ProfileShape
from verifier.settings.shape import checked, near
from verifier.settings.yaml import parse, read_node

DEPTH = 5
"""How many profiles may extend each other in a row."""

_LIBRARY = "verifier.profiles"


def builtin_names() -> tuple[str, ...]:
    """The profiles that come with the tool, sorted."""
    found = (entry.name for entry in files(_LIBRARY).iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml")))


def profile_names(own: Path | None = None) -> tuple[str, ...]:
    """Every profile that can be used: those of a port's own folder and the built-in ones, sorted, each name once."""
    mine = (path.stem for path in own.glob("*.yaml")) if own and own.is_dir() else ()
    return tuple(sorted({*mine, *builtin_names()}))


def load_profile(name: str, own: Path | None = None) -> Profile:
    """The profile of this name from the port's own folder, else the built-in one.

    Raises:
        UsageError: there is none of this name.
        SettingsError: its file is wrong; one error names all faults with their lines.
    """
    return _load(name, own, ())


def read_profile(text: str, path: str, own: Path | None = None) -> Profile:
    """The profile of a text; `path` is what errors call it. What it extends comes from `own` or is built-in.

    Raises:
        SettingsError: as `load_profile`.
    """
    return _profile(parse(text, path), path, own, ())


def load_profile_file(path: Path, own: Path | None = None) -> Profile:
    """The profile of a file, wherever it lies and whatever it is called. What it extends comes from `own` or is built-in.

    Raises:
        SettingsError: as `load_profile`.
    """
    return _profile(read_node(path), str(path), own, ())


def digest_of(profile: Profile) -> str:
    """SHA-256 of what a profile means: comments, quotes and the order of keys do not count."""
    return hashlib.sha256(codec.dumps(dataclasses.replace(profile, digest=""))).hexdigest()


def _load(name: str, own: Path | None, chain: tuple[str, ...]) -> Profile:
    if re.fullmatch(NAME, name):
        # a profile that extends its own name means the one below it
        if own and chain[-1:] != (name,) and (path := own / f"{name}.yaml").is_file():
            return _named(_profile(read_node(path), str(path), own, (*chain, name)), name, str(path))
        if name in builtin_names():
            path_in_library = f"profiles/{name}.yaml"
            text = (files(_LIBRARY) / f"{name}.yaml").read_text(encoding="utf-8")
            # nothing built in rests on a port's own files
            return _named(_profile(parse(text, path_in_library), path_in_library, None, (*chain, name)), name, path_in_library)
    names = profile_names(own)
    meant = near(name, names)
    raise UsageError(
        f"there is no profile {name!r}", f"did you mean {meant}?" if meant else "`crane-verify profiles list` shows them"
    )


def _named(profile: Profile, name: str, path: str) -> Profile:
    if profile.name != name:
        raise SettingsError(path, 1, f"the file is called {name} and its profile {profile.name}", "give both the same name")
    return profile


def _profile(root: Node, path: str, own: Path | None, chain: tuple[str, ...]) -> Profile:
    shape = checked(ProfileShape, root)
    if isinstance(shape, tuple):
        raise refusal(path, shape)
    faults = _repeated(root, shape)
    base = None
    if shape.extends:
        try:
            base = _base(shape.extends, own, chain or (shape.profile,))
        except SettingsError:
            raise
        except UsageError as error:
            faults.append(_fault(root, ("extends",), str(error), error.hint))
    if base:
        known = [item.name for item in base.items]
        for number, name in enumerate(shape.without):
            if name not in known:
                meant = near(name, known)
                hint = f"did you mean {meant}?" if meant else f"its items are {', '.join(known)}"
                faults.append(_fault(root, ("without", number), f"{base.name} has no item `{name}`", hint))
    elif shape.without and not shape.extends:
        faults.append(_fault(root, ("without",), "`without` has nothing to leave out from", "write `extends: ...`, or remove it"))
    if faults:
        raise refusal(path, faults)
    items = _joined(base.items if base else (), shape)
    if not items:
        raise refusal(path, [_fault(root, ("items",), "a profile that asks nothing", "write at least one item")])
    whole = Profile(
        name=shape.profile,
        title=shape.title,
        version=shape.version,
        maturity=shape.maturity,
        items=items,
        digest="",
        references=_once((*(base.references if base else ()), *shape.references)),
        gaps=_once((*(base.gaps if base else ()), *shape.gaps)),
        pace=_pace(shape.pace, base.pace if base else Pace()),
        busy_when=_busy(shape.busy_when) if shape.busy_when else (base.busy_when if base else None),
    )
    return dataclasses.replace(whole, digest=digest_of(whole))


def _base(name: str, own: Path | None, chain: tuple[str, ...]) -> Profile:
    below = chain[-1:] == (name,) and chain.count(name) == 1
    if (name in chain and not below) or len(chain) > DEPTH:
        row = " extends ".join((*chain, name))
        raise UsageError(f"profiles that extend each other in a ring, or too deep: {row}", "remove one `extends`")
    return _load(name, own, chain)


def _joined(below: Sequence[Item], shape: ProfileShape) -> tuple[Item, ...]:
    mine = {item.name: item_of(item) for item in shape.items}
    kept = [mine.pop(item.name, item) for item in below if item.name not in shape.without]
    return (*kept, *mine.values())


def _repeated(root: Node, shape: ProfileShape) -> list[Fault]:
    faults = []
    for number in _second(item.name for item in shape.items):
        name = shape.items[number].name
        faults.append(_fault(root, ("items", number, "name"), f"a second item `{name}`", "give each item its own name"))
    for number, item in enumerate(shape.items):
        for inner in _second(parameter.name for parameter in item.parameters or ()):
            name = (item.parameters or ())[inner].name
            place = ("items", number, "parameters", inner, "name")
            faults.append(_fault(root, place, f"a second parameter `{name}` in `{item.name}`", "give each its own name"))
    return faults


def _second(names: Iterable[str]) -> list[int]:
    """Where a name comes again, capitals aside."""
    seen: set[str] = set()
    found = []
    for number, name in enumerate(names):
        if name.casefold() in seen:
            found.append(number)
        seen.add(name.casefold())
    return found


def _pace(shape: PaceShape, usual: Pace) -> Pace:
    rate = shape.requests_per_second
    return Pace(
        requests_per_second=usual.requests_per_second if rate is None else float(rate),
        bytes_per_second=shape.bytes_per_second or usual.bytes_per_second,
        registers_per_request=shape.registers_per_request or usual.registers_per_request,
        bits_per_request=shape.bits_per_request or usual.bits_per_request,
        tries=shape.tries or usual.tries,
    )


def _busy(shape: BusyShape) -> BusyWhen:
    return BusyWhen(shape.table, shape.address, shape.values)


def _once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _fault(root: Node, steps: tuple[str | int, ...], message: str, hint: str) -> Fault:
    place = place_of(root, steps)
    return Fault(place.line, place.column, message, hint)
