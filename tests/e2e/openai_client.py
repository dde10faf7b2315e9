#!/usr/bin/env python3
"""The official `openai` Python package against `landfall serve`: models, chat whole and
streamed, embeddings in both encodings, and the errors that the package tells apart.
Skipped only where pip cannot install the package."""
import json, math, os, sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Checks, Server, in_venv

def main():
    in_venv("openai", "openai==1.99.9")
    import openai
    check = Checks()
    with Server() as s:
        c = openai.OpenAI(base_url=s.url + "/v1", api_key="none", max_retries=0, timeout=240)
        ids = [m.id for m in c.models.list()]
        check(len(ids) >= 2, f"models.list: {ids}")
        chat = next(m.id for m in c.models.list() if m.kind == "chat")
        ask = [{"role": "user", "content": "Answer with one word: what colour is the sky on a clear day?"}]
        r = c.chat.completions.create(model="default", messages=ask, max_tokens=12, temperature=0, logprobs=True, top_logprobs=3)
        text = r.choices[0].message.content
        check("blue" in text.lower(), f"chat: {text!r}")
        lp = r.choices[0].logprobs.content
        check(lp and len(lp[0].top_logprobs) == 3 and math.isclose(lp[0].logprob, lp[0].top_logprobs[0].logprob, abs_tol=1e-4),
              "greedy choice has the highest log-probability")
        check(r.usage.total_tokens == r.usage.prompt_tokens + r.usage.completion_tokens > 0, f"usage {r.usage.total_tokens}")
        pieces, usage, finish = [], None, None
        for chunk in c.chat.completions.create(model="default", messages=ask, max_tokens=12, temperature=0, stream=True,
                                               stream_options={"include_usage": True}):
            if chunk.choices:
                pieces.append(chunk.choices[0].delta.content or "")
                finish = chunk.choices[0].finish_reason or finish
            usage = chunk.usage or usage
        check("".join(pieces) == text, f"the stream gives the same text, in {len(pieces)} pieces")
        check(usage is not None and finish in ("stop", "length"), f"usage and finish_reason {finish} in the stream")
        r = c.chat.completions.create(model=chat, messages=[{"role": "user", "content": "Count from 1 to 9."}], max_tokens=30,
                                      temperature=0, stop=["5"], n=2, seed=7)
        check(len(r.choices) == 2 and all("5" not in k.message.content for k in r.choices), "stop string and n=2")

        texts = ["The cat sleeps on the sofa.", "A kitten is napping on the couch.", "钢铁产量去年增长了百分之五。"]
        plain = [e.embedding for e in c.embeddings.create(model="default-embed", input=texts, encoding_format="float").data]
        packed = [e.embedding for e in c.embeddings.create(model="default-embed", input=texts).data]
        check(max(abs(a - b) for u, v in zip(plain, packed) for a, b in zip(u, v)) < 1e-6, "float and base64 agree")
        dot = lambda u, v: sum(a * b for a, b in zip(u, v))
        check(abs(dot(plain[0], plain[0]) - 1) < 1e-3, "unit length")
        check(dot(plain[0], plain[1]) > dot(plain[0], plain[2]) + 0.02, "likeness follows meaning")

        person = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
                  "required": ["name", "age"], "additionalProperties": False}
        r = c.chat.completions.create(model="default", max_tokens=80, temperature=0, messages=[
            {"role": "user", "content": "Alice is 31 years old. Give her name and age as JSON."}],
            response_format={"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": person}})
        v = json.loads(r.choices[0].message.content)
        check(v == {"name": "Alice", "age": 31} and r.choices[0].finish_reason == "stop", f"response_format json_schema: {v}")
        r = c.chat.completions.create(model="default", max_tokens=200, temperature=1, seed=4, messages=ask,
                                      response_format={"type": "json_object"})
        v = json.loads(r.choices[0].message.content)
        check(isinstance(v, dict) and r.choices[0].finish_reason == "stop",
              f"response_format json_object: {r.choices[0].message.content!r}")

        def refused(kind, what, **kw):
            try:
                c.chat.completions.create(**{"model": "default", "messages": ask, **kw})
                check(False, what)
            except kind as e:
                check(True, f"{what}: {e.status_code} {e.param or e.code}")
        refused(openai.NotFoundError, "an unknown model", model="no-such-model")
        refused(openai.BadRequestError, "the older form of functions is refused by name", functions=[{"name": "f"}])
        refused(openai.BadRequestError, "a prompt over the context", messages=[{"role": "user", "content": "word " * 60000}])
    check.end()


if __name__ == "__main__":
    main()
