"""The console's files as they are served: compressed, under names that change with them, with strict headers.

A file stands below a folder whose name is a digest of all files, so a browser may keep it for ever, and modules that
belong together are of one version. Only the page itself, which names that folder, is asked for again each time.

Its modules are put together into two files (`bundle`): what the first answer needs, and the rest, which is fetched when
another page is opened.

Nothing but files of the console is ever let in: no inline script or style, nothing from another host, no form that is
sent, no frame around it, and no text that becomes markup (Trusted Types). Sources: Content Security Policy Level 3;
Trusted Types; RFC 9110, 12.5.3 (Accept-Encoding) and 13.1.2 (If-None-Match); RFC 8246 (immutable).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Final

from msgspec import Struct

from aftersend.console.bundle import find_fetched, make_bundles

STATIC: Final = Path(__file__).with_name("static")
VENDORED: Final = STATIC / "vendor"
PAGE: Final = "index.html"
_MARK: Final = "assets/"  # what stands in the page for the folder whose name is a digest
_META: Final = "<!-- settings -->"  # where the page has the settings of whoever serves it
_NO_WEIGHT: Final = re.compile(r"0(\.0*)?").fullmatch
_GZIP: Final = 16 + zlib.MAX_WBITS  # which container
_MEMORY: Final = (7, 8)
_DIGITS: Final = 16  # of the digest, in a name
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_FIRST: Final = ("app.js", "configuration.js", "sign_in.js", "pages/address.js")  # what the first answer needs
_TEXTS: Final = "texts/"  # side by side, they pack better
# Comments, blanks that separate nothing, and the last semicolon of a rule.
_ASIDE: Final = {
    ".css": re.compile(rb"/\*.*?\*/\s*|(?<=[{};,:>])\s+|\s+(?=[{}>])|;(?=\s*\})", re.DOTALL),
    ".html": re.compile(rb"^[ \t]+", re.MULTILINE),
}
_NOTHING: Final = re.compile(rb"(?!)")
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_SAFE: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
}


class ConsoleResponse(Struct, frozen=True):
    """The answer to a request for a file: what is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class _File(Struct, frozen=True):
    plain: bytes
    packed: bytes
    headers: Mapping[str, str]


class ConsoleSite:
    """The files of the console, read and compressed once, with the settings of whoever serves them.

    `api` is where the API is, as a path on the same host that ends with a slash. `settings` are texts that the page
    reads by name, nothing secret: everybody may read them. `connect` are other origins that the page may ask, such as
    an issuer of tokens.
    """

    def __init__(self, api: str = "/", settings: Mapping[str, str] | None = None, connect: Sequence[str] = ()) -> None:
        contents = dict(read_contents())
        digest = sha256()
        for name, content in contents.items():
            digest.update(name.encode() + b"\0" + sha256(content).digest())
        self.folder: Final = f"assets-{digest.hexdigest()[:_DIGITS]}/"
        page = contents.pop(PAGE).decode().replace(_MARK, self.folder)
        page = page.replace(_META, _render_settings({"api": api} | dict(settings or {})))
        policy = make_policy(connect)
        self._files = {"": _make_file(PAGE, page.encode(), "no-cache", policy)} | {
            self.folder + name: _make_file(name, content, _FOR_EVER, policy) for name, content in contents.items()
        }

    def has(self, path: str) -> bool:
        """Whether there is such a file: the page is "", and a path begins without a slash."""
        return path in self._files

    def serve_file(self, path: str, accept_encoding: str = "", if_none_match: str = "") -> ConsoleResponse:
        """Return the file at `path`, packed where the request's Accept-Encoding takes gzip.

        304 where the browser has it already, 404 where there is none.
        """
        file = self._files.get(path)
        if file is None:
            headers = dict(_SAFE) | {"Cache-Control": "no-store", "Content-Type": "text/plain; charset=utf-8"}
            return ConsoleResponse(404, headers, b"There is no such file: load the page anew.\n")
        if file.headers["ETag"] in [each.strip().removeprefix("W/") for each in if_none_match.split(",")]:
            return ConsoleResponse(304, file.headers)
        if takes_gzip(accept_encoding):
            return ConsoleResponse(200, dict(file.headers) | {"Content-Encoding": "gzip"}, file.packed)
        return ConsoleResponse(200, file.headers, file.plain)

    def measure(self) -> dict[str, int]:
        """Return the bytes of each file as it is sent to a browser, compressed."""
        return {path: len(file.packed) for path, file in self._files.items()}


def make_policy(connect: Sequence[str] = ()) -> str:
    """Return the Content-Security-Policy; `connect` are origins beside our own that may be asked."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            " ".join(("connect-src 'self'", *connect)),
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a request takes gzip: it names it, or everything, and not with a weight of nothing."""
    weights = {}
    for each in accept_encoding.lower().replace(" ", "").split(","):
        name, _, weight = each.partition(";q=")
        weights[name] = _NO_WEIGHT(weight) is None
    return weights.get("gzip", weights.get("*", False))


@cache
def read_contents() -> Mapping[str, bytes]:
    """Return every file by its name as it is sent, the page's settings still missing."""
    found = {path.relative_to(STATIC).as_posix(): path for path in sorted(STATIC.rglob("*")) if path.suffix in _TYPES}
    modules = {name: path.read_text("utf-8") for name, path in found.items() if path.suffix == ".js"}
    begins = {
        "console.js": _FIRST,
        "more.js": [*(name for name in modules if name.startswith(_TEXTS)), *find_fetched(modules)],
    }
    scripts = make_bundles(modules, begins, [name for name in modules if name.startswith("vendor/")])
    others = {name: _shorten(path) for name, path in found.items() if name not in modules}
    return others | {name: text.encode() for name, text in scripts.items()}


def _shorten(path: Path) -> bytes:
    """A file without what only people who work on it read."""
    return _ASIDE.get(path.suffix, _NOTHING).sub(b"", path.read_bytes())


def _make_file(name: str, content: bytes, caching: str, policy: str) -> _File:
    headers = dict(_SAFE) | {
        "Cache-Control": caching,
        "Content-Security-Policy": policy,
        "Content-Type": _TYPES[Path(name).suffix],
        "ETag": f'"{sha256(content).hexdigest()[:_DIGITS]}"',
        "Vary": "Accept-Encoding",
    }
    return _File(content, _pack(content), headers)


def _pack(content: bytes) -> bytes:
    """Compress as small as zlib can: less memory makes smaller blocks, each with a code of its own."""
    packers = (zlib.compressobj(9, zlib.DEFLATED, _GZIP, memory) for memory in _MEMORY)
    return min((each.compress(content) + each.flush() for each in packers), key=len)


def _render_settings(settings: Mapping[str, str]) -> str:
    return "\n  ".join(
        f'<meta name="aftersend-{escape(name)}" content="{escape(value)}">' for name, value in settings.items()
    )
