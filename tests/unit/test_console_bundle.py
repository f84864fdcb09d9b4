"""The modules of the console in a few files: these do what the modules did, and what is not understood is refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from aftersend.console import ConsoleSite
from aftersend.console.bundle import BundleError, find_fetched, make_bundles
from aftersend.console.site import STATIC, read_contents
from aftersend.console.squeeze import squeeze
from aftersend.console.tokens import read_tokens

SOURCES: Final = {
    "app.js": 'import { say } from "./texts.js";\nimport "./more/words.js";\nconst own = say("hello");\n'
    "const first = ({ own, say = own }) => `${say}`.at(0);\nexport const ready = { own, say: own }.say;\n"
    'export const later = () => import("./more/late.js");\nprocess.stdout.write(first({ own }) + ready);\n',
    "texts.js": 'import make from "./vendor/maker.js";\nimport { twice } from "./again.js";\nconst own = new Map();\n'
    "export function add(name, text) {\n  own.set(name, text); // kept\n}\n"
    'export const say = (name) => make(twice(own.get(name) ?? "?"));\n',
    "again.js": 'export { twice } from "./vendor/short.js";\n',
    "more/words.js": 'import { add } from "../texts.js";\n\nadd("hello", "Hello! ");\n',
    "more/late.js": 'import { say, add } from "../texts.js";\nconst own = "late";\n'
    "add(own, `${own} ${own}! `);\nexport const Late = say(own);\n",
    "vendor/maker.js": "var t=1;export default function(e){return e+t}",
    "vendor/short.js": 'import{plain as n}from"./plain.js";var t=2;function r(e){return n(e).repeat(t)}'
    "export{r as twice,t as many};\n//# sourceMappingURL=short.js.map\n",
    "vendor/plain.js": "function n(e){return e}export{n as plain};",
}
VENDORED: Final = tuple(name for name in SOURCES if name.startswith("vendor/"))
BEGINS: Final = {"first.js": ["app.js"], "rest.js": ["more/late.js"]}
node: Final = pytest.mark.skipif(shutil.which("node") is None, reason="no node here")


def test_each_module_stands_once_behind_what_it_imports() -> None:
    made = make_bundles(SOURCES, BEGINS, VENDORED)
    first, rest = made["first.js"], made["rest.js"]
    places = [first.index(each) for each in ("function n(e)", "function r(e)", ".set(name,text)", '"hello"', "process")]
    assert places == sorted(places)
    assert first.count(".set(name,text)") == 1
    shared = re.findall(r'^import(\{\w,\w\})from"./first.js";\n', rest)
    assert first.endswith(f"export{shared[0]};\n")
    assert 'import("./rest.js")' in first
    assert re.search(r"export\{\w as Late\};\n$", rest)
    assert "sourceMappingURL" not in first + rest
    assert find_fetched(SOURCES) == ["more/late.js"]
    assert make_bundles(SOURCES, BEGINS, VENDORED) == made


@node
def test_what_comes_out_does_what_the_modules_did(tmp_path: Path) -> None:
    made = make_bundles(SOURCES, BEGINS, VENDORED)
    ask = 'import { later } from "./app.mjs";\nprocess.stdout.write((await later()).Late);\n'
    bundled = 'import("./rest.mjs").then((each) => process.stdout.write(each.Late));\n'
    said = []
    for name, files, last in (("modules", SOURCES, ask), ("bundles", made, bundled)):
        for file, text in {**files, "last.js": last}.items():
            path = (tmp_path / name / file).with_suffix(".mjs")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(re.sub(r'(from ?|import\(?|import )"([^"]+)\.js"', r'\1"\2.mjs"', text))
        run = subprocess.run(["node", "last.mjs"], cwd=tmp_path / name, capture_output=True, text=True, check=True)
        said.append(run.stdout)
    assert said == ["HHello! Hello! 1late late! late late! 1"] * 2


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"app.js": 'import * as all from "./texts.js";\n'}, "app.js: not understood: import * as all"),
        ({"app.js": "export let changing = 1;\n"}, "app.js: not understood: export let changing"),
        ({"app.js": 'import { say } from "texts";\n'}, "app.js: not understood: import { say }"),
        ({"app.js": "export default class {}\n"}, "app.js: not understood: export default class"),
        ({"more/words.js": 'import { nothing } from "../texts.js";\n'}, "texts.js has no nothing"),
        ({"app.js": 'import { say } from "./missing.js";\n'}, "app.js imports missing.js, which is not there"),
        ({"more/words.js": 'import "../app.js";\n'}, "modules import each other: app.js, more/words.js, app.js"),
        ({"alone.js": "export const alone = 1;\n"}, "nobody imports alone.js"),
        ({"more/words.js": "const { add, say } = own;\n"}, "more/words.js: not understood: const {"),
        ({"more/words.js": "const of = 1;\n"}, "more/words.js: not understood: a variable of"),
        (
            {"more/words.js": 'export const later = 1;\nimport("./words.js");\nimport("../app.js");\n'},
            "app.js and more/words.js both export later",
        ),
    ],
)
def test_what_is_not_understood_is_refused(changed: dict[str, str], why: str) -> None:
    with pytest.raises(BundleError, match=re.escape(why)):
        make_bundles(SOURCES | changed, BEGINS, VENDORED)


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ('const a = "x // y";  // z\n\n  b( a, 1 );\n', 'const a="x // y";b(a,1);'),
        ("const r = /[/`'\"]\\/ {2}/g; /* gone\n */ x / y / z", "const r= /[/`'\"]\\/ {2}/g;x / y / z"),
        ("t = `a  ${ b + ` c  ${ { d: 1 }.d } // e` }\n   f`;  g", "t=`a  ${b+` c  ${{d:1}.d} // e`}\nf`;g"),
        ("return /x y/.test(a)  ?  - -b : + +c;", "return /x y/.test(a)?- -b:+ +c;"),
        ("f(a,\n  b) {\n  return {\n c: 1,\n }\n}\n", "f(a,b){return{c:1,}}"),
        ("h`<a>\n  <b x=1\n    y=2>c\n  d</b>`", "h`<a><b x=1\ny=2>c\nd</b>`"),
        ("typeof  x in y\nreturn\n\n\nz", "typeof x in y\nreturn\nz"),
        ("'it\\'s  `' + \"  \"", "'it\\'s  `'+\"  \""),
        ("`\\`  ${a}`  +  b", "`\\`  ${a}`+b"),
    ],
)
def test_only_what_says_nothing_is_taken_out(code: str, short: str) -> None:
    assert _squeeze(code) == short
    assert _squeeze(short) == short


def _squeeze(code: str) -> str:
    return "".join(text for _, text in squeeze(read_tokens(code)))


@pytest.mark.parametrize("code", ["a = `b", "a = `b ${c", "if (a) {", "a = { b: `${c}` "])
def test_what_has_no_end_is_refused(code: str) -> None:
    with pytest.raises(ValueError, match="no end"):
        read_tokens(code)


def test_what_has_no_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="no beginning of }"):
        read_tokens("a = 1 }")


def test_the_console_is_two_scripts_that_hold_every_module() -> None:
    scripts = {name: text.decode() for name, text in read_contents().items() if name.endswith(".js")}
    assert list(scripts) == ["console.js", "more.js"]
    for path in STATIC.rglob("*.js"):
        if path.parent.name == "vendor":  # as it was published, but for what joins it to others
            whole = re.split(r"export|//# ", path.read_text().partition('.js";')[2] or path.read_text())[0]
            assert whole in scripts["console.js"]
    assert "import{" not in scripts["console.js"]
    assert scripts["more.js"].count('from"./console.js";') == 1


@node
def test_both_scripts_are_modules_without_a_fault(tmp_path: Path) -> None:
    for name, text in read_contents().items():
        if name.endswith(".js"):
            path = tmp_path / name.replace(".js", ".mjs")
            path.write_bytes(text)
            subprocess.run(["node", "--check", path], check=True)


def test_the_licences_of_what_is_vendored_are_served() -> None:
    site = ConsoleSite()
    for name in ("preact", "htm"):
        assert site.serve_file(f"{site.folder}vendor/{name}.LICENSE.txt").status == 200
        assert f"vendor/{name}.LICENSE.txt" in site.serve_file(f"{site.folder}more.js").body.decode()
