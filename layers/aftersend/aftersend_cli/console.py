"""`aftersend console`: the console in a browser of this machine, for whoever may ask the API of a stack."""

from __future__ import annotations

import argparse
import webbrowser

from aftersend_cli.endpoint import Endpoint
from aftersend_cli.loopback import IDLE, serve
from aftersend_cli.output import Output

_MINUTES = int(IDLE // 60)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--port", type=_read_port, default=0, metavar="N", help="to listen on (default: any free)")
    parser.add_argument("--no-browser", action="store_true", help="print the address, and open nothing")


def run(options: argparse.Namespace, api: Endpoint, output: Output) -> int:
    """Serve it until Ctrl-C, or until nobody has looked for a while."""
    with serve(api, {}, options.port) as server:
        said = f"The console of {api.url}, for whoever opens this first:\n{server.loopback.start}"
        output.show({"api": api.url, "url": server.loopback.start}, said)
        output.remark(f"Ctrl-C ends it, and {_MINUTES} minutes without a look.")
        if not options.no_browser:
            webbrowser.open(server.loopback.start)
        server.wait_until_idle()
    return 0


def _read_port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65_535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port, which is a number from 0 to 65535")
    return int(text)
