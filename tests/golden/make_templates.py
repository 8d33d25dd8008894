"""Makes templates.json.gz: random templates of the Jinja that chat templates use, and what jinja2 makes of them.

    python3 tests/golden/make_templates.py tests/golden              writes OUT/templates.json.gz (some thousands)
    python3 tests/golden/make_templates.py --lines COUNT SEED        prints COUNT more as JSON lines, for a longer check
    python3 tests/golden/make_templates.py --published FOLDER        prints the same of the templates in FOLDER/*/tokenizer_config.json,
                                                                     with the conversations of make_chats.py and random ones

A template is drawn from a grammar: mostly with operands of the types that its operators take, now and then with any. A third of the
expressions come out as errors; of those only that they are errors is compared, and a template's own refusal by its message.
"""

import gzip
import json
import random
import re
import sys
import warnings
from pathlib import Path

from jinja_reference import VERSIONS, render

CONTEXTS = [
    {
        "messages": [
            {"role": "system", "content": "Be brief.\n"},
            {"role": "user", "content": " Two & <two>? "},
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 2, "b": [2.0, None]}}}]},
            {"role": "tool", "content": "4"},
        ],
        "n": 7, "z": 0, "f": 2.5, "s": "Hello wörld", "t": "a-b_c d\nE\tf", "b": True, "none": None,
        "l": [3, 1, 2], "w": ["b", "A", "a", "C"], "mixed": [1, "a", None, 2.5, True, [1], {"k": "v"}],
        "d": {"x": 1, "items": "I", "y": {"z": [1, {"q": "w"}]}, "B": 2, "a": 3}, "empty": [], "bos_token": "<s>",
        "rows": [{"k": 2, "g": "u"}, {"k": 1, "g": "V"}, {"k": 3, "g": "U", "o": {"p": "q"}}, {"g": None}],
    },
    {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "héé 😀"}, {"type": "image"}]}],
        "n": -3, "z": 10, "f": -0.125, "s": "x😀y\u2028z\x1ew", "t": "  ǆaß ΑΣ 'q' \"r\" \\ ", "b": False, "none": None,
        "l": [1.5, -2, 0, 10], "w": ["ß", "ss", "Z", "é", "😀", "\uffee"], "mixed": ["", 0, 1.0, False, {}, [], "0x1F", " 12 ", "1e3"],
        "d": {"k e y": [1, 2], "n": None, "😀": "é", "keys": 1}, "empty": {}, "bos_token": "",
        "rows": [],
    },
]
TEXTS = ["a", "", " ", "\\n", "lo", "e", "-", "😀", "x y", "%s", "{}", "\\'", "ß", ",", "true", "12", "A"]
DATA = ["", " ", "\n", "x", "\n  ", "  \n", "a b", " {x} ", "\n\n", "\t", "é😀", "%", "}", "# ", "\r\n"]
TEXT_NAMES, LIST_NAMES, NUMBER_NAMES, DICT_NAMES = ["s", "t", "bos_token"], ["l", "w", "mixed", "rows", "messages", "empty"], ["n", "z", "f", "b"], ["d"]


class Grammar:
    def __init__(self, rng):
        self.rng = rng
        self.names = []
        self.macros = []
        self.budget = rng.choice([6, 12, 25, 45])

    def pick(self, *choices):
        return self.rng.choice(choices)

    def spend(self):
        self.budget -= 1
        return self.budget > 0

    # Expressions of a type; with a small chance of any other.
    def expression(self):
        return getattr(self, self.pick("text", "text", "number", "list", "boolean", "any", "dict"))()

    def noise(self):
        return self.rng.random() < 0.04

    def literal(self):
        quote = self.pick("'", '"')
        return quote + self.rng.choice(TEXTS).replace(quote, "") + quote

    def small(self):
        return str(self.rng.choice([-3, -2, -1, 0, 1, 2, 3, 5, 10]))

    def text(self):
        if self.noise():
            return self.expression() if self.spend() else "x"
        if not self.spend():
            return self.pick(self.literal(), self.rng.choice(TEXT_NAMES))
        e = self.text
        kind = self.rng.randrange(20)
        if kind < 3:
            return self.rng.choice(TEXT_NAMES)
        if kind < 5:
            return self.literal()
        if kind == 5:
            return f"{e()} + {e()}"
        if kind == 6:
            return f"{self.expression()} ~ {e()}"
        if kind == 7:
            return f"({e()})[{self.slice()}]"
        if kind < 11:
            return f"({e()})" + self.text_method()
        if kind < 16:
            return f"{self.wrapped(e)}|{self.text_filter()}"
        if kind == 16:
            return f"({e()} if {self.boolean()} else {e()})"
        if kind == 17:
            return f"{self.wrapped(self.list)}|join({self.pick('', e(), self.literal())})"
        if kind == 18:
            return f"{self.wrapped(self.expression)}|tojson" + self.pick("", "", "(indent=2)", "(separators=(',', ':'))", "(sort_keys=true)", "(true)", "(indent=0)")
        return self.pick("messages[0].content", "messages[-1]['role']", "d['items']", f"{self.literal()} * {self.small()}", "d.y.z[1].q", "loop.index ~ ''", f"'%5s|%-4s|%03d|%.2f|%x' % ({e()}, {e()}, {self.number()}, {self.number()}, {self.number()})", f"'{{:>6}}{{!r}}{{x}}{{0}}'.format({e()}, {e()}, x={self.expression()})", f"'{{0:>6}}{{1!r}}{{x}}'.format({e()}, {e()}, x={self.expression()})", f"'{{:,}}|{{:.3f}}|{{:+d}}|{{:^7}}'.format({self.number()}, {self.number()}, {self.number()}, {self.number()})", f"{self.wrapped(self.number)}|string", f"'%r%%%e%g' % ({self.expression()}, {self.number()}, {self.number()})")

    def wrapped(self, make):
        return f"({make()})" if self.rng.random() < 0.7 else make()

    def text_method(self):
        e = self.text
        return self.pick(
            ".strip()", ".lstrip()", f".rstrip({e()})", f".strip({self.literal()})", ".upper()", ".lower()", ".title()", ".capitalize()", ".swapcase()",
            f".replace({self.literal()}, {e()})", f".replace({self.literal()}, {self.literal()}, {self.small()})", f".split()[{self.small()}]",
            f".split({self.literal()})[0]", f".rsplit({self.literal()}, 1)[-1]", f".join({self.wrapped(self.list)}|map('string'))", f".removeprefix({self.literal()})",
            f".removesuffix({self.literal()})", f".center({self.small()}, '*')", f".ljust(8)", ".zfill(5)", f".partition({self.literal()})[{self.pick('0', '1', '2')}]", f".rpartition({self.literal()})[0]",
        )

    def text_filter(self):
        return self.pick(
            "trim", "upper", "lower", "title", "capitalize", f"replace({self.literal()}, {self.literal()})", f"replace({self.literal()}, {self.text()}, 1)", f"indent({self.pick('2', '', 'first=true', 'blank=true', '2, true, true')})".replace("()", ""),
            f"default({self.text()})", f"d({self.text()}, true)", "string", f"truncate({self.pick('5', '3, true', '6, false, 0')})", "center(9)", "e", "reverse", "first", "last", "urlencode", f"trim({self.literal()})", "format(1)",
        )

    def number(self):
        if self.noise():
            return self.expression() if self.spend() else "none"
        if not self.spend():
            return self.pick(self.small(), self.rng.choice(NUMBER_NAMES))
        e = self.number
        kind = self.rng.randrange(16)
        if kind < 3:
            return self.rng.choice(NUMBER_NAMES)
        if kind < 5:
            return self.pick(self.small(), "1.5", "0.1", "1e3", "12345678901234567890", "2e-7", "0x1F", "1_000", "2.675")
        if kind < 9:
            return f"{e()} {self.pick('+', '-', '*', '/', '//', '%')} {e()}"
        if kind == 9:
            return f"({e()}) ** {self.pick('2', '3', '-1', '0.5', '0')}"
        if kind == 10:
            return f"{self.wrapped(self.list)}|{self.pick('length', 'count', 'sum', 'max', 'min', 'first', 'last')}"
        if kind == 11:
            return f"{self.wrapped(self.text)}|{self.pick('length', 'int', 'float', 'wordcount', 'int(7)', 'int(0, 16)', 'float(0.5)', 'count')}"
        if kind == 12:
            return f"{self.wrapped(e)}|{self.pick('abs', 'int', 'float', 'round', 'round(1)', 'round(2)', 'round(-1)', 'round(1, ' + chr(39) + 'ceil' + chr(39) + ')', 'round(method=' + chr(39) + 'floor' + chr(39) + ')')}"
        if kind == 13:
            return f"({self.text()}){self.pick('.find', '.count', '.rfind', '.index')}({self.literal()}{self.pick('', '', ', 1', ', -3, -1')})"
        if kind == 14:
            return self.pick("-", "+") + f"({e()})"
        return self.pick("loop.index", "loop.index0", "loop.length", "loop.revindex", "rows[0].k", "d.x", "d.a", "messages|length", "(l)[0]", "l.count(1)", "l.index(2)", "loop.depth")

    def boolean(self):
        if not self.spend():
            return self.pick("b", "true", "false", "n")
        kind = self.rng.randrange(14)
        e = self.expression
        if kind == 0:
            return f"{self.number()} {self.pick('<', '<=', '>', '>=', '==', '!=')} {self.number()}"
        if kind == 1:
            return f"{self.number()} < {self.number()} {self.pick('<', '>=', '!=')} {self.number()}"
        if kind == 2:
            return f"{e()} {self.pick('==', '!=')} {e()}"
        if kind == 3:
            return f"{self.text()} {self.pick('in', 'not in')} {self.text()}"
        if kind == 4:
            return f"{e()} {self.pick('in', 'not in')} {self.list()}"
        if kind == 5:
            return f"({self.boolean()} {self.pick('and', 'or')} {self.boolean()})"
        if kind == 6:
            return f"not {self.boolean()}"
        if kind < 11:
            test = self.pick(
                "defined", "undefined", "none", "string", "number", "integer", "float", "boolean", "true", "false", "mapping", "iterable", "sequence", "callable", "odd", "even", "lower", "upper", "escaped", "divisibleby 3", "divisibleby(2)", f"eq {self.small()}", f"ge({self.number()})", f"lt({self.number()})", f"in({self.list()})", f"sameas {self.pick('none', 'true', 'b', 'l', 'd')}", "filter", "test", "equalto('a')",
            )
            return f"({self.wrapped(self.expression)} is {self.pick('', '', 'not ')}{test})"
        if kind == 11:
            return f"({self.text()}){self.pick('.startswith', '.endswith')}({self.literal()})"
        if kind == 12:
            return f"({self.text()}){self.pick('.isdigit()', '.isalpha()', '.isspace()', '.isupper()', '.islower()', '.istitle()', '.isalnum()', '.isascii()', '.isprintable()', '.isdecimal()', '.isnumeric()')}"
        return self.pick("loop.first", "loop.last", "loop.changed(n)", "b", "messages[0].role == 'system'", "'tool_calls' in messages[-2]", "add_generation_prompt is defined and add_generation_prompt", "undefined_name", "undefined_name.x is defined")

    def list(self):
        if self.noise():
            return self.expression() if self.spend() else "'ab'"
        if not self.spend():
            return self.rng.choice(LIST_NAMES)
        e = self.list
        kind = self.rng.randrange(16)
        if kind < 4:
            return self.rng.choice(LIST_NAMES)
        if kind == 4:
            return "[" + ", ".join(self.expression() for _ in range(self.rng.randrange(4))) + "]"
        if kind == 5:
            return "(" + ", ".join(self.expression() for _ in range(self.rng.randrange(2, 4))) + ")"
        if kind == 6:
            return f"({e()})[{self.slice()}]"
        if kind == 7:
            return f"({self.text()}).{self.pick('split()', 'splitlines()', 'splitlines(true)', 'split(' + chr(39) + 'l' + chr(39) + ')', 'rsplit(none, 1)', 'split(' + chr(39) + ' ' + chr(39) + ', 1)')}"
        if kind == 8:
            return f"range({self.pick(self.small(), '3', '5, 1, -2', '1, ' + self.small())})"
        if kind == 9:
            return f"{self.dict()}.{self.pick('items()', 'keys()', 'values()')}"
        if kind < 15:
            return f"{self.wrapped(e)}|{self.list_filter()}" + self.pick("|list", "|list", "|list", "")
        return self.pick(f"{e()} + {e()}", f"({e()}) * 2", "messages[0].values()|list", "varargs", "d.items()", "loop", "rows|groupby('g')", "(rows|groupby('g', default='x'))|map(attribute='list')|list")

    def list_filter(self):
        return self.pick(
            "map('string')", "map('upper')", "map(attribute='k')", "map(attribute='g', default='-')", "map('length')", "map('default', 'x')", "select", "reject", "select('string')", "select('odd')", "reject('none')", "select('in', l)",
            "selectattr('role', 'equalto', 'user')", "selectattr('k')", "rejectattr('o')", "selectattr('k', '>', 1)", "rejectattr('role', 'in', ['user'])", "selectattr('o.p', 'defined')", "sort", "sort(reverse=true)", "sort(attribute='k')", "sort(attribute='g,k')", "sort(case_sensitive=true)", "unique", "unique(attribute='g')", "unique(true)", "reverse", "batch(2)", "batch(3, 0)", "slice(2)", "slice(3, 'f')", "list", "groupby('g')", "groupby('k')", "map('int')", "map('tojson')", "map(attribute=0)", "map('first')", "map('replace', 'a', 'b')", "items", "dictsort", "dictsort(true, 'value')", "map('abs')", "min(attribute='k')", "max",
        )

    def dict(self):
        if not self.spend():
            return "d"
        kind = self.rng.randrange(6)
        if kind < 2:
            return "d"
        if kind == 2:
            return "{" + ", ".join(f"{self.pick(self.literal(), self.small(), self.literal())}: {self.expression()}" for _ in range(self.rng.randrange(4))) + "}"
        if kind == 3:
            return f"dict({self.pick('a=1', 'd, x=2', '[(1, 2), (3, 4)]', '', 'rows', 'b=' + self.expression())})"
        return self.pick("messages[0]", "messages[-1]", "rows[0]", "d.y", "mixed[6]", "messages[2].tool_calls[0].function")

    def any(self):
        if not self.spend():
            return "none"
        kind = self.rng.randrange(12)
        e = self.expression
        if kind < 3 and self.names:
            return self.rng.choice(self.names)
        if kind < 4 and self.macros:
            return f"{self.rng.choice(self.macros)}({self.pick('', e(), e() + ', ' + e(), 'y=' + e(), e() + ', y=' + e(), e() + ', q=1')})"
        if kind == 4:
            return f"({self.list()})[{self.small()}]"
        if kind == 5:
            return f"{self.dict()}{self.pick('.x', '.role', '[' + self.literal() + ']', '.get(' + self.literal() + ')', '.get(' + self.literal() + ', ' + e() + ')', '.nope', '.content', '.k', '[0]')}"
        if kind == 6:
            return f"({e()} if {self.boolean()})"
        if kind == 7:
            return f"({e()} {self.pick('or', 'and')} {e()})"
        if kind == 8:
            return f"{self.wrapped(e)}|{self.pick('default(1)', 'd(none, true)', 'first', 'last', 'min', 'max', 'length', 'list', 'tojson', 'string', 'attr(' + chr(39) + 'x' + chr(39) + ')', 'items|list')}"
        return self.pick("none", "undefined_name", "undefined_name.x", "x", "y", "i", "loop.previtem", "loop.nextitem", "caller()", "kwargs", "ns.v", "ns", "messages[0]", "mixed[1]", "loop.cycle('a', 'b')", "joiner('|')()", "cycler(1, 2).next()", "strftime_now('%d %b %Y %A %j %-d %I%p')", f"raise_exception({self.text()})", "s.nope", "d.update({})", "l.append(1)", "''.__class__", "range", "namespace(v=1).v", "namespace(d).x", "s.encode")

    def slice(self):
        part = lambda: self.pick("", self.small(), self.small())
        return self.pick(f"{part()}:{part()}", f"{part()}:{part()}:{self.pick('', '1', '2', '-1', '-2', '3')}", "::-1", "1:", ":-1", self.small())

    # Statements.
    def control(self):
        return self.pick("", "", "", "-", "+"), self.pick("", "", "", "-", "+")

    def tag(self, inner):
        left, right = self.control()
        return "{%" + left + " " + inner + " " + right + "%}"

    def output(self):
        return "{{" + self.pick("", "", "-") + " " + self.expression() + " " + self.pick("", "", "-") + "}}"

    def body(self, length=None):
        written = ""
        for _ in range(length or self.rng.randrange(1, 4)):
            written += self.rng.choice(DATA) + (self.statement() if self.budget > 0 else self.pick("", "{{ x }}"))
        return written + self.rng.choice(DATA)

    def name(self):
        name = self.pick("x", "y", "i", "v", "n", "s")
        if name not in self.names:
            self.names.append(name)
        return name

    def statement(self):
        self.budget -= 1
        kind = self.rng.randrange(26)
        if kind < 9:
            return self.output()
        if kind < 12:
            written = self.tag(f"if {self.boolean()}") + self.body()
            if self.rng.random() < 0.3:
                written += self.tag(f"elif {self.boolean()}") + self.body()
            if self.rng.random() < 0.5:
                written += self.tag("else") + self.body()
            return written + self.tag("endif")
        if kind < 16:
            target = self.pick(self.name(), self.name(), self.name(), "x, y", "k, v")
            recursive = self.pick("", "", "", "", " recursive")
            over = self.list() if target != "k, v" else self.pick("d.items()", "d|items", "d|dictsort", "messages[0].items()")
            written = self.tag(f"for {target} in {over}{self.pick('', '', ' if ' + self.boolean())}{recursive}") + self.body()
            if self.rng.random() < 0.25:
                written += self.tag(f"if {self.boolean()}") + self.tag(self.pick("break", "continue")) + self.tag("endif") + self.body(1)
            if recursive and self.rng.random() < 0.5:
                written += "{% if x is iterable and x is not string and loop.depth < 3 %}{{ loop(x) }}{% endif %}"
            if self.rng.random() < 0.2:
                written += self.tag("else") + self.body()
            return written + self.tag("endfor")
        if kind < 19:
            return self.tag(f"set {self.pick(self.name(), self.name(), self.name(), 'x, y')} = {self.pick(self.expression(), self.expression(), self.expression() + ', ' + self.expression())}")
        if kind == 19:
            return self.tag(f"set {self.name()}{self.pick('', '|upper', '|trim|length')}") + self.body() + self.tag("endset")
        if kind == 20:
            return self.tag(f"set ns = namespace(v={self.expression()})") + self.tag(f"for i in {self.list()}") + self.tag(f"set ns.v = {self.pick('ns.v ~ i', 'i', self.expression())}") + self.tag("endfor") + "{{ ns.v }}"
        if kind == 21:
            name = f"m{len(self.macros)}"
            written = self.tag(f"macro {name}({self.pick('', 'x', 'x, y=2', 'x=1, y=x', 'x, y=n')})") + self.body() + self.pick("", "", "{{ varargs }}", "{{ kwargs }}", "{{ caller() }}") + self.tag("endmacro")
            self.macros.append(name)
            return written + "{{ " + name + self.pick("()", "(1)", "(1, 2)", "(1, 2, 3)", "(y=1)", "(1, z=2)") + " }}"
        if kind == 22 and self.macros:
            return self.tag(f"call{self.pick('', '(x)', '(x=1)')} {self.rng.choice(self.macros)}({self.pick('', '1')})") + self.body() + self.tag("endcall")
        if kind == 23:
            return self.tag(f"filter {self.text_filter().split('|')[0]}") + self.body() + self.tag("endfilter")
        if kind == 24:
            return self.tag(f"with {self.pick('x = ' + self.expression(), 'x = 1, y = x', '')}") + self.body() + self.tag("endwith")
        return self.pick("{# c #}", "{#- c\n -#}", "{#+ c +#}", "{% raw %} {{ x }} {% if %}{% endraw %}", "{%- raw -%} {# y {%- endraw +%}\n", self.tag("generation") + self.body() + self.tag("endgeneration"), self.tag("print " + self.expression()), "{% break %}", "{% endfor %}", "{{", "{% unknown %}", self.tag("if " + self.boolean() + ":") + self.tag("endif"))


def cases(seed, count):
    rng = random.Random(seed)
    made = 0
    while made < count:
        template = Grammar(rng).body(rng.randrange(1, 4))
        which = rng.randrange(len(CONTEXTS))
        result = render(template, CONTEXTS[which])
        if re.search("at(%20| )0x", result.get("output", ""), re.IGNORECASE) or len(result.get("output", "")) > 2000 or len(template) > 1500:
            continue  # a place in memory, or too much to keep
        made += 1
        yield template, which, result


def published(folder, rng):
    from make_chats import CONVERSATIONS, TOOLS

    texts = ["", "Hi", " two  words\n", "<think>\nhm\n</think>\n\nYes", "é😀\u2028", "{\"a\": 1}", "a" * 300, None]
    conversations = list(CONVERSATIONS)
    for _ in range(200):
        messages = [{"role": "system", "content": rng.choice(texts[:-1])}] * rng.randrange(2)
        for _ in range(rng.randrange(1, 5)):
            messages = messages + [{"role": "user", "content": rng.choice(texts[:-1])}]
            answer = {"role": "assistant", "content": rng.choice(texts)}
            if rng.random() < 0.3:
                calls = [{"id": "c", "type": "function", "function": {"name": "add", "arguments": rng.choice([{"a": 1, "b": [None, 2.5, "ü"]}, {}, "{}"])}}]
                messages = messages + [{**answer, "tool_calls": calls * rng.randrange(1, 3)}, {"role": "tool", "content": rng.choice(texts[:-1])}]
            if rng.random() < 0.7:
                messages = messages + [answer]
        conversations.append({"messages": messages, **rng.choice([{}, {}, {"tools": TOOLS}, {"enable_thinking": False}, {"reasoning_effort": "low"}])})
    for path in sorted(Path(folder).glob("*/tokenizer_config.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        tokens = {k: v if isinstance(v, str) else v["content"] for k, v in config.items() if k.endswith("_token") and (isinstance(v, str) or isinstance(v, dict))}
        template = config.get("chat_template")
        for conversation in conversations if template else []:
            for answer in (True, False):
                context = {**tokens, "tools": None, "documents": None, "add_generation_prompt": answer, **conversation}
                yield {"source": path.parent.name, "template": template, "context": context, **render(template, context)}


def main():
    warnings.simplefilter("ignore", SyntaxWarning)  # what Python thinks of a template's own code
    if len(sys.argv) == 4 and sys.argv[1] == "--lines":
        for template, which, result in cases(int(sys.argv[3]), int(sys.argv[2])):
            print(json.dumps({"template": template, "context": CONTEXTS[which], **result}))
        return
    if len(sys.argv) == 3 and sys.argv[1] == "--published":
        for case in published(sys.argv[2], random.Random(1)):
            print(json.dumps(case))
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # Of errors, one in three: they say less.
    kept = [
        [template, which, result.get("output"), result.get("raised")]
        for i, (template, which, result) in enumerate(cases(2026, 6000))
        if "output" in result or i % 3 == 0
    ]
    path = Path(sys.argv[1]) / "templates.json.gz"
    text = json.dumps({"versions": VERSIONS, "contexts": CONTEXTS, "cases": kept}, ensure_ascii=False, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode("utf-8"), 9, mtime=0))
    print(f"{path}: {path.stat().st_size} bytes, {len(kept)} cases, {sum(case[2] is None for case in kept)} of them errors")


if __name__ == "__main__":
    main()
