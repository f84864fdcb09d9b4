"""Names in the modules of the console: what is one gets another, and what only looks like one stays.

Modules are made up with marks in them, `«say»` where a name stands for a variable and `¶say¶` where it is the key of a
part, too. So what they are with other names is known without understanding any of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aftersend.console.names import find_names, make_names, rename
from aftersend.console.squeeze import squeeze
from aftersend.console.tokens import Token, read_tokens

NAMES: Final = ("say", "Table", "get", "utc", "$it")
CALLED: Final = {"say": "a", "Table": "B", "get": "c"}
PAIRS: Final = {name: f"{name}:{other}" for name, other in CALLED.items()}


def _rename(tokens: list[Token], called: Mapping[str, str] = CALLED) -> str:
    return rename(tokens, find_names(tokens), called)


@pytest.mark.parametrize(
    ("code", "renamed"),
    [
        ("const say = (get) => get(say);", "const a = (c) => c(a);"),
        ("it.say(it?.get, it\n  .say, ...say)", "it.say(it?.get, it\n  .say, ...a)"),
        ("f({ say, get: get, [say]: Table })", "f({ say:a, get: c, [a]: B })"),
        ("{ const { say: it, get = 1, ...Table } = x; }", "{ const { say: it, get:c = 1, ...B } = x; }"),
        ("({ say, it: { get } }) => { f(say, get); }", "({ say:a, it: { get:c } }) => { f(a, c); }"),
        ("if (x) { say, get }", "if (x) { a, c }"),
        ("x ? say : get; x ? { say } : [get, say]", "x ? a : c; x ? { say:a } : [c, a]"),
        ("`say ${say} ${ { say } } say`", "`say ${a} ${ { say:a } } say`"),
        ("f('say', \"get\", /say{1,2}/.test(say)) // say", "f('say', \"get\", /say{1,2}/.test(a)) // say"),
        ("class Table extends say { get(say) { f(say); } }", "class B extends a { get(a) { f(a); } }"),
        ("class Table { get() { say(); } say() {} utc() {} }", "class B { get() { a(); } say() {} utc() {} }"),
        ("f({ class: 1 }); if (x) { say, get }", "f({ class: 1 }); if (x) { a, c }"),
        ("function get({ say } = { say: 1 }) {}", "function c({ say:a } = { say: 1 }) {}"),
        ("f(() => { return { say }; })", "f(() => { return { say:a }; })"),
        ("try { say() } catch (get) { get() } finally { say() }", "try { a() } catch (c) { c() } finally { a() }"),
        ("saying + $say + say1 + ñsay + 1say", "saying + $say + say1 + ñsay + 1say"),
        ("for (const say of get) say();", "for (const a of c) a();"),
    ],
)  # fmt: skip
def test_what_is_a_name_gets_another(code: str, renamed: str) -> None:
    assert _rename(read_tokens(code)) == renamed


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("const { say } = it;", "const {"),
        ("let [say] = it;", "let ["),
        ("const say = 1, get = 2;", "1 ,"),
        ("function* say() {}", "function *"),
        ("if (x) { var say = 1; }", "var"),
        ("switch (x) { case 1: { say, get } }", "switch"),
        ("f({ say() {} })", "say ("),
        ("f({ it: 1, get say() {} })", "get say"),
        ("f({ async say() {} })", "async say"),
        ("class Table { static say() {} }", "static say"),
        ("class Table { say = 1; }", "say ="),
    ],
)
def test_what_would_take_more_understanding_is_refused(code: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"not understood: {why}")):
        list(find_names(read_tokens(code)))


def test_what_a_module_declares_is_what_stands_at_its_top_level() -> None:
    code = "const a = (b) => { const c = b; };\nasync function d(e) { function f() {} }\nclass g {}\nlet h = (i) => {};"
    assert [each.text for each in find_names(read_tokens(code)) if each.is_declared] == ["a", "d", "g", "h"]


def test_short_names_are_none_that_is_taken() -> None:
    made = make_names({"b", "A1"})
    names = [next(made) for _ in range(1000)]
    assert names[:3] == ["a", "c", "d"]
    assert len(set(names)) == 1000
    assert "A1" not in names
    assert all(re.fullmatch(r"[A-Za-z]|[A-Z][A-Za-z0-9]", each) for each in names)


# ---- Any module -----------------------------------------------------------------------------------------------------

_name = st.sampled_from(NAMES)
_used = _name.map("«{}»".format)


def _join(*parts: str | st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*(st.just(each) if isinstance(each, str) else each for each in parts)).map("".join)


def _list(of: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(of, max_size=3).map(", ".join)


def _make_patterns(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """What takes something apart: `{ say, get: it, utc = 1 }`."""
    short = _name.map("¶{}¶".format)
    part = st.one_of(short, _join(short, " = ", value), _join(_name, ": ", _used), _join("...", _used))
    return _join("{ ", _list(part), " }")


def _make_bodies(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pattern = _make_patterns(value)
    statement = st.one_of(
        _join("const ", st.one_of(_used, pattern), " = ", value, ";\n"),
        _join("let ", _used, " = 1, ", _used, ";"),
        _join("return ", value, "; // ", _name, "\n"),
        _join("if (", value, ") { ", value, "; } else {", _used, "}\n"),
        _join("for (const ", _used, " of ", value, ") {\n  ", _used, "\n}\n"),
        _join("try { ", value, ";\n} catch (", _used, ") { } /* ", _name, " */\n"),
    )
    return st.lists(statement, max_size=3).map("".join)


def _make_values(value: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    taken = st.one_of(_used, _make_patterns(value))
    part = st.one_of(
        _name.map("¶{}¶".format), _join(_name, ": ", value), _join("...", value), _join("[", value, "]: ", value)
    )
    return st.one_of(
        _join(value, st.sampled_from((".", "?.", "\n  .")), _name),
        _join(value, "(", _list(st.one_of(value, _join("...", value))), ")"),
        _join("[", _list(value), "]"),
        _join("({ ", _list(part), ",\n})"),
        _join("`", _name, "${", value, "}", _name, "${ ", value, " }\n`"),
        _join("(", value, " ? ", value, " : ", value, ")"),
        _join("(", value, st.sampled_from((" / ", " + ", "-", " && ", " ?? ")), value, ")"),
        _join("((", _list(taken), ") => ", value, ")"),
        _join("((", _list(taken), ") => {", _make_bodies(value), "})"),
        _join("(function (", _list(taken), ") {\n", _make_bodies(value), "})"),
    )


_plain = st.one_of(_used, st.sampled_from(("'say'", '"get"', "/[`/]say'/g", "1e5", "`Table`", "({})")))
_values = st.recursive(_plain, _make_values, max_leaves=6)
_taken = _list(st.one_of(_used, _make_patterns(_values)))
_bodies = _make_bodies(_values)
_modules = st.lists(
    st.one_of(
        _join("const ", _used, " = ", _values, ";\n"),
        _join("async function ", _used, "(", _taken, ") {", _bodies, "}\n"),
        _join("class ", _used, " extends ", _used, " { ", _name, "(", _taken, ") { ", _bodies, " } }\n"),
    ),
    min_size=1,
    max_size=3,
).map("".join)


@given(_modules)
def test_every_name_of_any_module_gets_another(marked: str) -> None:
    tokens = read_tokens(re.sub("[«»¶]", "", marked))
    wanted = re.sub("«(.*?)»", lambda match: CALLED.get(match[1], match[1]), marked)
    wanted = re.sub("¶(.*?)¶", lambda match: PAIRS.get(match[1], match[1]), wanted)
    assert _rename(tokens) == wanted


@given(_modules)
def test_a_module_without_its_blanks_has_the_same_names(marked: str) -> None:
    code = re.sub("[«»¶]", "", marked)
    tokens = read_tokens(code)
    assert "".join(text for _, text in tokens) == code
    short = squeeze(tokens)
    assert [each[1:] for each in find_names(short)] == [each[1:] for each in find_names(tokens)]
    assert squeeze(read_tokens("".join(text for _, text in short))) == short
