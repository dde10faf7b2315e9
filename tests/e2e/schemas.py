#!/usr/bin/env python3
"""Random JSON Schemas, random outputs that their grammars allow, and the judgement of the
`jsonschema` package: every output must be valid.  1,000 schemas, 20,000 with --soak.
Tokens are drawn blindly, from the vocabulary of tests/golden/tokenizer/byte_level."""
import json, os, random, subprocess, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import LANDFALL, ROOT, Checks, in_venv

WORDS = ["id", "name", "金额", "when", "items", "a\"b", "état", "note", "x/y", "~k", "状态"]
PATTERNS = ["^[A-Z]{2}\\d{3}$", "^(red|green|blau)$", "^\\w+@\\w+\\.(de|cn)$", "[0-9]", "^[^\"a-f]{1,4}$",
            "^\\d{1,3}(,\\d{3})*$", "^[一-龥]{2,4}$", "^(?:a|b(c|d)?)+$", "^\\S+ \\S+$", "\\\\", "^.{3}$"]


class Random(random.Random):
    def string(self):
        kind = self.randrange(5)
        s = {"type": "string"}
        if kind == 0:
            low = self.randrange(6)
            s.update(minLength=low, maxLength=low + self.randrange(6))
        elif kind == 1:
            s["pattern"] = self.choice(PATTERNS)
        elif kind == 2:
            s["format"] = self.choice(["date", "time", "date-time", "uuid"])
        return s

    def number(self):
        s = {"type": self.choice(["integer", "number"])}
        low = self.randrange(-2000, 2000)
        high = low + self.choice([0, 1, 2, 9, 10, 11, 100, 12345])
        if self.random() < 0.5:
            s["minimum"] = low
        if self.random() < 0.5:
            s["maximum"] = high
        if self.random() < 0.2 and "minimum" in s:
            s["exclusiveMinimum"] = s.pop("minimum") - 1.5
        if self.random() < 0.2 and "maximum" in s:
            s["exclusiveMaximum"] = s.pop("maximum") + 2
        return s

    def values(self):
        return [self.choice([None, True, 3, -2.5, "a", "引号\"", [1], {"k": 0}, ""]) for _ in range(3)]

    def array(self, depth):
        s = {"type": "array"}
        if self.random() < 0.8:
            s["items"] = self.schema(depth - 1)
        if self.random() < 0.3:
            s["prefixItems"] = [self.schema(depth - 1) for _ in range(self.randrange(1, 3))]
        low = self.randrange(3)
        if self.random() < 0.4:
            s["minItems"] = low
        if self.random() < 0.4:
            s["maxItems"] = max(low + self.randrange(3), len(s.get("prefixItems", [])))
        return s

    def object(self, depth):
        if self.random() < 0.2:
            return {"type": "object", "additionalProperties": self.schema(depth - 1), "minProperties": self.randrange(2)}
        names = self.sample(WORDS, self.randrange(6))
        s = {"type": "object", "properties": {n: self.schema(depth - 1) for n in names},
             "required": [n for n in names if self.random() < 0.5]}
        if self.random() < 0.5 and names:
            s["additionalProperties"] = False
        return s

    def schema(self, depth):
        kind = self.randrange(10 if depth > 0 else 6)
        if kind in (0, 1):
            return self.string()
        if kind == 2:
            return self.number()
        if kind == 3:
            return {"enum": self.values()}
        if kind == 4:
            return {"type": self.choice(["boolean", "null"])}
        if kind == 5:
            return self.choice([{"const": self.values()[0]}, {"type": ["string", "null"]}, {"$ref": "#/$defs/tree"}, {}])
        if kind == 6:
            return self.array(depth)
        if kind == 7:
            return {"anyOf": [self.schema(depth - 1) for _ in range(self.randrange(1, 4))]}
        if kind == 8:
            return {"oneOf": [{"type": "object", "properties": {"kind": {"const": k}, "v": self.schema(depth - 1)},
                               "required": ["kind"]} for k in ("one", "two")]}
        return self.object(depth)

    def root(self):
        s = self.schema(4)
        s["$defs"] = {"tree": {"type": "object", "properties": {
            "v": self.number(), "children": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}},
            "required": ["v"]}}
        return s


def only_one(pairs):
    if len({k for k, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def judge(schema, text, validator):
    """None, or what is wrong with an output."""
    try:
        value = json.loads(text)
    except ValueError as e:
        return f"no JSON: {e}"
    wrong = next(validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(value), None)
    return wrong and wrong.message


def main():
    in_venv("jsonschema", "jsonschema==4.23.0")
    import jsonschema
    check = Checks()
    n = 20000 if os.environ.get("LANDFALL_SOAK") else 1000
    r = Random(20260101)
    schemas = [r.root() for _ in range(n)]
    tool = os.path.join(os.path.dirname(os.path.realpath(LANDFALL)), "bench", "bench_grammar")
    out = subprocess.run([tool, os.path.join(ROOT, "tests/golden/tokenizer/byte_level"), "7"],
                         input="".join(json.dumps(s, ensure_ascii=False) + "\n" for s in schemas),
                         capture_output=True, text=True)
    print("    " + out.stderr.strip())
    lines = [json.loads(line) for line in out.stdout.splitlines()]
    check(out.returncode == 0 and len(lines) == n, f"{len(lines)} lines for {n} schemas, exit code {out.returncode}")
    refused, wrong = [], []
    for s, text in zip(schemas, lines):
        if isinstance(text, dict):
            refused.append(text["error"])
            continue
        why = judge(s, text, jsonschema.Draft202012Validator)
        if why:
            wrong.append((why, text, s))
    for why, text, s in wrong[:5]:
        print(f"    {why}\n      {text}\n      {json.dumps(s, ensure_ascii=False)}")
    check(not wrong, f"{n - len(refused) - len(wrong)} outputs of {n - len(refused)} are valid")
    unwell = [e for e in refused if "nothing can satisfy" not in e]
    for e in unwell[:5]:
        print("    " + e)
    check(len(refused) < n // 5 and not unwell, f"{len(refused)} schemas allow nothing, {len(unwell)} were refused for another reason")
    check.end()


main()
