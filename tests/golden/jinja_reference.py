"""jinja2 set up as transformers sets it up for chat templates, for the scripts beside this one.

transformers itself is not needed: its environment is replicated (utils/chat_template_utils.py): the immutable sandbox, trim_blocks,
lstrip_blocks, loop controls, the generation tag, and its own tojson, raise_exception and strftime_now. The clock stands still.
"""

import datetime
import json
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

NOW = datetime.datetime(2025, 3, 7, 9, 5, 8)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_text"), [], [], body).set_lineno(line)

    def _text(self, caller):
        return caller()


class Raised(Exception):
    """What a template itself refuses."""


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )

    def raise_exception(message):
        raise Raised(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    return env


ENVIRONMENT = environment()


def render(template, context):
    """{"output": text}, or {"error": kind} with, where the template raised it itself, {"raised": message}."""
    try:
        text = ENVIRONMENT.from_string(template).render(**context)
        text.encode("utf-8")
        return {"output": text}
    except Raised as error:
        return {"error": "raised", "raised": str(error)}
    except Exception as error:  # whatever Python finds wrong
        return {"error": type(error).__name__}


VERSIONS = {"python": sys.version.split()[0], "jinja2": jinja2.__version__}
