# SPDX-License-Identifier: GPL-3.0-or-later
"""`bandmate serve`: the server that plugins talk to."""

from __future__ import annotations

import json
import logging
import logging.handlers
import re
import signal
import sys
from pathlib import Path

import click

from bandmate.cli.options import precision_option
from bandmate.engine import priority
from bandmate.errors import BandmateError
from bandmate.paths import log_file, runtime_dir

LOG_BYTES = 1_000_000
LOG_FILES = 3
SWITCH_SECONDS = 0.0005  # how long another Python thread may hold up a frame
STOP_SECONDS = 10.0
ADDRESS = re.compile(r"tcp://(?:[^\s:/\[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})")
KEEP_SECONDS = 1.0  # how long plugins may search in vain when the discovery file was removed

log = logging.getLogger(__name__)


class ServeError(BandmateError):
    """The server cannot do what was asked."""


def start_logging(path: Path, verbose: bool) -> None:
    """Logs into a file that is renewed before it grows large, and to a terminal if there is one."""
    handlers: list[logging.Handler] = []
    if sys.stderr.isatty() or verbose:
        handlers.append(logging.StreamHandler())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES)
        )
    except OSError as error:
        click.echo(f"bandmate: no log in {path}: {error.strerror}.", err=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
    )


@click.command("serve")
@click.option(
    "--idle-exit",
    type=click.FloatRange(min=0.0),
    metavar="SECONDS",
    help="End after so many seconds without a session; without it, run until stopped.",
)
@click.option(
    "--listen",
    metavar="tcp://HOST:PORT",
    help="Take plugins on other machines too, at this address; they need `bandmate key`.",
)
@precision_option
@click.option("--verbose", is_flag=True, help="Log to standard error too.")
@click.option("--stop", "stop_running", is_flag=True, help="End the server that runs now.")
@click.option("--status", "show_status", is_flag=True, help="Tell what the server does now.")
@click.option("--json", "as_json", is_flag=True, help="With --status: print one JSON object.")
def command(
    idle_exit: float | None,
    listen: str | None,
    precision: str | None,
    verbose: bool,
    stop_running: bool,
    show_status: bool,
    as_json: bool,
) -> None:
    """Runs the server. Plugins start it by themselves; one is enough for all of them."""
    if stop_running:
        _stop_running()
    elif show_status:
        _show_status(as_json)
    else:
        _serve(idle_exit, precision, verbose, listen)


def _serve(
    idle_exit: float | None, precision: str | None, verbose: bool, listen: str | None
) -> None:
    from bandmate.link.keys import load_or_make_keys
    from bandmate.link.server import Server

    start_logging(log_file(), verbose)
    sys.setswitchinterval(SWITCH_SECONDS)
    place = None
    if listen is not None:
        found = ADDRESS.fullmatch(listen)
        if found is None or int(found[1]) > 65535:
            raise ServeError(
                f"{listen} is no address. Use tcp://HOST:PORT, e.g. tcp://0.0.0.0:5733."
            )
        place = (listen, load_or_make_keys())
    server = Server(idle_exit, precision, place)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: server.end(signal.Signals(received).name))
    log.info("serving in %s, process %d", server.folder, server.discovery.pid)
    if not server.is_raised and sys.platform.startswith("linux"):
        log.info("%s", priority.ADVICE)
    click.echo(f"Bandmate serves plugins in {server.folder} (log: {log_file()}).", err=True)
    if place is not None:
        log.info("listening at %s", server.listens_at)
        click.echo(f"Plugins on other machines come in at {server.listens_at}.", err=True)
        # The key is a secret: it goes to a person, not into a journal.
        key = place[1].access_key if sys.stderr.isatty() else "run `bandmate key`"
        click.echo(f"They need this access key: {key}", err=True)
    try:
        while not server.wait(KEEP_SECONDS):
            server.keep_findable()
    finally:
        log.info("ending: %s", server.reason)
        server.stop()
        log.info("ended")


def _stop_running() -> None:
    from bandmate.link.client import Client

    with Client.connect(runtime_dir()) as client:
        client.shutdown()
        if not client.wait_for_end(STOP_SECONDS):
            raise ServeError(
                f"The server (process {client.discovery.pid}) still runs after "
                f"{STOP_SECONDS:.0f} s. End it with `kill {client.discovery.pid}`."
            )
    click.echo("The server has ended.")


def _show_status(as_json: bool) -> None:
    from bandmate.link.client import Client

    with Client.connect(runtime_dir()) as client:
        sessions = client.status()
        discovery = client.discovery
    report = {
        "pid": discovery.pid,
        "version": discovery.version,
        "sessions": [vars(session) for session in sessions],
    }
    if as_json:
        click.echo(json.dumps(report))
        return
    click.echo(f"Process {discovery.pid}, version {discovery.version}, {len(sessions)} sessions.")
    for s in sessions:
        click.echo(
            f"{s.session:>4} {s.model:<12}{s.state:<9}{s.frames:>8} frames, "
            f"p50 {s.frame_ms_p50:.1f} ms, p99 {s.frame_ms_p99:.1f} ms, "
            f"{s.slow_frames} slow {s.note}"
        )
