# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate key`: what a plugin on another machine needs to play with this one's server."""

from __future__ import annotations

import json

import click


@click.command("key")
@click.option("--new", "make_new", is_flag=True, help="Make new keys; the old ones open nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(make_new: bool, as_json: bool) -> None:
    """Prints the access key of `bandmate serve --listen`. Whoever has it may play here."""
    from bandmate.link.keys import key_file, load_or_make_keys, make_keys

    keys = make_keys() if make_new else load_or_make_keys()
    if as_json:
        click.echo(json.dumps({"access_key": keys.access_key, "file": str(key_file())}))
        return
    click.echo(keys.access_key)
    if make_new:
        click.echo("Start the server again: it takes new keys only then.", err=True)
