"""Signing baselines and taking signatures back: `baseline approve`, `send`, `take`, `withdraw`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from verifier.cli import desk
from verifier.cli.output import local, printable, tell
from verifier.cli.showing import print_baseline, print_caveats, print_drifts, print_members, print_provenance
from verifier.compare.plain import counted
from verifier.errors import UsageError
from verifier.model.device import Device, DeviceName
from verifier.procedures.approve import InForce, Proposal, Waiting, approve, proposal, waiting
from verifier.procedures.collector import Collector
from verifier.procedures.travelling import Carried, countersigned, packed, take, unpacked
from verifier.procedures.withdraw import Unfinished, Withdrawing, Withdrawn, withdraw, withdrawing
from verifier.record.files import write_whole
from verifier.trust.keys import Signer
from verifier.trust.travelling import LARGEST
from verifier.trust.verify import Approvals

SUFFIX = ".approval"


@click.command("approve")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE|FILE.approval...")
@desk.key_option
@click.option("--yes", is_flag=True, help="You have read `baseline diff`; do not ask again, item by item.")
@click.option("--sha256", "expected", default="", help="Sign only the proposal with this digest, as `baseline diff` printed it.")
@click.option("--members", is_flag=True, help="Show every member with its value as well, before you are asked.")
@click.pass_context
def approve_(ctx: click.Context, words: tuple[str, ...], key: str, yes: bool, expected: str, members: bool) -> None:
    """Sign proposals with your key. Asks about each item that would change against the baseline it replaces.

    Of a crane or a site, all that wait are asked for, and devices for which nothing is proposed are passed over.

    A FILE.approval, as `baseline send` writes it, is signed where it lies: no workspace is needed.

    \b
    Example:
      crane-verify baseline approve STS-01/controller
      crane-verify baseline approve /media/usb/terminal-2+STS-01+controller.approval
    """
    files = [Path(word) for word in words if word.endswith(SUFFIX)]
    named = [word for word in words if not word.endswith(SUFFIX)]
    devices = desk.inventory(ctx).select(named) if named else ()
    if expected and len(devices) + len(files) != 1:
        raise UsageError(f"one digest, and {len(devices) + len(files)} proposals", "name the one device whose proposal it is")
    key_of = _asked_once(key)
    for path in files:
        carried = unpacked(_read(path), desk.now())
        _print_head(carried.seen, carried.device, expected)
        _print_policy(carried)
        if len(files) > 1 and key_of().key_id in {each.key_id for each in carried.seen.approvals.signers}:
            tell("you have signed this one already\n")  # after an interruption, the others still wait
            continue
        if members:
            print_members(carried.seen.baseline.snapshot)
        _print_or_ask(carried.seen, yes)
        data, approvals = countersigned(carried, key_of(), desk.now())
        write_whole(path.resolve(), data)
        if approvals.missing:
            tell(f"signed; still needed: {_needed(approvals)}; {path} goes on to them, or back\n", fg="yellow")
        else:
            tell(f"signed by all who are needed; bring it back: crane-verify baseline take {path.name}\n", fg="green")
    asked = _proposed(devices, desk.collector(ctx)) if devices else ()
    for device in asked:
        collector = desk.collector(ctx)
        seen = proposal(device, collector)
        _print_head(seen, device.name, expected)
        if len(asked) > 1 and seen.approvals.missing and key_of().key_id in {each.key_id for each in seen.approvals.signers}:
            tell("you have signed this one already\n")  # after an interruption, the others still wait
            continue
        if members:
            print_members(seen.baseline.snapshot)
        _print_or_ask(seen, yes)
        _tell(approve(device, seen, key_of(), collector))


@click.command("send")
@click.argument("words", nargs=-1, required=True, metavar="DEVICE|CRANE|SITE...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder to write to, such as a stick."
)
@click.pass_context
def send_(ctx: click.Context, words: tuple[str, ...], output: Path) -> None:
    """Write each waiting proposal to a file that its signers can read and sign anywhere, with what it changes and the policy.

    \b
    Example:
      crane-verify baseline send STS-01 --output /media/usb
    """
    collector = desk.collector(ctx)
    for device in _proposed(desk.inventory(ctx).select(words), collector):
        path = output / f"{device.name.file_stem}{SUFFIX}"
        write_whole(path, packed(device, collector))  # a link that lies there is replaced, and not followed
        tell(f"{path}: sign it anywhere with `crane-verify baseline approve`, then `crane-verify baseline take` it here")


@click.command("take")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), metavar="FILE...")
@click.pass_context
def take_(ctx: click.Context, files: tuple[Path, ...]) -> None:
    """Take the signatures of files that came back, of any number of copies and in any order. If one is refused, none is taken.

    \b
    Example:
      crane-verify baseline take /media/usb/*.approval
    """
    for device, outcome in take([(path.name, _read(path)) for path in files], desk.collector(ctx)):
        tell(f"{device}", bold=True)
        _tell(outcome, "taken, not in force yet")


@click.command("withdraw")
@click.argument("word", metavar="DEVICE")
@click.option(
    "--reason", default="", help="Why it must not be compared with any more. Left away: sign the withdrawal that waits."
)
@click.option("--older", is_flag=True, help="The baseline before the newest, which may still be valid beside it.")
@desk.key_option
@click.option("--yes", is_flag=True, help="Do not ask again.")
@click.pass_context
def withdraw_(ctx: click.Context, word: str, reason: str, older: bool, key: str, yes: bool) -> None:
    """Take back the approval of a device's baseline. From then on every check of it ends untrusted, until a new one is approved.

    \b
    Example:
      crane-verify baseline withdraw STS-01/controller --reason "recalled by the vendor, notice 17"
    """
    device, collector = desk.one_device(ctx, word), desk.collector(ctx)
    seen = withdrawing(device, reason, collector, older)
    _print_withdrawal(seen)
    if not yes and not click.confirm("Withdraw it?"):
        raise UsageError("not withdrawn", "nothing was signed")
    match withdraw(device, seen, desk.signer(key), collector):
        case Withdrawn(done, entry):
            tell(f"withdrawn, entry {entry} of the record, signed by {', '.join(done.signer_names)}", fg="green")
            tell(f"next: crane-verify baseline propose {device.name} --reason ...")
        case Unfinished(approvals):
            tell(f"signed; still needed: {_needed(approvals)}; until then the baseline stays in force", fg="yellow")


def print_changes(seen: Proposal) -> None:
    """What approving would change, or all of it where there is nothing to compare with."""
    if seen.before.trusted is None:
        print_baseline(seen.baseline, _all_new(seen))
    elif not seen.changes:
        tell(f"nothing changes against serial {seen.before.trusted.value.serial}")
    else:
        tell(f"serial {seen.before.trusted.value.serial} -> {seen.baseline.serial}")
        print_drifts(seen.changes)


def _proposed(devices: Sequence[Device], collector: Collector) -> Sequence[Device]:
    """Of a crane or a site those for which something is proposed; a device named alone is asked for in any case."""
    if len(devices) == 1:
        return devices
    found = waiting(devices, collector)
    if others := len(devices) - len(found):
        tell(f"nothing is proposed for {counted(others, 'other device')}\n")
    return found


def _asked_once(key: str) -> Callable[[], Signer]:
    """The person's key, whose passphrase is asked for when the first proposal was looked at, and not again."""
    opened: list[Signer] = []

    def signer() -> Signer:
        if not opened:
            opened.append(desk.signer(key))
        return opened[0]

    return signer


def _read(path: Path) -> bytes:
    """A file from a stick."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "`crane-verify baseline send` writes it")
    return desk.brought(path, LARGEST)


def _print_head(seen: Proposal, device: DeviceName, expected: str) -> None:
    if expected and expected.lower() != seen.sha256:
        raise UsageError(
            f"the proposal of {device} is another one: sha256 {seen.sha256}", "it was replaced; read `baseline diff` again"
        )
    tell(f"{device}: serial {seen.baseline.serial}, proposed {local(seen.baseline.proposed)}", bold=True)
    tell(f"reason: {seen.baseline.reason}")
    tell(f"sha256 of what is signed: {seen.sha256}")


def _print_policy(carried: Carried) -> None:
    """The one thing that nobody's signature in the file vouches for."""
    trusted, seen = carried.trusted, carried.seen
    if trusted.fingerprint:
        tell(f"root of the policy: {trusted.fingerprint}", bold=True)
        tell("compare it with the fingerprint you wrote down when trust began; if it is another one, do not sign", fg="yellow")
    else:
        tell("the policy in this file is signed by nobody: ask whoever sent it, by telephone, for the digest above", fg="yellow")
    if trusted.policy.expires and trusted.policy.expires < desk.now():
        tell(f"the policy was signed until {local(trusted.policy.expires)} and has run out", fg="yellow")
    signers = ", ".join(str(signer) for signer in seen.approvals.signers) or "nobody yet"
    tell(f"signed by {signers}; still needed: {_needed(seen.approvals) or 'nobody'}")


def _print_withdrawal(seen: Withdrawing) -> None:
    what = seen.withdrawal
    tell(f"{what.device}: withdrawing baseline {what.serial}, sha256 {what.baseline}", bold=True)
    tell(f"reason: {what.reason}")
    signers = ", ".join(str(signer) for signer in seen.approvals.signers) or "nobody yet"
    tell(f"signed by {signers}; needed: {_needed(seen.approvals) or 'nobody'}")
    tell("no check compares with it any more, and every check is untrusted until another one is approved", fg="yellow")


def _tell(outcome: InForce | Waiting, done: str = "signed") -> None:
    match outcome:
        case InForce(baseline, entry):
            tell(f"in force, entry {entry} of the record, signed by {', '.join(baseline.signer_names)}\n", fg="green")
        case Waiting(approvals):
            tell(f"{done}; still needed: {_needed(approvals)}\n", fg="yellow")


def _needed(approvals: Approvals) -> str:
    """Whose signature is still needed, and who must sign with a second key; empty: nobody."""
    return "; ".join(filter(None, (", ".join(approvals.missing), *approvals.lacking)))


def _print_or_ask(seen: Proposal, yes: bool) -> None:
    if not yes:
        _ask_about(seen)
        return
    if seen.before.trusted:
        print_caveats(seen.baseline)
        print_changes(seen)
    else:
        print_provenance(seen.baseline)


def _ask_about(seen: Proposal) -> None:
    if seen.before.trusted is None:
        print_baseline(seen.baseline, _all_new(seen))
        if not click.confirm("Is this how the device should be?"):
            raise UsageError("not approved", "the proposal stays; propose again when the device is as it should be")
        return
    print_caveats(seen.baseline)
    if not seen.changes:
        tell("nothing changes against the baseline in force")
    for item in dict.fromkeys(change.item for change in seen.changes):
        changes = tuple(change for change in seen.changes if change.item == item)
        print_drifts(changes)
        if not click.confirm(printable(f"Approve {len(changes)} change(s) in {item}?")):
            raise UsageError(f"not approved: {item}", "the proposal stays; nothing was signed")


def _all_new(seen: Proposal) -> str:
    if seen.before.doubt:
        return f"the baseline it replaces is not trusted ({seen.before.doubt}); everything in this one is to be looked at as new"
    return "the first baseline of this device: everything in it is new"
