#!/usr/bin/env python3
"""Requests that are wrong, hostile or cut off, against the real server: each gets a clear 4xx
or nothing, the server goes on, and idle it stays under 60 MiB beyond the mapped weights."""
import json, os, socket, sys, threading, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Checks, Server

check = Checks()


class Raw:
    def __init__(self, s):
        self.port = int(s.url.rsplit(":", 1)[1])

    def send(self, data, wait=60):
        """The whole answer to these bytes, sending half left open."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as c:
            c.settimeout(wait)
            out = b""
            try:
                c.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # refused before all was sent: the answer is there to be read
            try:
                while chunk := c.recv(65536):
                    out += chunk
            except (TimeoutError, ConnectionResetError):
                pass
            return out

    def post(self, path, body, more=""):
        body = body if isinstance(body, bytes) else body.encode()
        return self.send((f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                          f"Content-Type: application/json\r\n{more}Content-Length: {len(body)}\r\n\r\n").encode() + body)


def status(answer):
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def says(answer):
    try:
        return json.loads(answer.split(b"\r\n\r\n", 1)[1])["error"]["message"]
    except (ValueError, KeyError, IndexError):
        return ""


def refuse(raw, what, want, path, body, more=""):
    a = raw.post(path, body, more)
    check(status(a) == want and says(a), f"{what}: {status(a)} {says(a)[:90]}")


def anonymous_mib(pid):
    with open(f"/proc/{pid}/status") as f:
        return int(next(l for l in f if l.startswith("RssAnon")).split()[1]) / 1024


def main():
    with Server() as s:
        raw = Raw(s)
        s.get("/api/health")
        idle = anonymous_mib(s.process.pid)
        check(idle < 60, f"idle server: {idle:.1f} MiB beyond mapped files")
        refuse(raw, "a question of 100,000 characters", 400, "/api/ask", json.dumps({"question": "问" * 100000}))
        refuse(raw, "malformed JSON", 400, "/api/ask", '{"question": "x"')
        refuse(raw, "JSON nested 200,000 deep", 400, "/api/ask", "[" * 200000)
        refuse(raw, "a wrong type", 400, "/api/search", '{"query": ["x"]}')
        refuse(raw, "an unknown field", 400, "/api/search", '{"query": "x", "limit": 3}')
        refuse(raw, "an unknown collection", 404, "/api/ask", '{"question": "x", "collection": "nowhere"}')
        refuse(raw, "an unknown model", 404, "/v1/chat/completions", '{"model":"x","messages":[{"role":"user","content":"x"}]}')
        refuse(raw, "a path as model", 404, "/v1/chat/completions", '{"model":"/etc/passwd","messages":[{"role":"user","content":"x"}]}')
        refuse(raw, "another site's page", 403, "/api/ask", '{"question": "x"}', "Origin: https://evil.example\r\n")
        refuse(raw, "a body over the limit", 413, "/api/search", '{"query": "' + "x" * (3 << 20) + '"}')
        a = raw.send(b"GET /api/documents HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        check(status(a) == 403, "a rebound name")
        a = raw.send(b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        check(status(a) in (400, 404), "a path that climbs")
        for n in (0, 3, 20, 60, 90, 120):
            whole = b"POST /api/ask HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{\"question\": \"x"
            with socket.create_connection(("127.0.0.1", raw.port)) as c:
                c.sendall(whole[:n])
        for name in ("garbage.pdf", "garbage.docx", "empty.txt"):
            form = (b"--BB\r\nContent-Disposition: form-data; name=\"file\"; filename=\"" + name.encode() + b"\"\r\n\r\n" +
                    (b"" if name.startswith("empty") else b"PK\x03\x04 nonsense %PDF") + b"\r\n--BB--\r\n")
            a = raw.send((f"POST /api/documents HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: multipart/form-data; "
                          f"boundary=BB\r\nContent-Length: {len(form)}\r\n\r\n").encode() + form)
            job = json.loads(a.split(b"\r\n\r\n", 1)[1])["jobs"][0]["id"]
            for _ in range(200):
                j = next(j for j in s.get("/api/jobs")["jobs"] if j["id"] == job)
                if j["state"] in ("done", "failed"):
                    break
                time.sleep(0.1)
            doc = (j["result"] or {"documents": [{"state": "failed", "error": j["error"]}]})["documents"][0]
            check(doc["state"] == "failed" and doc["error"], f"{name}: {str(doc['error'])[:90]}")

        # Clients that leave in the middle of a generation: it stops, and others get their turn.
        body = json.dumps({"model": "default", "stream": True, "messages": [{"role": "user", "content": "Write a very long story."}]})
        s.post("/v1/chat/completions", {"model": "default", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]})
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", raw.port), 60) as c:
                c.settimeout(60)
                c.sendall((f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
                while b'"content":"' not in c.recv(4096):
                    pass
        t = time.time()
        s.post("/v1/chat/completions", {"model": "default", "max_tokens": 2, "messages": [{"role": "user", "content": "x"}]})
        check(time.time() - t < 15, f"after three clients left, a short request takes {time.time() - t:.1f} s")

        done = []
        def one():
            done.append(status(raw.post("/api/search", '{"query": "water"}')))
        threads = [threading.Thread(target=one) for _ in range(40)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        check(done.count(200) == 40, "40 searches at once")
        check(s.get("/api/health")["status"] == "ok" and s.process.poll() is None, "the server stands")
    check(s.process.returncode == 0, "SIGTERM ends it with exit code 0")
    check.end()


if __name__ == "__main__":
    main()
