#!/usr/bin/python3
"""The page in real headless Chromium: files are dropped in and seen being read, a question
is asked and answered sentence by sentence, a citation opens the page it comes from, both
languages, dark, and the width of a phone.  Screenshots stay in build-logs/page-*.png."""
import os, shutil, sys, tempfile, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import OUT, SAMPLES, Checks, Server, skip

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    skip("python3-selenium is not installed")
CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
if not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)):
    skip("chromium and chromium-driver are not installed")
check = Checks()


class Browser:
    def __init__(self, url, width, height, lang="en-US", dark=False):
        self.profile = tempfile.mkdtemp(prefix="lf-chromium-")
        o = webdriver.ChromeOptions()
        o.binary_location = CHROMIUM
        for a in ("--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run "
                  "--disable-background-networking --disable-component-update --disable-sync "
                  "--disable-dev-shm-usage --hide-scrollbars").split():
            o.add_argument(a)
        o.add_argument("--user-data-dir=" + self.profile)
        o.add_argument("--lang=" + lang)
        o.add_experimental_option("prefs", {"intl.accept_languages": lang})
        o.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.d = webdriver.Chrome(service=Service(DRIVER), options=o)
        self.d.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                               {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        if dark:
            self.d.execute_cdp_cmd("Emulation.setEmulatedMedia",
                                   {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
        self.d.get(url)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        bad = [e["message"] for e in self.d.get_log("browser") if e["level"] == "SEVERE"]
        check(not bad, "nothing on the browser's console" + (": " + bad[0] if bad else ""))
        self.d.quit()
        shutil.rmtree(self.profile, ignore_errors=True)

    def all(self, css):
        return self.d.find_elements(By.CSS_SELECTOR, css)

    def one(self, css):
        return self.d.find_element(By.CSS_SELECTOR, css)

    def wait(self, what, fn, seconds=120):
        end = time.time() + seconds
        while time.time() < end:
            try:
                v = fn()
            except Exception:
                v = None
            if v:
                return v
            time.sleep(0.05)
        check(False, what + f" (waited {seconds} s)")
        self.shot("failure")
        return None

    def settled(self, css):
        """Wait until an element is shown, its images are there and nothing moves any more."""
        self.wait(css + " comes to rest", lambda: self.one(css).is_displayed() and self.d.execute_script(
            "return document.getAnimations().every(a => a.playState !== 'running') && "
            "[...document.querySelectorAll(arguments[0] + ' img')].every(i => i.complete)", css), 30)

    def shot(self, name):
        os.makedirs(OUT, exist_ok=True)
        self.d.save_screenshot(os.path.join(OUT, f"page-{name}.png"))

    def ask(self, question):
        n = len(self.all("#log article"))
        self.one("#question").send_keys(question + Keys.ENTER)
        self.wait("the question appears", lambda: len(self.all("#log article")) == n + 1, 10)

    def answered(self):
        return self.wait("the answer ends", lambda: self.one("#log article:last-child .answer footer"))


def wide(url, files):
    with Browser(url, 1280, 800) as b:
        check("Start with your documents" in b.one("#log").text, "an empty library says where to start")
        b.shot("1-empty")
        b.one("#file").send_keys("\n".join(files))
        states = set()
        def done():
            states.update(e.text for e in b.all("#jobs .state") if e.text)
            return len(b.all("#docs .doc")) == len(files)
        b.wait("all files are in the list", done)
        b.shot("2-read")
        check(len(b.all("#docs .doc")) == len(files), f"{len(files)} files are listed")
        check(any(s.startswith(("Reading", "Understanding", "Indexing", "Waiting", "Sending")) for s in states),
              f"progress was seen: {sorted(states)[:6]}")

        b.ask("What was the leakage in 2025?")
        b.wait("passages or words come before the end", lambda: b.all("#log .found, #log .prose"))
        b.shot("3-streaming")
        b.answered()
        b.shot("4-answer")
        text = b.one("#log article:last-child .answer").text
        cites = b.all("#log article:last-child .cite")
        check(len(cites) >= 1, "the answer has a citation: " + text[:80].replace("\n", " "))
        check("checked" in b.one("#under").text and " s in all" in text, "model and times are shown")
        opener = cites[0] if cites else b.one(".passage")
        opener.click()
        b.wait("the viewer opens", lambda: b.one("#viewer").is_displayed())
        if b.wait("a page is drawn or the text is shown", lambda: b.all("#viewer .sheet img, #viewer .text"), 30):
            loaded = "const i=document.querySelector('#viewer img'); return !i || (i.complete && i.naturalWidth > 300)"
            b.wait("the page's image is loaded", lambda: b.d.execute_script(loaded), 30)
            check(len(b.all("#viewer .mark, #viewer mark")) >= 1, "the passage is marked")
        b.settled("#viewer")
        b.shot("5-citation")
        b.one("#viewer-title").send_keys(Keys.ESCAPE)
        check(not b.one("#viewer").is_displayed(), "Escape closes the viewer")
        b.ask("Who won the football match last Sunday?")
        b.answered()
        check("Not in the documents" in b.one("#log article:last-child").text, "what is not there is said to be not there")
        b.shot("6-not-in-documents")

        paged = [e for e in b.all("#docs .doc") if ".pdf" in e.text]
        if paged:
            paged[0].click()
            b.wait("a PDF's page is drawn", lambda: b.d.execute_script(
                "const i=document.querySelector('#viewer .sheet img'); return i && i.naturalWidth > 300"), 30)
            check(b.d.execute_script("return document.querySelector('#viewer .sheet img').naturalWidth > 300"), "a PDF's page is drawn")
            b.shot("7-pdf")
            b.one("#viewer-close").click()
        html = [e for e in b.all("#docs .doc") if ".html" in e.text or ".md" in e.text]
        html[0].click()
        check(b.wait("a document without pages is shown as text", lambda: b.all("#viewer .text p, #viewer .text table")), "text view")
        b.shot("8-text")
        b.one("#viewer-close").click()

        b.one("#lang").click()
        check(b.one("#library-title").text == "文档" and b.one("html").get_attribute("lang") == "zh-CN", "the switch to Chinese")
        before = len(b.all("#docs .doc"))
        b.d.execute_script("document.querySelector('#docs li .icon').click()")
        b.wait("the dialog asks", lambda: b.one("#dialog").is_displayed(), 5)
        b.shot("9-remove")
        b.one("#dialog .danger").click()
        b.wait("a document is removed", lambda: len(b.all("#docs .doc")) == before - 1, 20)
        check(len(b.all("#docs .doc")) == before - 1, "a document is removed")


def proof(b, same):
    """How the last answer came, and the run once more."""
    b.one("#log article:last-child .how").click()
    b.wait("the panel opens", lambda: b.all("#log article:last-child .proof dl"), 20)
    check(len(b.all(".proof dt")) >= 6 and b.all(".proof .places li"), "settings, times and passages are there")
    check(b.all(".proof .checks li") or not b.all("#log article:last-child .prose"), "and how sentences were checked")
    b.one(".proof .framed").click()
    b.wait("the run is repeated", lambda: b.all(".proof .verdict"), 120)
    check(b.all(".proof .verdict.same") and same in b.one(".proof .verdict").text, "the replay gives the same bytes")
    check(b.d.execute_script("return document.activeElement.closest('.proof') !== null"), "the focus stays in the panel")


def chinese_dark(url):
    with Browser(url, 1440, 900, "zh-CN", True) as b:
        b.wait("the page is there", lambda: b.all("#docs .doc"), 10)
        check(b.one("#library-title").text == "文档", "a Chinese browser gets Chinese")
        b.ask("工作满10年不满20年的员工有几天年休假？")
        b.answered()
        proof(b, "逐字节相同")
        b.shot("10-chinese-dark-proof")
        opener = (b.all("#log .cite") or b.all("#log summary"))[0]
        opener.click()
        b.settled("#viewer")
        b.shot("10-chinese-dark")


def phone(url):
    with Browser(url, 360, 740) as b:
        b.wait("the page is there", lambda: b.d.execute_script("return document.readyState") == "complete", 10)
        fits = "return document.documentElement.scrollWidth <= innerWidth"
        check(b.d.execute_script(fits), "nothing is wider than a phone")
        b.ask("At what bearing temperature does an LH-350 pump trip?")
        b.answered()
        check(b.d.execute_script(fits), "nor the answer")
        proof(b, "byte for byte")
        check(b.d.execute_script(fits), "nor how it came")
        b.shot("11-phone-proof")
        b.one(".how").click()
        check(not b.all(".proof"), "the panel closes")
        b.shot("11-phone-answer")
        openers = b.all("#log .cite")
        if not openers:
            b.one("#log summary").click()
            openers = b.all("#log .passage")
        openers[0].click()
        b.wait("the viewer opens", lambda: b.one("#viewer").is_displayed(), 10)
        b.settled("#viewer")
        check(b.d.execute_script(fits), "nor the viewer")
        b.shot("12-phone-viewer")
        b.one("#viewer-close").click()
        b.one("#tab-library").click()
        check(b.one("#library").is_displayed() and not b.one("#talk").is_displayed(), "tabs on a phone")
        b.shot("13-phone-documents")


def main():
    names = ["annual-report-2025.pdf", "water-quality-2025.zh.pdf", "purchasing.zh.docx", "leave-policy.zh.md",
             "pump-maintenance.html", "customer-faq.txt", "safety-rules.zh.txt"]
    files = [os.path.join(SAMPLES, n) for n in names if os.path.exists(os.path.join(SAMPLES, n))]
    if len(files) < 3:
        skip("samples/ is not there")
    with Server() as s:
        wide(s.url, files)
        chinese_dark(s.url)
        phone(s.url)
    check.end()


if __name__ == "__main__":
    main()
