"""What the end-to-end tests of the server share: start it on a free port with a state
file of its own, wait for its URL, stop it and see that it stops."""
import json, os, shutil, signal, subprocess, sys, tempfile, time, urllib.request, venv

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LANDFALL = os.environ.get("LANDFALL", os.path.join(ROOT, "landfall"))
SAMPLES = os.path.join(ROOT, "samples")
OUT = os.path.join(ROOT, "build-logs")


def in_venv(name, *packages):
    """Run the calling script again inside a venv that has pip packages (it is made once, below the
    build's logs, under that name); skipped where pip cannot install them."""
    env = os.path.join(OUT, name + "-venv")
    python = os.path.join(env, "bin", "python")
    listed = os.path.join(env, "packages.txt")  # written when all of them are there
    if os.environ.get("LF_IN_VENV") == env:
        return
    if not os.path.exists(listed) or open(listed).read().split() != list(packages):
        os.makedirs(OUT, exist_ok=True)
        try:
            venv.create(env, with_pip=True, clear=True)
        except (subprocess.CalledProcessError, OSError) as e:
            skip(f"no venv can be made here: {e}")
        r = subprocess.run([python, "-m", "pip", "install", "-q", "--no-input", *packages],
                           capture_output=True, text=True)
        if r.returncode != 0:
            skip(f"pip cannot install {', '.join(packages)}: " + r.stderr.strip().splitlines()[-1])
        with open(listed, "w") as f:
            f.write("\n".join(packages))
    os.execve(python, [python] + sys.argv, {**os.environ, "LF_IN_VENV": env})


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


class Server:
    """`with Server() as s:` gives s.url; the home is a fresh one with the given models.  Settings
    are "key=value" as for --set."""

    def __init__(self, *settings):
        self.settings = [x for s in settings for x in ("--set", s)]

    def __enter__(self):
        home = os.environ.get("LANDFALL_HOME", "")
        models = os.path.join(home, "models")
        if not os.path.isdir(models) or not any(f.endswith(".gguf") for f in os.listdir(models)):
            skip("no models in LANDFALL_HOME")
        self.home = tempfile.mkdtemp(prefix="lf-serve-")
        os.symlink(os.path.abspath(models), os.path.join(self.home, "models"))
        self.err = open(os.path.join(self.home, "stderr.txt"), "w+")
        self.process = subprocess.Popen(
            [LANDFALL, "serve", "--port", "0", "--home", self.home, *self.settings],
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
