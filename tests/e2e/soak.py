#!/usr/bin/env python3
"""Many clients at once, many of whom go away: nothing is lost, stuck or leaked.

2,400 requests against the server on tiny random models (10,000 with --soak, or as many as the
first argument says), from 24 threads: conversations, completions, messages, embeddings, ranks,
token counts; short and long, whole and streamed, held to a schema, with stop strings; some over
the context, some malformed; functions that must be called.  Another model guesses.  Three in ten are given up: before the body is sent, while waiting,
in the middle of a stream.  Checked:

- every request that is not given up is answered, with what it asked for; a schema is kept
- one request that comes again and again says the same each time, whatever runs beside it
- at the end nothing runs or waits and no sequence is open
- memory, in blocks and as the system sees it, is after the last third what it was after the first
"""
import http.client, json, os, random, shutil, socket, subprocess, sys, tempfile, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import LANDFALL, Server, Checks, skip

N_CLIENTS = 24
CHAT, ENCODER = "qwen2.5-coder-0.5b-instruct", "multilingual-e5-small"
FILES = {"qwen2.5-coder-0.5b-instruct-q4_k_m.gguf": ("chat", "0"), "smollm2-135m-instruct-q4_1.gguf": ("chat", "1"),
         "multilingual-e5-small-q4_0.gguf": ("encoder", "0")}
SETTINGS = {"LANDFALL_ENGINE_KV_BUDGET_MIB": "4", "LANDFALL_ENGINE_CTX_TOKENS": "1024",
            "LANDFALL_ENGINE_SESSIONS_MAX": "6", "LANDFALL_THREADS": "2",
            "LANDFALL_MODELS_DRAFTS": CHAT + "=smollm2-135m-instruct"}
WORDS = "the harbour keeps a register of berths 泊位登记簿由港务局保存 entries name the vessel".split()


class GaveUp(Exception):
    pass


def text(rng, n):
    return " ".join(rng.choice(WORDS) for _ in range(n))


def schema(rng):
    kind = rng.choice(["a", "b", "c"])
    return kind, {"type": "object", "properties": {"kind": {"const": kind}, "n": {"type": "integer", "minimum": 0,
                  "maximum": 99}, "tags": {"type": "array", "items": {"enum": ["x", "y"]}, "maxItems": 3}},
                  "required": ["kind", "n", "tags"], "additionalProperties": False}


def sampling(rng):
    o = {"max_tokens": rng.choice([1, 2, 8, 24, 64]), "temperature": rng.choice([0, 0.8]), "seed": rng.randrange(99)}
    if rng.random() < 0.2:
        o["stop"] = ["e", "zz"]
    return o


def chat(rng):
    body = {"model": CHAT, "messages": [{"role": "system", "content": "Answer."},
            {"role": "user", "content": text(rng, rng.choice([1, 5, 40]))}], **sampling(rng)}
    if rng.random() < 0.5:
        body["stream"] = True
        return "/v1/chat/completions", body, None
    return "/v1/chat/completions", body, lambda v: isinstance(v["choices"][0]["message"]["content"], str)


def constrained(rng):
    kind, s = schema(rng)
    body = {"model": CHAT, "messages": [{"role": "user", "content": text(rng, 3)}], "max_tokens": 600,
            "temperature": 1, "seed": rng.randrange(1 << 20),
            "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": s}}}

    def good(v):
        c = v["choices"][0]
        if c["finish_reason"] == "length":
            return True  # white space may go on and on
        o = json.loads(c["message"]["content"])
        return (o["kind"] == kind and 0 <= o["n"] <= 99 and list(o) == ["kind", "n", "tags"] and
                len(o["tags"]) <= 3 and all(t in "xy" for t in o["tags"]))
    return "/v1/chat/completions", body, good


def calling(rng):
    kind, s = schema(rng)
    body = {"model": CHAT, "messages": [{"role": "user", "content": text(rng, 2)}], "max_tokens": 350,
            "temperature": 1, "seed": rng.randrange(1 << 20), "tool_choice": "required",
            "parallel_tool_calls": False,
            "tools": [{"type": "function", "function": {"name": "note", "parameters": s}}]}

    def good(v):
        c = v["choices"][0]
        if c["finish_reason"] == "length":
            return True
        call = c["message"]["tool_calls"][0]["function"]
        return call["name"] == "note" and json.loads(call["arguments"])["kind"] == kind
    return "/v1/chat/completions", body, good


def completion(rng):
    n = rng.choice([1, 1, 3])
    body = {"model": CHAT, "prompt": [text(rng, rng.choice([1, 60])) for _ in range(n)], **sampling(rng)}
    return "/v1/completions", body, lambda v: len(v["choices"]) == n


def message(rng):
    body = {"model": CHAT, "messages": [{"role": "user", "content": text(rng, 6)}],
            "max_tokens": rng.choice([1, 30]), "temperature": 0}
    return "/v1/messages", body, lambda v: v["type"] == "message"


def embedding(rng):
    texts = [text(rng, rng.randrange(1, 80)) for _ in range(rng.choice([1, 4, 40]))]
    return "/v1/embeddings", {"model": ENCODER, "input": texts}, lambda v: len(v["data"]) == len(texts)


def rank(rng):
    texts = [text(rng, 9) for _ in range(rng.randrange(1, 12))]
    return ("/v1/rerank", {"model": ENCODER, "query": text(rng, 3), "documents": texts},
            lambda v: len(v["results"]) == len(texts))


def tokens(rng):
    return "/tokenize", {"model": CHAT, "content": text(rng, 50)}, lambda v: len(v["tokens"]) > 0


def fixed(rng):
    body = {"model": CHAT, "messages": [{"role": "user", "content": "the same again"}], "max_tokens": 20,
            "temperature": 0.9, "seed": 7}
    return "/v1/chat/completions", body, "fixed"


def bad(rng):
    body = rng.choice([
        {"model": CHAT, "messages": [{"role": "user", "content": text(rng, 2000)}]},
        {"model": "no-such-model", "messages": [{"role": "user", "content": "x"}]},
        {"model": CHAT, "messages": "x"},
        {"model": CHAT, "messages": [{"role": "user", "content": "x"}], "temperature": 99},
    ])
    return "/v1/chat/completions", body, "bad"


KINDS = [chat] * 6 + [constrained] * 2 + [calling] + [completion] * 3 + [message, embedding, rank, tokens, fixed, fixed, bad]


class Client:
    def __init__(self, port):
        self.port = port

    def raw(self, path, data, length):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=120)
        s.sendall(("POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\nContent-Length: %d"
                   "\r\n\r\n" % (path, self.port, length)).encode() + data)
        return s

    def give_up(self, rng, path, body):
        """Send all or a part, read nothing or a little, and go."""
        data = json.dumps(body).encode()
        part = data if rng.random() < 0.7 else data[:rng.randrange(len(data))]
        with self.raw(path, part, len(data)) as s:
            if len(part) == len(data) and rng.random() < 0.7:
                s.recv(rng.choice([1, 300, 3000]))

    def ask(self, path, body):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            c.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()


def judge(path, body, want, status, raw, said):
    """What is wrong with an answer, or None."""
    if want == "bad":
        good = status in (400, 404, 422) and json.loads(raw)["error"]["message"]
        return None if good else "bad request: %d %r" % (status, raw[:200])
    if status != 200:
        return "%s: %d %r" % (path, status, raw[:200])
    if want is None:
        return None if raw.rstrip().endswith(b"data: [DONE]") else "a stream ended with %r" % raw[-80:]
    v = json.loads(raw)
    if want == "fixed":
        said.add(v["choices"][0]["message"]["content"])
        return None
    return None if want(v) else "%s: %r" % (path, raw[:300])


class Soak:
    def __init__(self, port, seed):
        self.client, self.seed, self.lock = Client(port), seed, threading.Lock()
        self.sent = self.answered = self.given_up = 0
        self.faults, self.said = [], set()

    def one(self, number):
        rng = random.Random(self.seed * 1000003 + number)
        path, body, want = rng.choice(KINDS)(rng)
        leave = want not in ("bad", "fixed") and rng.random() < 0.4
        fault = None
        try:
            if leave:
                self.client.give_up(rng, path, body)
            else:
                status, raw = self.client.ask(path, body)
                fault = judge(path, body, want, status, raw, self.said)
        except (OSError, ValueError, KeyError, http.client.HTTPException) as e:
            fault = None if leave and isinstance(e, ConnectionError) else "%s: %r" % (path, e)
        with self.lock:
            self.sent += 1
            self.given_up += leave
            self.answered += not leave and fault is None
            if fault:
                self.faults.append(fault)

    def run(self, numbers):
        it = iter(numbers)

        def work():
            while True:
                with self.lock:
                    n = next(it, None)
                if n is None:
                    return
                self.one(n)
        threads = [threading.Thread(target=work) for _ in range(N_CLIENTS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()


def settle(s):
    """Wait until nothing runs: who went away is noticed when something is written to them."""
    end = time.monotonic() + 60
    while True:
        h = s.get("/api/health")
        e = h["engine"]
        if e["running"] + e["waiting"] + e["sequences"] == 0 or time.monotonic() > end:
            break
        time.sleep(0.02)
    with open("/proc/%d/status" % s.process.pid) as f:
        h["rss_kib"] = int(next(line for line in f if line.startswith("RssAnon")).split()[1])
    return h


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10000 if os.environ.get("LANDFALL_SOAK") else 2400
    maker = os.path.join(os.path.dirname(os.path.realpath(LANDFALL)), "tests", "tiny_gguf")
    if not os.path.exists(maker):
        skip("no " + maker)
    home, check = tempfile.mkdtemp(prefix="lf-soak-"), Checks()
    try:
        os.mkdir(os.path.join(home, "models"))
        for name, (kind, seed) in FILES.items():
            subprocess.run([maker, kind, os.path.join(home, "models", name), seed], check=True)
        os.environ.update(SETTINGS, LANDFALL_HOME=home)
        with Server() as s:
            soak = Soak(int(s.url.rsplit(":", 1)[1]), 11)
            states, at = [], 0
            for part in (n // 3, 2 * n // 3, n):
                soak.run(range(at, part))
                at = part
                states.append(settle(s))
                print("after %d: %s" % (at, states[-1]))
            first, last = states[0], states[-1]
            print("%d sent, %d answered, %d given up" % (soak.sent, soak.answered, soak.given_up))
            for f in soak.faults[:10]:
                print("    " + f)
            check(not soak.faults and soak.answered + soak.given_up == soak.sent == n, "none is lost, each is answered as asked")
            check(len(soak.said) == 1, "one request says the same each time")
            check(all(x["engine"]["running"] == 0 and x["engine"]["waiting"] == 0 and x["engine"]["sequences"] == 0
                      for x in states), "nothing runs, waits or is held when all are gone")
            check(last["engine"]["kv_bytes"] <= 4 << 20, "the caches keep to their budget")
            check(last["memory_blocks"] <= first["memory_blocks"] * 1.02 + 64,
                  "no block of memory is left behind: %d, then %d" % (first["memory_blocks"], last["memory_blocks"]))
            check(last["rss_kib"] <= first["rss_kib"] * 1.05 + 4096,
                  "memory stays flat: %d KiB, then %d KiB" % (first["rss_kib"], last["rss_kib"]))
            check(s.get("/v1/models")["object"] == "list" and s.process.poll() is None, "the server stands")
    finally:
        shutil.rmtree(home, ignore_errors=True)
    check.end()


if __name__ == "__main__":
    main()
