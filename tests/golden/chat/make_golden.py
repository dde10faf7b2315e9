#!/usr/bin/env python3
"""Render chat templates with Jinja2, set up as Hugging Face transformers does.

    make_golden.py CASES.json FOLDER

For every FOLDER/NAME.jinja and every case of CASES.json writes NAME.CASE.out, the
rendered prompt, or NAME.CASE.err, the reason why the template refuses.
"""
import datetime
import json
import pathlib
import sys

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(Extension):
    """{% generation %} marks the assistant's text; it changes nothing in the output."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_same", [])
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def environment(now_ms):
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    now = datetime.datetime.fromtimestamp(now_ms / 1000)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda fmt: now.strftime(fmt)
    return env


def main():
    cases = json.loads(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = pathlib.Path(sys.argv[2])
    for path in sorted(folder.glob("*.jinja")):
        for name, variables in cases.items():
            out = folder / f"{path.stem}.{name}.out"
            bad = folder / f"{path.stem}.{name}.err"
            out.unlink(missing_ok=True)
            bad.unlink(missing_ok=True)
            env = environment(variables.get("now_unix_ms", 0))
            try:
                text = env.from_string(path.read_text(encoding="utf-8")).render(**variables)
                out.write_bytes(text.encode("utf-8"))
            except Exception as e:  # what the template or Jinja says, whatever it is
                bad.write_text(f"{type(e).__name__}: {e}\n", encoding="utf-8")


main()
