#!/usr/bin/env python3
"""Functions through the official `openai` Python package against `landfall serve`: auto,
required, named, parallel and streamed calls, the round trip of a result, and refusals.  What
the small default model decides is fixed by temperature 0; that arguments are valid must hold
for every seed and temperature.  Skipped only where
pip cannot install the package."""
import json, os, sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Checks, Server, in_venv


def function(name, description, properties, **more):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False, **more}}}


WEATHER = function("get_weather", "The weather of a city now", {
    "city": {"type": "string", "maxLength": 40}, "unit": {"$ref": "#/$defs/unit"}},
    **{"$defs": {"unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}})
ADD = function("add", "Add two numbers", {"a": {"type": "number"}, "b": {"type": "number"}})
ORDER = function("place_order", "Order things", {
    "items": {"type": "array", "minItems": 1, "maxItems": 3, "items": {
        "type": "object", "required": ["sku", "count"], "additionalProperties": False, "properties": {
            "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}, "count": {"type": "integer", "minimum": 1, "maximum": 9}}}},
    "gift": {"type": "boolean"}, "note": {"type": ["string", "null"], "maxLength": 30}})
CLOCK = {"type": "function", "function": {"name": "clock"}}
TOOLS = [WEATHER, ADD, ORDER]
SCHEMAS = {t["function"]["name"]: t["function"]["parameters"] for t in TOOLS}


def fits(v, s, root):
    """Is v valid under the schemas above?  (Just what they use.)"""
    import re
    s = root["$defs"][s["$ref"].rsplit("/", 1)[1]] if "$ref" in s else s
    types = s.get("type", [])
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int, "number": (int, float)}
    if not any(isinstance(v, kinds[t]) and (t == "boolean" or not isinstance(v, bool)) for t in (types if isinstance(types, list) else [types])):
        return False
    if isinstance(v, dict):
        return set(s["required"]) <= set(v) <= set(s["properties"]) and all(fits(v[k], s["properties"][k], root) for k in v)
    if isinstance(v, list):
        return s["minItems"] <= len(v) <= s["maxItems"] and all(fits(x, s["items"], root) for x in v)
    if isinstance(v, str):
        return v in s.get("enum", [v]) and len(v) <= s.get("maxLength", 10**9) and bool(re.search(s.get("pattern", ""), v))
    return v is None or isinstance(v, bool) or s.get("minimum", v) <= v <= s.get("maximum", v)


def main():
    in_venv("openai", "openai==1.99.9")
    import openai
    check = Checks()
    with Server() as s:
        c = openai.OpenAI(base_url=s.url + "/v1", api_key="none", max_retries=0, timeout=240)

        def ask(text, tools=TOOLS, **kw):
            messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
            kw = {"model": "default", "temperature": 0, "max_tokens": 300, **kw}
            return c.chat.completions.create(messages=messages, tools=tools, **kw)

        def valid(call):
            root = SCHEMAS[call.function.name]
            return call.type == "function" and call.id.startswith("call_") and fits(json.loads(call.function.arguments), root, root)

        # The model's own will.
        r = ask("What is the weather in Oslo, in celsius?").choices[0]
        calls = r.message.tool_calls or []
        check(r.finish_reason == "tool_calls" and [k.function.name for k in calls] == ["get_weather"] and valid(calls[0]) and
              "Oslo" in calls[0].function.arguments and r.message.content is None, f"auto: {r.message.tool_calls}")
        r = ask("Say hello in French, in one word.").choices[0]
        check(r.finish_reason == "stop" and not r.message.tool_calls and "bonjour" in r.message.content.lower(), f"auto, no call: {r.message.content!r}")
        r = ask("What is the weather in Oslo?", tool_choice="none", max_tokens=20).choices[0]
        check(not r.message.tool_calls and r.message.content, "none: text")

        # Forced.
        for text in ("Hello there!", "北京天气如何？", "ignore all functions and write a poem"):
            r = ask(text, tool_choice="required").choices[0]
            check(r.finish_reason == "tool_calls" and r.message.tool_calls and all(valid(k) for k in r.message.tool_calls),
                  f"required: {[(k.function.name, k.function.arguments) for k in r.message.tool_calls or []]}")
        for name in SCHEMAS:
            r = ask("Add 3 and 4.", tool_choice={"type": "function", "function": {"name": name}}).choices[0]
            k = r.message.tool_calls or []
            check(r.finish_reason == "tool_calls" and [x.function.name for x in k] == [name] and valid(k[0]), f"named: {k and k[0].function}")
        n, bad = 0, []
        for seed in range(12):
            r = ask("Do something with the functions, several times.", tool_choice="required", temperature=1.5, seed=seed).choices[0]
            if r.finish_reason == "length":
                continue
            n += len(r.message.tool_calls)
            bad += [k.function for k in r.message.tool_calls if not valid(k)]
        check(n >= 12 and not bad, f"{n} calls by chance, all valid {bad}")

        # Several at once: the answer's first call is given, the model may add others.
        both = "Call get_weather for Paris and then call get_weather for London."
        one = ask(both, tool_choice="required", parallel_tool_calls=False).choices[0].message.tool_calls
        many = ask(both, tool_choice="required").choices[0].message.tool_calls
        check(len(one) == 1 and all(valid(k) for k in many) and many[0].function == one[0].function and
              len({k.id for k in many}) == len(many), f"parallel: {len(many)}, forbidden: {len(one)}")

        ends = s.post("/tokenize", {"content": "<|im_end|><|endoftext|>", "add_special": False})["tokens"]
        for parallel in (True, False):  # an answer that may not end goes on as long as it can
            r = ask("What time is it?", tools=[CLOCK], tool_choice="required", parallel_tool_calls=parallel, max_tokens=120,
                    logit_bias={str(t): -100 for t in ends}).choices[0]
            check((len(r.message.tool_calls) >= 3) == parallel and all(k.function.name == "clock" for k in r.message.tool_calls) and
                  r.finish_reason == ("length" if parallel else "tool_calls"), f"{len(r.message.tool_calls)} calls in one answer")

        # Streamed: the same, in pieces.
        def streamed(text, **kw):
            content, calls, finish, usage = "", {}, None, None
            for chunk in ask(text, stream=True, stream_options={"include_usage": True}, **kw):
                usage = chunk.usage or usage
                for k in chunk.choices:
                    finish = k.finish_reason or finish
                    content += k.delta.content or ""
                    for d in k.delta.tool_calls or []:
                        if d.id:
                            assert d.index == len(calls) and d.function.name and d.function.arguments == ""
                            calls[d.index] = [d.function.name, []]
                        else:
                            calls[d.index][1].append(d.function.arguments)
            return content, calls, finish, usage
        for kw in ({"tool_choice": "required"}, {}):
            whole = ask("What is the weather in Oslo, in celsius?", **kw).choices[0]
            content, calls, finish, usage = streamed("What is the weather in Oslo, in celsius?", **kw)
            check([(n, "".join(p)) for n, p in calls.values()] == [(k.function.name, k.function.arguments) for k in whole.message.tool_calls]
                  and content == (whole.message.content or "") and finish == whole.finish_reason and usage.completion_tokens > 0,
                  f"streamed: {calls}")
            check(all(len(p) > 3 for _, p in calls.values()), "arguments come piece by piece")
        whole = ask("Say hello in French, in one word.").choices[0]
        content, calls, finish, _ = streamed("Say hello in French, in one word.")
        check(content == whole.message.content and not calls and finish == "stop", "streamed text is the same")

        # In company: the same bytes as alone.
        asked = [("Weather in Oslo?", {}), ("Add 2 and 3.", {"tool_choice": "required"}), ("Order two of AB-123.", {}), ("Say hello in French.", {})] * 2
        brief = lambda k: (k.message.content, [(c.function.name, c.function.arguments) for c in k.message.tool_calls or []], k.finish_reason)
        alone = [brief(ask(t, **kw).choices[0]) for t, kw in asked[:4]] * 2
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda a: brief(ask(a[0], **a[1]).choices[0]), asked))
        check(together == alone, f"eight at once answer as alone: {sum(bool(a[1]) for a in alone)} with calls")

        # The round trip.
        talk = [{"role": "user", "content": "What is 1234 plus 4321? Use the function."}]
        m = ask(talk, tool_choice={"type": "function", "function": {"name": "add"}}, parallel_tool_calls=False).choices[0].message
        args = json.loads(m.tool_calls[0].function.arguments)
        talk += [m.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": m.tool_calls[0].id, "content": str(args["a"] + args["b"])}]
        r = ask(talk, max_tokens=60, tool_choice="none").choices[0]
        check("5555" in r.message.content.replace(",", ""), f"the model reads the result: {r.message.content!r}")
        r = ask(talk, tool_choice="required").choices[0]
        check(r.message.tool_calls and all(valid(k) for k in r.message.tool_calls), "and may call again")

        # With other fields.
        r = ask("What is the weather in Oslo?", tool_choice="required", n=2, logprobs=True, top_logprobs=2, stop=["city"], parallel_tool_calls=False)
        check(len(r.choices) == 2 and all(valid(k.message.tool_calls[0]) for k in r.choices) and
              len(r.choices[0].logprobs.content) <= r.usage.completion_tokens, "n, logprobs and a stop string that does not cut calls")
        person = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
        r = ask("Bob is 31. Answer as JSON.", response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": person}}).choices[0]
        check(all(valid(k) for k in r.message.tool_calls) if r.message.tool_calls else list(json.loads(r.message.content)) == ["age"],
              f"a call or the answer's schema: {r.message.content or r.message.tool_calls}")
        r = ask("Weather in Oslo?", tool_choice="required", max_tokens=14).choices[0]
        check(r.finish_reason == "length", f"cut short is told: {r.message}")

        # A model whose template knows no functions.
        if "smollm2-135m-instruct" in [m.id for m in c.models.list()]:
            r = ask("What is the weather in Oslo?", model="smollm2-135m-instruct", tool_choice="required", parallel_tool_calls=False).choices[0]
            check(valid(r.message.tool_calls[0]), f"told in words: {r.message.tool_calls[0].function}")

        def refused(param, says, **kw):
            try:
                ask(kw.pop("messages", "hi"), **kw)
                check(False, f"{param} is refused")
            except openai.BadRequestError as e:
                check(e.param == param and says in e.message, f"{e.param}: {e.message}")
        odd = function("odd", "", {"x": {"not": {}}})
        refused("tools", "function 'odd'", tools=[odd])
        refused("tools", "twice", tools=[ADD, ADD])
        refused("tools", "function.name", tools=[function("a b", "", {})])
        refused("tool_choice", "'nobody'", tool_choice={"type": "function", "function": {"name": "nobody"}})
        refused("tool_choice", "without", tools=[], tool_choice="required")
        refused("grammar", "exclude", extra_body={"grammar": "root ::= [a]"})
        refused("messages", "no result", messages=talk[:2] + [{"role": "user", "content": "and?"}])
        refused("messages", "no open call", messages=[{"role": "tool", "tool_call_id": "x", "content": "1"}])
    check.end()


if __name__ == "__main__":
    main()
