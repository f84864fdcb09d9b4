"""Serves the console: the files of a page over the API, with the headers that keep it safe.

The page is plain ES modules and needs no build step. Whoever serves it (the server of this machine, a proxy on
loopback, a function behind the API) asks a `ConsoleSite` for a path, and hands on what it answers.
"""

from aftersend.console.site import ConsoleResponse, ConsoleSite

__all__ = ["ConsoleResponse", "ConsoleSite"]
