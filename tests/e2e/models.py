#!/usr/bin/env python3
"""Several models in one process: other names, what /api/models says, loading and unloading on
demand, one memory budget in which the longest unused goes and what has no room is refused, and a
model that is in use while others want its room.  Needs the default models alone."""
import json, os, sys, threading, time, urllib.error, urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Checks, Server

MIB = 1 << 20


def ask(s, model, **more):
    return s.post("/v1/chat/completions", {"model": model, "max_tokens": 4, "temperature": 0, "seed": 1,
                                           "messages": [{"role": "user", "content": "Say hello."}], **more})


def fails(f):
    try:
        f()
    except urllib.error.HTTPError as e:
        return e.code, json.load(e)["error"]
    return 200, {}


def row(s, name):
    return next(m for m in s.get("/api/models")["models"] if m["id"] == name)


def taken(s, name):
    r = row(s, name)
    return r["weights_bytes"] + r["workspace_bytes"]


def resident(s):
    with open(f"/proc/{s.process.pid}/smaps_rollup") as f:
        return next(int(l.split()[1]) * 1024 for l in f if l.startswith("Rss:"))


def names_and_unloading(check):
    """What the chat model and the encoder take, for the budgets below."""
    models = os.path.join(os.environ["LANDFALL_HOME"], "models")
    own = os.path.join(models, next(f for f in sorted(os.listdir(models)) if f.endswith(".gguf") and "qwen" in f))
    with Server("models.aliases=gpt-4o-mini=default,text-embedding-3-small=default-embed,mine=" + own) as s:
        chat = next(m["id"] for m in s.get("/v1/models")["data"] if m["kind"] == "chat" and row(s, m["id"])["default"])
        check(not row(s, chat)["loaded"] and not row(s, chat)["weights_bytes"], f"{chat} is not loaded at the start")
        before = resident(s)
        a, b = ask(s, "gpt-4o-mini"), ask(s, chat)
        check(a["choices"] == b["choices"] and a["model"] == b["model"] == chat, f"another name answers alike: {a['model']}")
        c = ask(s, "mine")
        check(c["model"] == "mine" and "/" not in json.dumps(s.get("/v1/models")), "a file by another name: its path stays here")
        listed = {m["id"]: m for m in s.get("/v1/models")["data"]}
        check(listed["gpt-4o-mini"]["alias_of"] == chat and listed["gpt-4o-mini"]["loaded"], "/v1/models has the other names")
        v = s.post("/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"})
        check(len(v["data"][0]["embedding"]) > 0, "embeddings by another name")
        code, e = fails(lambda: ask(s, "gpt-5"))
        check(code == 404 and e["code"] == "model_not_found" and chat in e["message"] and "gpt-4o-mini" in e["message"],
              f"an unknown model: {code}, with the list")
        s.get("/v1/models")
        long = threading.Thread(target=lambda: s.post("/v1/completions", {
            "model": chat, "max_tokens": 1, "prompt": " ".join(str(i) for i in range(700))}))
        long.start()
        while s.get("/api/health")["engine"]["running"] == 0 and long.is_alive():
            pass
        start = time.monotonic()
        s.get("/v1/models"), s.get("/api/models")
        took, reading = time.monotonic() - start, long.is_alive()
        long.join()
        check(reading and took < 0.5, f"listed in {took * 1000:.0f} ms while a long prompt is read")
        memory, r = s.get("/api/models")["memory"], row(s, chat)
        check(r["weights_bytes"] > MIB and r["kv_bytes"] > 0 and
              memory["weights_bytes"] + memory["workspace_bytes"] + memory["kv_bytes"] <= memory["budget_bytes"],
              f"/api/models: {r['weights_bytes'] // MIB} MiB of weights, {r['kv_bytes'] // 1024} KiB of cache")
        after = resident(s)
        freed = s.post(f"/api/models/{chat}/unload", {})["freed_bytes"]
        check(freed == taken_of(r) and not row(s, chat)["loaded"] and after - resident(s) > r["weights_bytes"] // 2,
              f"unloading frees {freed // MIB} MiB; resident {before // MIB}, {after // MIB}, {resident(s) // MIB} MiB")
        check(s.post(f"/api/models/{chat}/unload", {})["freed_bytes"] == 0, "unloading again frees nothing")
        s.post(f"/api/models/{chat}/load", {})
        check(row(s, chat)["loaded"] and ask(s, chat)["choices"] == a["choices"], "loaded again it says the same")
        code, e = fails(lambda: s.post("/api/models/nobody/load", {}))
        check(code == 404, f"loading an unknown model: {code}")
        return chat, taken(s, chat), taken(s, next(m for m in listed if listed[m]["kind"] == "embedding"))


def taken_of(r):
    return r["weights_bytes"] + r["workspace_bytes"]


def too_big(check, chat, big, small):
    with Server(f"models.memory_mib={(big // 2 + small) // MIB}", "engine.ctx_tokens=512") as s:
        before = resident(s)
        code, e = fails(lambda: ask(s, "default"))
        check(code == 503 and "allowed are" in e["message"] and "weights" in e["message"], f"too big: {code} {e.get('message')}")
        check(not row(s, chat)["loaded"] and resident(s) - before < 64 * MIB, "nothing of it was read")
        check(s.post("/v1/embeddings", {"model": "default-embed", "input": "a"})["data"], "what has room goes on")


def room_for_one(check, chat, big, small):
    """The chat model or the encoder, not both: they take turns."""
    session = 16 * MIB
    with Server(f"models.memory_mib={(big + session) // MIB + 1}", "engine.ctx_tokens=512") as s:
        embed = lambda: s.post("/v1/embeddings", {"model": "default-embed", "input": "a"})
        one = embed()
        text = ask(s, "default")["choices"]
        check(row(s, chat)["loaded"] and not row(s, "multilingual-e5-small")["loaded"], "the encoder made room for the chat model")
        check(embed()["data"] == one["data"] and not row(s, chat)["loaded"], "and the other way round, with the same vectors")
        check(ask(s, "default")["choices"] == text, "and again, with the same words")
        started, got = threading.Event(), []
        ends = s.post("/tokenize", {"content": "<|im_end|><|endoftext|>", "add_special": False})["tokens"]

        def long_answer():
            r = urllib.request.Request(s.url + "/v1/chat/completions", json.dumps({
                "model": "default", "max_tokens": 300, "temperature": 1, "seed": 3, "stream": True,
                "logit_bias": {str(t): -100 for t in ends},
                "messages": [{"role": "user", "content": "Write a long story about a lighthouse."}]}).encode(),
                {"Content-Type": "application/json"})
            with urllib.request.urlopen(r, timeout=300) as f:
                for line in f:
                    got.append(line)
                    started.set()
        t = threading.Thread(target=long_answer)
        t.start()
        started.wait(120)
        code, e = fails(lambda: s.post(f"/api/models/{chat}/unload", {}))
        check(code == 409 and e["code"] == "busy", f"a model in use is not unloaded: {code}")
        code, e = fails(embed)
        check(code == 503 and "(in use)" in e["message"], f"nor for the room of another: {code}")
        t.join()
        check(got[-2].strip() == b"data: [DONE]", f"its answer came to its end, in {len(got) // 2} events")
        check(embed()["data"] == one["data"], "afterwards there is room")


def main():
    check = Checks()
    chat, big, small = names_and_unloading(check)
    too_big(check, chat, big, small)
    room_for_one(check, chat, big, small)
    check.end()


if __name__ == "__main__":
    main()
