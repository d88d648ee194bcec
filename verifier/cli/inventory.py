"""`crane-verify inventory`: supplier, origin and firmware of what stands on the cranes, and what is unknown of it."""

from __future__ import annotations

from itertools import groupby

import click

from verifier.cli import desk
from verifier.cli.output import complain, json_option, print_json, table, tell
from verifier.errors import TrustError, UsageError
from verifier.procedures.stock import stock, unproven
from verifier.report.inventory import HEAD, stock_document, stock_rows, unknown_lines


@click.command()
@click.argument("words", nargs=-1, metavar="[DEVICE|CRANE|SITE]...")
@json_option
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...], as_json: bool) -> None:
    """Show supplier, country of origin, make, model, serial number and firmware of each device, crane by crane.

    Firmware versions come from approved baselines, everything else from `facts` in the inventory. What is unknown is counted.

    \b
    Example:
      crane-verify inventory STS-01
    """
    devices = desk.inventory(ctx).select(words)
    if not devices:
        raise UsageError("the inventory holds no device", "fill in inventory.yaml; the comments say how")
    try:
        collector = desk.collector(ctx)
    except TrustError as error:  # who stands on the crane can be told before anybody is trusted
        complain(str(error), error.hint)
        stocks = [unproven(device, str(error)) for device in devices]
    else:
        stocks = [stock(device, collector) for device in devices]
    if as_json:
        print_json(stock_document(stocks))
        return
    # a crane's devices stand together, in the order of the inventory
    order = list(dict.fromkeys((each.device.site, each.device.crane) for each in stocks))
    stocks.sort(key=lambda each: order.index((each.device.site, each.device.crane)))
    for (site, crane), those in groupby(stocks, key=lambda each: (each.device.site, each.device.crane)):
        tell(f"{site}/{crane}", bold=True)
        table(HEAD, stock_rows(list(those)))
        click.echo()
    for line in unknown_lines(stocks):
        tell(line)
    if any(each.origin.unknown for each in stocks):
        tell("what you know of a device is written under its `facts` in inventory.yaml: {supplier: ..., country of origin: ...}")
