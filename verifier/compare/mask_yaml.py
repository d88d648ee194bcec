"""Proposed masks as the lines of a profile, with what was seen as comments, to be read and pasted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from verifier.compare.plain import plain
from verifier.compare.volatility import NoMask, ProposedMask, Volatile, evidence
from verifier.model.moving import Moving
from verifier.model.profile import Rule


def mask_yaml(masks: Sequence[ProposedMask]) -> tuple[str, ...]:
    """Lines of YAML: for each item what to add to it; what should not be masked as comments at the end."""
    wanted = [each for each in masks if not isinstance(each.mask, NoMask)]
    lines = ["# add these to the items of the profile, and raise its version", "items:"] if wanted else []
    for name, group in groupby(wanted, key=lambda each: each.item):
        held = list(group)
        lines.append(f"  - name: {_quoted(name)}")
        # the last of the steps, since what was seen is what the steps before them gave
        lines += _block("    text:", "      normalise:", "        ", _rules(held))
        lines += _block("    volatile:", "", "      ", _members(held))
        lines += _block("    moving:", "", "      ", _registers(held))
    lines += (
        f"# no mask for {plain(each.item)} {plain(each.member)}: {each.mask.why} ({evidence(each)})"
        for each in masks
        if isinstance(each.mask, NoMask)
    )
    return tuple(lines)


def _block(head: str, below: str, indent: str, entries: Iterable[tuple[str, ProposedMask]]) -> Iterator[str]:
    for number, (entry, proposed) in enumerate(entries):
        if not number:
            yield head
            if below:
                yield below
        yield f"{indent}# {evidence(proposed)}"
        yield f"{indent}- {entry}"


def _rules(masks: Iterable[ProposedMask]) -> Iterator[tuple[str, ProposedMask]]:
    for each in masks:
        if isinstance(each.mask, Rule):
            yield f"{each.mask.name}: {{{', '.join(_options(each.mask))}}}", each


def _options(rule: Rule) -> Iterator[str]:
    yield f"only: {_list(rule.only)}"
    if rule.pattern:
        yield f"pattern: {_quoted(rule.pattern)}"
    if rule.separator:
        yield f"separator: {_quoted(rule.separator)}"
    if rule.mask:
        yield f"mask: {_list(rule.mask)}"


def _members(masks: Iterable[ProposedMask]) -> Iterator[tuple[str, ProposedMask]]:
    return ((_quoted(each.mask.pattern), each) for each in masks if isinstance(each.mask, Volatile))


def _registers(masks: Iterable[ProposedMask]) -> Iterator[tuple[str, ProposedMask]]:
    for each in masks:
        if isinstance(each.mask, Moving):
            if each.mask.counter:
                how = "counter: true"
            elif each.mask.bits:
                how = f"bits: [{', '.join(map(str, each.mask.bits))}]"
            else:
                how = f'within: "{each.mask.within:f}"'
            yield f"{{members: {_list(each.mask.members)}, {how}}}", each


def _list(words: Iterable[str]) -> str:
    return f"[{', '.join(_quoted(word) for word in words)}]"


def _quoted(word: str) -> str:
    """In double quotes, where YAML reads what JSON writes."""
    return json.dumps(word, ensure_ascii=False)
