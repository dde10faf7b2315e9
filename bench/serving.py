#!/usr/bin/env python3
"""Sixteen clients at once: total tokens a second, 95th percentile of latency, peak memory.

All prompts begin with the same 1,000 tokens or so and end in a question of their own; each
answer is 128 tokens, greedy (the tokens that end a text are biased away).  CLIENTS (16) send
ROUNDS (3) requests each, one after the other.  "First" is a server that has just started and
holds nothing; then the same clients ask other questions and find the prefix kept.  Servers
alternate, REPEATS (3) starts each, medians.  The peer has as many slots, its prefix cache and
two threads; TUNED holds what was found best for it.  Its log's timings go to bench/results/.

The last rows: the default model's weights as F32, one request at a time, products and cache
without anything shared, against all clients at once (bar: 6.2 times).

Bars: 2 times the peer's tokens a second, at most 0.7 of its 95th percentile."""
import concurrent.futures
import datetime
import json
import math
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
LANDFALL = os.environ["LANDFALL"]
PEER = os.environ.get("LLAMA_BIN", "")
HOME = os.environ["LANDFALL_HOME"]
CLIENTS = int(os.environ.get("CLIENTS", "16"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
REPEATS = int(os.environ.get("REPEATS", "3"))
N_MAX = int(os.environ.get("TOKENS", "128"))
KV_TYPE = os.environ.get("KV_TYPE", "f16")
TUNED = os.environ.get("LLAMA_ARGS", "-fa on -b 2048 -ub 512").split()
BAR_SPEED, BAR_LATENCY, BAR_OWN = 2.0, 0.7, 6.2
RAW = []

RULES = ("Berth %d is %d metres long and %d metres deep; it is let by the day at %d, the master signs "
         "for it before noon, and ships of the %s line have it on every %s. ")
LINES = ["northern", "southern", "coastal", "island", "river", "old"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def prefix():
    rows = [RULES % (i, 80 + 7 * i % 90, 5 + i % 9, 300 + 13 * i % 170, LINES[i % 6], DAYS[i * 3 % 7])
            for i in range(1, 24)]
    return "The register of the harbour.\n" + "".join(rows) + "\n\n"


def question(start, client, number):
    return ("Question %d of clerk %d: which berths suit a ship of %d metres that comes on a %s? "
            "Explain your choice at length.\nAnswer:" %
            (number + 10 * start, client, 60 + 11 * client % 97 + number, DAYS[(client + number) % 7]))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A program that serves on a port; ready when `path` answers."""

    def __init__(self, cmd, url, env, path, model="default"):
        self.log = tempfile.TemporaryFile("w+", errors="replace")
        self.url, self.model = url, model
        self.process = subprocess.Popen(cmd, stdout=self.log, stderr=self.log, env=env)
        for _ in range(1200):
            try:
                with urllib.request.urlopen(url + path, timeout=5):
                    return
            except OSError:
                if self.process.poll() is not None:
                    self.log.seek(0)
                    sys.exit("the server ended: " + self.log.read()[-2000:])
                time.sleep(0.05)
        sys.exit("the server did not come up")

    def ask(self, prompt, n_max):
        body = {"model": self.model, "prompt": prompt, "max_tokens": n_max, "temperature": 0,
                "logit_bias": {str(i): -100 for i in END}}
        request = urllib.request.Request(self.url + "/v1/completions", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        begin = time.monotonic()
        with urllib.request.urlopen(request, timeout=1800) as r:
            usage = json.load(r)["usage"]
        return time.monotonic() - begin, usage["completion_tokens"], usage["prompt_tokens"]

    def peak_mib(self):
        with open("/proc/%d/status" % self.process.pid) as f:
            return int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1)) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.log.seek(0)
        text = self.log.read()
        self.log.close()
        return text


def ours(model, *settings):
    port = free_port()
    sets = [a for s in settings for a in ("--set", s)]
    return Server([LANDFALL, "serve", "--port", str(port), "--home", HOME, "--state", STATE, "--threads", "2", *sets],
                  "http://127.0.0.1:%d" % port, None, "/v1/models", model)


def theirs(model):
    port = free_port()
    cmd = [os.path.join(PEER, "llama-server"), "-m", model, "--host", "127.0.0.1", "--port", str(port),
           "-np", str(CLIENTS), "-c", str(CLIENTS * 2048), "-t", "2", "-tb", "2", "--cont-batching", *TUNED]
    RAW.append(" ".join(os.path.basename(c) if os.path.isabs(c) else c for c in cmd))
    return Server(cmd, "http://127.0.0.1:%d" % port, dict(os.environ, LD_LIBRARY_PATH=PEER), "/health")


def rank(values, share):
    v = sorted(values)
    return v[min(len(v) - 1, math.ceil(share * len(v)) - 1)]


def wave(server, start, rounds, clients):
    """(tokens a second in all, 95th percentile of latency, prompt tokens)"""
    def client(c):
        return [server.ask(PREFIX + question(start, c, i), N_MAX) for i in rounds]
    begin = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        done = [r for rows in pool.map(client, range(clients)) for r in rows]
    seconds = time.monotonic() - begin
    return (sum(r[1] for r in done) / seconds, rank([r[0] for r in done], 0.95),
            statistics.mean(r[2] for r in done))


def measure(server, start):
    server.ask("The harbour", 2)
    first = wave(server, start, range(1), CLIENTS)
    later = wave(server, start, range(1, ROUNDS), CLIENTS)
    peak = server.peak_mib()
    text = server.stop()
    RAW.append("\n".join(line for line in text.splitlines() if "eval time" in line or "total time" in line))
    return first, later, peak


def medians(runs):
    return [(statistics.median(r[k][0] for r in runs), statistics.median(r[k][1] for r in runs)) for k in (0, 1)] + \
        [statistics.median(r[2] for r in runs)]


def own_plain(model):
    """Tokens a second of the F32 weights, one request at a time."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "f32.gguf")
        subprocess.run([os.path.join(PEER, "llama-quantize"), "--allow-requantize", model, path, "F32"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       env=dict(os.environ, LD_LIBRARY_PATH=PEER))
        server = ours("plain", "engine.sessions_max=1", "models.aliases=plain=" + path)
        try:
            server.ask("The harbour", 2)
            return wave(server, 0, range(2), 1)[0]
        finally:
            server.stop()


def main():
    global STATE, PREFIX, END
    info = json.loads(subprocess.run([LANDFALL, "model", "info", "default", "--json"], check=True,
                                     stdout=subprocess.PIPE, text=True).stdout)
    model = info.get("path") or ""
    if not os.path.exists(model) or not os.path.exists(os.path.join(PEER, "llama-server")):
        print("serving: needs the default model and LLAMA_BIN with llama-server", file=sys.stderr)
        sys.exit(77)
    END = [int(i) for i in os.environ.get("END_TOKENS", "151643 151645").split()]
    PREFIX = prefix()
    a, b, n_prompt = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        STATE = os.path.join(folder, "state.db")
        for start in range(REPEATS):
            print("start %d of %d" % (start + 1, REPEATS), file=sys.stderr)
            a.append(measure(ours("default", "engine.kv_type=" + KV_TYPE), start))
            b.append(measure(theirs(model), start))
            n_prompt = a[-1][0][2]
        plain = own_plain(model)
    mine, peer = medians(a), medians(b)
    print("| | landfall | llama-server | ratio |\n|--|--|--|--|")
    missed = []
    for k, name in enumerate(("just started", "prefix kept")):
        x, y = mine[k], peer[k]
        print("| %s: tokens/s of all | %.1f | %.1f | %.2f |" % (name, x[0], y[0], x[0] / y[0]))
        print("| %s: 95th percentile of latency, s | %.1f | %.1f | %.2f |" % (name, x[1], y[1], x[1] / y[1]))
        if x[0] < BAR_SPEED * y[0] or x[1] > BAR_LATENCY * y[1]:
            missed.append("bar missed: %s: %.2f times the tokens/s (%.1f), %.2f of the latency (%.1f)" %
                          (name, x[0] / y[0], BAR_SPEED, x[1] / y[1], BAR_LATENCY))
    print("| peak memory, weights included, MiB | %.0f | %.0f | %.2f |" % (mine[2], peer[2], mine[2] / peer[2]))
    gain = mine[1][0] / plain
    print("| one request at a time, F32 weights: tokens/s; all clients over it | %.1f | | %.2f |" % (plain, gain))
    if gain < BAR_OWN:
        missed.append("bar missed: %.2f times the F32 path, one request at a time (%.1f)" % (gain, BAR_OWN))
    print("\n%d clients, %d requests each, prompts of %.0f tokens, %d generated, two threads, cache %s, medians of %d"
          " starts; the peer with `%s`." % (CLIENTS, ROUNDS, n_prompt, N_MAX, KV_TYPE, REPEATS, " ".join(TUNED)))
    print("\n".join(missed))
    stamp = datetime.date.today().isoformat()
    with open(os.path.join(HERE, "results", "llama-server-serving-%s.txt" % stamp), "w", encoding="utf-8") as f:
        f.write("\n\n".join(RAW) + "\n")
    sys.exit(3 if missed else 0)


main()
