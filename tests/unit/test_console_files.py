"""The console's files: how they are served, that nothing in them can become markup, and that every text is there."""

from __future__ import annotations

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest

from aftersend.console import ConsoleSite
from aftersend.console.site import STATIC, make_policy, takes_gzip
from aftersend.core.active_causes import EndedBy
from aftersend.core.model import Act
from aftersend.core.sentence import Lift
from aftersend.core.vocabulary import CauseKind, Class, Kind, Reason, Status
from aftersend.lists.formats import FORMATS
from tests.support.console_names import FILE, make_names

MODULES: Final = sorted(path for path in STATIC.rglob("*.js") if path.parent.name != "vendor")
NAMES: Final = [path.relative_to(STATIC).as_posix() for path in MODULES]
VENDORED: Final = json.loads((STATIC / "vendor" / "vendored.json").read_text())
_TEXT: Final = re.compile(r'^  "([\w.-]+)": "|(?<=, )"([\w.-]+)": "', re.MULTILINE)


@pytest.fixture(scope="module")
def site() -> ConsoleSite:
    return ConsoleSite("/api/", {"issuer": 'https://idp.example/"><script>'}, ("https://idp.example",))


# ---- How files are served -------------------------------------------------------------------------------------------


def test_the_page_is_asked_for_each_time_and_all_else_is_kept_for_ever(site: ConsoleSite) -> None:
    page, module = site.serve_file(""), site.serve_file(f"{site.folder}console.js")
    assert (page.status, page.headers["Cache-Control"]) == (200, "no-cache")
    assert (module.status, module.headers["Cache-Control"]) == (200, "public, max-age=31536000, immutable")
    assert site.serve_file("", if_none_match=f'W/"x", {page.headers["ETag"]}').status == 304
    assert [
        site.serve_file(path).status for path in ("console.js", "assets-0/console.js", "../site.py", "index.html")
    ] == [404] * 4


def test_all_that_the_page_names_is_there(site: ConsoleSite) -> None:
    named = re.findall(r'(?:href|src)="([^"]+)"', site.serve_file("").body.decode())
    assert [path.rpartition("/")[2] for path in named] == ["icon.svg", "console.css", "console.js"]
    assert all(site.has(path) for path in named)


def test_the_settings_of_whoever_serves_it_are_text(site: ConsoleSite) -> None:
    page = site.serve_file("").body.decode()
    assert '<meta name="aftersend-api" content="/api/">' in page
    assert "&quot;&gt;&lt;script&gt;" in page


def test_every_file_has_the_strict_headers(site: ConsoleSite) -> None:
    for path in site.measure():
        headers = site.serve_file(path).headers
        assert headers["Content-Security-Policy"] == make_policy(("https://idp.example",))
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_nothing_but_its_own_files_is_let_in() -> None:
    directives = dict(each.split(" ", 1) for each in make_policy().split("; "))
    assert directives["default-src"] == directives["frame-ancestors"] == directives["form-action"] == "'none'"
    assert directives["script-src"] == directives["style-src"] == directives["connect-src"] == "'self'"
    assert directives["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in make_policy()


@pytest.mark.parametrize(
    ("header", "takes"),
    [("gzip, br", True), ("*", True), ("br;q=1.0, gzip;q=0.8", True), ("", False), ("gzip;q=0", False),
     ("gzip; q=0.000, *", False), ("identity", False), ("GZIP", True)],
)  # fmt: skip
def test_what_takes_gzip(header: str, takes: bool, site: ConsoleSite) -> None:
    assert takes_gzip(header) is takes
    given = site.serve_file("", header)
    body = gzip.decompress(given.body) if given.headers.get("Content-Encoding") == "gzip" else given.body
    assert body == site.serve_file("").body


def test_the_folder_changes_with_the_files(site: ConsoleSite) -> None:
    assert site.folder == ConsoleSite().folder
    assert re.fullmatch(r"assets-[0-9a-f]{16}/", site.folder)


# ---- What is in them ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VENDORED)
def test_what_is_vendored_is_what_was_published(name: str) -> None:
    content, entry = (STATIC / "vendor" / name).read_bytes(), VENDORED[name]
    assert sha256(content).hexdigest() == entry["sha256"]
    for changed, published in entry.get("changed", {}).items():
        content = content.replace(changed.encode(), published.encode())
    assert sha256(content).hexdigest() == entry["sha256_in_package"]


def test_all_that_is_vendored_is_listed_with_its_licence() -> None:
    assert {path.name for path in (STATIC / "vendor").glob("*.js")} == VENDORED.keys()
    for entry in VENDORED.values():
        package = entry["package"].rpartition("@")[0]
        licence = (STATIC / "vendor" / f"{package}.LICENSE.txt").read_text()
        assert {"MIT": "MIT License", "Apache-2.0": "Apache License"}[entry["license"]] in licence


_FORBIDDEN: Final = re.compile(
    r"innerHTML|outerHTML|dangerouslySet|insertAdjacent|document\.write|\beval\(|new Function|srcdoc|javascript:"
    r"|\bstyle=|DOMParser|createContextualFragment|setAttribute\(.on|https?://(?!www\.w3\.org/)"
)


@pytest.mark.parametrize("path", [*MODULES, STATIC / "index.html"], ids=lambda path: path.name)
def test_nothing_becomes_markup_and_nothing_comes_from_elsewhere(path: Path) -> None:
    assert _FORBIDDEN.findall(path.read_text()) == []


def test_no_script_or_style_stands_in_the_page() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=", page) == []


def test_nobody_is_kept_in_the_browser() -> None:
    kept = [
        found
        for path in MODULES
        for found in re.findall(r"(?:local|session)Storage\.setItem\((.+?),", path.read_text())
    ]
    assert sorted(set(kept)) == ['"aftersend-check"', "KEY", "KEYS_OFF", "WAY"]


_IMPORTED: Final = re.compile(r'^import \{([^}]*)\} from "([^"]+)";', re.MULTILINE)
_EXPORTED: Final = re.compile(r"^export (?:async )?(?:function|const|class) (\w+)|^export \{([^}]*)\}", re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_module_imports_what_there_is_and_what_it_uses(name: str) -> None:
    source = (STATIC / name).read_text()
    used = _IMPORTED.sub("", source)
    for names, other in _IMPORTED.findall(source):
        target = (STATIC / name).parent / other
        if target.parent.name == "vendor":
            continue
        given = {
            part.strip() for one, many in _EXPORTED.findall(target.read_text()) for part in [one, *many.split(",")]
        }
        for wanted in filter(None, (each.strip() for each in names.split(","))):
            assert wanted in given, f"{other} has no {wanted}"
            assert re.search(rf"(?<![\w.]){wanted}\b", used), f"{wanted} is not used"


def test_the_sheet_is_sent_without_what_says_nothing(site: ConsoleSite) -> None:
    written = re.sub(r"/\*.*?\*/", "", (STATIC / "console.css").read_text(), flags=re.DOTALL)
    sent = site.serve_file(f"{site.folder}console.css").body.decode()
    assert re.sub(r"\s|;(?=\s*\})", "", written) == re.sub(r"\s", "", sent)
    meant = re.compile(r"[\w)\]*%\"] +[\w.#\[:(*+-]")  # a blank between two selectors, values or words of a query
    assert meant.findall(written) == meant.findall(sent)
    assert not re.search(r"[{};,]\s|/\*", sent)


# ---- Texts ----------------------------------------------------------------------------------------------------------


def _tables(name: str, seen: set[str] | None = None) -> set[str]:
    """The texts that a module has at hand: of the tables that it imports, and that what it imports imports."""
    seen = set() if seen is None else seen
    if name in seen:
        return set()
    seen.add(name)
    source = (STATIC / name).read_text()
    found = set(filter(None, (text for pair in _TEXT.findall(source) for text in pair))) if "text" in name else set()
    for other in re.findall(r'^(?:import|export|\} from).*?"(\.[^"]+)";$', source, re.MULTILINE):
        target = ((STATIC / name).parent / other).resolve().relative_to(STATIC).as_posix()
        if not target.startswith("vendor/"):
            found |= _tables(target, seen)
    return found


def _asked(source: str) -> tuple[set[str], set[str]]:
    """The texts that a module names whole, and the beginnings of those that it puts together."""
    calls = re.findall(r"\bsay(?:Count)?\(((?:[^()`]|`[^`]*`|\([^()]*\))*)", source)
    whole = {text for call in calls for text in re.findall(r'"([a-z]+(?:\.[\w.-]+)*)"', call)}
    begun = {text for call in calls for text in re.findall(r"`([\w.]+\.)\$\{", call)}
    return whole, begun


@pytest.mark.parametrize("name", NAMES)
def test_every_text_that_a_module_says_is_at_hand_there(name: str) -> None:
    tables = _tables(name)
    whole, begun = _asked((STATIC / name).read_text())
    known = {text for text in whole if "." in text or text in tables}
    assert known - tables == set()
    assert {each for each in begun if not any(text.startswith(each) for text in tables)} == set()


def test_every_text_is_said_somewhere() -> None:
    whole, begun = set[str](), set[str]()
    for path in MODULES:
        some, beginnings = _asked(path.read_text())
        literals = (
            set(re.findall(r'"([a-z]+(?:\.[\w.-]+)*)"', path.read_text())) if path.parent.name != "texts" else set()
        )
        whole |= some | (literals if path.name != "texts.js" else set())
        begun |= beginnings
    texts = {text for name in NAMES if "text" in name for text in _tables(name)}
    assert {
        text for text in texts if text.removesuffix(".one") not in whole and not text.startswith(tuple(begun))
    } == set()


def test_no_text_is_said_twice() -> None:
    found = [
        text
        for name in NAMES
        if "text" in name
        for pair in _TEXT.findall((STATIC / name).read_text())
        for text in pair
        if text
    ]
    assert sorted({text for text in found if found.count(text) > 1}) == []


def test_every_word_of_the_vocabulary_has_a_text() -> None:
    texts = {text for name in NAMES if "text" in name for text in _tables(name)}
    wanted = [
        *(f"status.{each}" for each in Status),
        *(f"kind.{each}" for each in Kind),
        *(f"class.{each}" for each in Class),
        *(f"status.bounced.{each}" for each in Class if each is not Class.HARD),
        *(f"reason.{each}" for each in Reason),
        *(f"cause.{each}" for each in CauseKind),
        *(f"ended.{each}" for each in EndedBy),
        *(f"act.{each}" for each in Act),
        *(f"lift.what.{each}" for each in Lift),
        *(f"note.label.{each}" for each in Lift),
        *(f"lift.button.{each}" for each in Lift if each is not Lift.NOTHING),
    ]
    assert [each for each in wanted if each not in texts] == []


@pytest.mark.parametrize("name", [name for name in NAMES if "text" not in name])
def test_no_text_stands_in_a_template(name: str) -> None:
    """Words between tags are in the table of texts, so that there is one place to read and to translate them."""
    source = re.sub(r"//.*", "", (STATIC / name).read_text())
    shown = re.findall(r"(?<![=\-])>\s*([A-Za-z][a-z]+[^<>${}`;=()]*)<", source)
    named = re.findall(r'\s(?:aria-label|placeholder|title|alt)="([^"]+)"', source)
    assert [*shown, *named] == []


def test_names_of_sources_and_formats_are_those_of_the_tables() -> None:
    assert FILE.read_text() == make_names()
    listed = re.search(r"const FORMATS = \[(.*?)\]", (STATIC / "pages" / "import.js").read_text(), re.DOTALL)
    assert listed is not None
    assert set(re.findall(r'"([\w-]+)"', listed[1])) == {each.name for each in FORMATS.values()}
