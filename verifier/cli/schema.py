"""`crane-verify schema`: what editors check inventory and profile files against."""

from __future__ import annotations

import click

from verifier.cli.output import print_json
from verifier.settings.schema import inventory_schema, profile_schema


@click.command()
@click.argument("file", type=click.Choice(["inventory", "profile"]))
def command(file: str) -> None:
    """Print the JSON Schema of a file you write.

    \b
    Example:
      crane-verify schema inventory > inventory.schema.json
    """
    print_json(inventory_schema() if file == "inventory" else profile_schema())
