"""What the end-to-end tests of the server share: start it on a free port with a state
file of its own, wait for its URL, stop it and see that it stops."""
import json, os, shutil, signal, subprocess, sys, tempfile, time, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LANDFALL = os.environ.get("LANDFALL", os.path.join(ROOT, "landfall"))
SAMPLES = os.path.join(ROOT, "samples")
OUT = os.path.join(ROOT, "build-logs")


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


class Server:
    """`with Server() as s:` gives s.url; the home is a fresh one with the given models."""

    def __enter__(self):
        home = os.environ.get("LANDFALL_HOME", "")
        models = os.path.join(home, "models")
        if not os.path.isdir(models) or not any(f.endswith(".gguf") for f in os.listdir(models)):
            skip("no models in LANDFALL_HOME")
        self.home = tempfile.mkdtemp(prefix="lf-serve-")
        os.symlink(os.path.abspath(models), os.path.join(self.home, "models"))
        self.err = open(os.path.join(self.home, "stderr.txt"), "w+")
        self.process = subprocess.Popen(
            [LANDFALL, "serve", "--port", "0", "--home", self.home],
            stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.url = self.process.stdout.readline().strip().rstrip("/")
        if not self.url.startswith("http://127.0.0.1:"):
            self.err.seek(0)
            raise SystemExit("the server did not start: " + self.err.read())
        return self

    def __exit__(self, *what):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "none within 30 s"
        self.err.close()
        shutil.rmtree(self.home, ignore_errors=True)
        if code != 0 and what[0] is None:
            raise SystemExit(f"exit code after SIGTERM: {code}, wanted 0")

    def get(self, path):
        with urllib.request.urlopen(self.url + path, timeout=60) as r:
            return json.load(r)

    def post(self, path, body):
        r = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                   {"Content-Type": "application/json"})
        with urllib.request.urlopen(r, timeout=300) as f:
            return json.load(f)

    def add(self, path):
        """Take a file or folder in and wait for it."""
        job = self.post("/api/documents", {"path": path})["jobs"][0]["id"]
        for _ in range(600):
            found = [j for j in self.get("/api/jobs")["jobs"] if j["id"] == job]
            if found and found[0]["state"] in ("done", "failed", "cancelled"):
                return found[0]
            time.sleep(0.2)
        raise SystemExit("the job did not end")


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, ok, what):
        if ok:
            self.passed += 1
            print("ok       " + what)
        else:
            self.failed += 1
            print("FAILED   " + what)
        sys.stdout.flush()
        return ok

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, 0 skipped")
        sys.exit(1 if self.failed else 0)
