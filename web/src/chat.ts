/* The conversation: questions, answers as they come, citations, passages. */

import { ApiError, ask } from "./api";
import { byId, h, icon, icons, show } from "./dom";
import { onLang, t } from "./i18n";
import { library } from "./library";
import { load, newProof, Proof, proofPanel } from "./proof";
import type { Answer, Citation, Passage, Turn } from "./types";
import { openViewer } from "./viewer";

interface Exchange {
  question: string;
  text: string;
  citations: Citation[];
  passages: Passage[] | null;
  answer: Answer | null;
  error: ApiError | null;
  stopped: boolean;
  busy: boolean;
  proof: Proof;
  el: HTMLElement;
}

const HISTORY = 12; // messages that go along with a question
const exchanges: Exchange[] = [];
let abort: AbortController | null = null;

const seconds = (ms: number) => (ms / 1000).toFixed(ms < 9950 ? 1 : 0);

function history(): Turn[] {
  const turns: Turn[] = [];
  for (const x of exchanges)
    if (x.answer) turns.push({ role: "user", content: x.question }, { role: "assistant", content: x.answer.answer });
  return turns.slice(-HISTORY);
}

function citeButton(x: Exchange, n: number): HTMLElement | string {
  const c = x.citations.find((k) => k.n === n);
  if (!c) return `[${n}]`;
  const label = t("open_cite", { n, source: c.source }) + (c.page ? ", " + t("page_n", { n: c.page }) : "");
  return h("button", { type: "button", class: "cite", "aria-label": label, title: label, click: () => openViewer(c) }, String(n));
}

/** Text with its [n] as buttons; blank lines divide paragraphs.  A number keeps to the
 * character before it and the mark behind it: it never begins a line. */
function prose(x: Exchange, text: string): HTMLElement[] {
  return text.split(/\n{2,}/).map((para) => {
    const p = h("p", {});
    for (const piece of para.split(/(\S?(?:\[\d{1,3}\])+[.,;:!?。，；：！？、]?)/u)) {
      const numbers = /^(.?)((?:\[\d+\])+)(.?)$/u.exec(piece);
      if (!numbers) {
        p.append(piece);
        continue;
      }
      const [, before, cites, behind] = numbers;
      const each = [...cites.matchAll(/\d+/g)].map((m) => citeButton(x, Number(m[0])));
      p.append(h("span", { class: "keep" }, before, ...each, behind));
    }
    return p;
  });
}

function place(p: Passage): string {
  return p.page ? `${p.source} · ${t("page_n", { n: p.page })}` : p.source;
}

function passageItem(p: Passage, n: number | null): HTMLElement {
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "passage", click: () => openViewer(p) },
      h("span", { class: "from" }, n !== null && h("b", {}, String(n)), place(p)),
      h("span", { class: "quote" }, p.text),
    ),
  );
}

function sources(x: Exchange): HTMLElement | null {
  const seen = new Map<number, Citation>();
  for (const c of x.citations) seen.set(c.n, c);
  if (!seen.size) return null;
  return h(
    "section",
    { class: "sources", "aria-label": t("sources") },
    h("h3", {}, t("sources")),
    h("ol", {}, ...[...seen.values()].sort((a, b) => a.n - b.n).map((c) => passageItem(c, c.n))),
  );
}

function passages(x: Exchange, title: "passages" | "not_in_near"): HTMLElement | null {
  if (!x.passages) return null;
  const n = x.passages.length;
  if (!n) return h("p", { class: "faint" }, t("passages_none"));
  const d = h("details", { class: "found" }, h("summary", {}, t(title, { n })));
  d.append(h("ul", {}, ...x.passages.map((p) => passageItem(p, null))));
  return d;
}

function timings(a: Answer): HTMLElement {
  const parts = [a.model ?? t("extract_only"), t("t_found", { s: seconds(a.ms.retrieve) })];
  if (a.ms.first_token !== null && a.ms.first_token >= 0) parts.push(t("t_first", { s: seconds(a.ms.first_token) }));
  parts.push(t("t_total", { s: seconds(a.ms.total) }));
  return h("span", { class: "timings" }, parts.join(" · "));
}

async function copy(button: HTMLElement, text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    button.title = t("copied");
    button.classList.add("done");
  } catch {
    button.classList.remove("done");
  }
}

/** An answer that left something out says so in brackets at its end: set it apart. */
function parts(x: Exchange): [string, string] {
  const m = x.answer && x.answer.dropped > 0 ? /^([^]*?)\s*[(（]([^()（）]+)[)）]\s*$/.exec(x.text) : null;
  return m && !/\[\d+\]/.test(m[2]) ? [m[1], m[2]] : [x.text, ""];
}

function footer(x: Exchange, a: Answer): HTMLElement {
  const button = h("button", { type: "button", class: "quiet icon small", "aria-label": t("copy"), title: t("copy") }, icon(icons.copy));
  button.onclick = () => void copy(button, x.text);
  return h("footer", {}, timings(a), a.answered && button, proofButton(x, a));
}

function proofButton(x: Exchange, a: Answer): HTMLElement {
  const again = () => draw(x, ".how");
  const toggle = () => {
    x.proof.open = !x.proof.open;
    if (x.proof.open && !x.proof.record) void load(x.proof, a.run, again);
    else again();
  };
  return h("button", { type: "button", class: "link how", "aria-expanded": String(x.proof.open), click: toggle }, t("proof"));
}

function proof(x: Exchange, a: Answer): HTMLElement | null {
  const again = () => {
    draw(x, x.proof.busy ? ".how" : ".again button");
    x.el.querySelector(".proof .again")?.scrollIntoView({ block: "nearest" });
  };
  return x.proof.open ? proofPanel(x.proof, a.run, again) : null;
}

function problem(x: Exchange, e: ApiError): HTMLElement {
  return h(
    "div",
    { class: "notice", role: "alert" },
    h("strong", {}, e.text),
    e.detail && h("small", {}, e.detail),
    h("button", { type: "button", class: "link", click: () => again(x) }, t("retry")),
  );
}

/** Ask what failed once more, in its place. */
function again(x: Exchange): void {
  if (abort) return;
  exchanges.splice(exchanges.indexOf(x), 1);
  x.el.remove();
  submit(x.question);
  byId("question").focus();
}

/** The last exchange fills the view, so that a new question can stand at its top. */
function makeRoom(): void {
  const log = byId("log");
  const room = getComputedStyle(log);
  const height = log.clientHeight - parseFloat(room.paddingTop) - parseFloat(room.paddingBottom);
  exchanges.forEach((x, i) => (x.el.style.minHeight = i === exchanges.length - 1 ? height + "px" : ""));
}

function body(x: Exchange): (HTMLElement | null | false)[] {
  const a = x.answer;
  if (a && !a.answered)
    return [
      h("div", { class: "none" }, h("strong", {}, t("not_in")), h("p", {}, t("not_in_text"))),
      passages(x, "not_in_near"),
      footer(x, a),
      proof(x, a),
    ];
  const [text, left] = parts(x);
  return [
    x.busy && !x.text && h("p", { class: "wait" }, h("i", {}), t(x.passages ? "writing" : "searching")),
    x.text ? h("div", { class: "prose", "aria-busy": x.busy && "true" }, ...prose(x, text)) : null,
    x.busy && x.text ? h("p", { class: "wait" }, h("i", {})) : null,
    x.stopped && h("p", { class: "faint" }, t("stopped")),
    x.error && problem(x, x.error),
    a && a.dropped > 0 ? h("p", { class: "dropped" }, left || t("dropped", { n: a.dropped })) : null,
    a && sources(x),
    passages(x, "passages"),
    a && footer(x, a),
    a && proof(x, a),
  ];
}

function nearEnd(): boolean {
  const log = byId("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 160;
}

/** Draw the exchange anew; what was open stays open, and where the focus was inside, it
 * goes to what `focus` selects. */
function draw(x: Exchange, focus = ""): void {
  const follow = nearEnd();
  const had = x.el.contains(document.activeElement);
  const open = [...x.el.querySelectorAll<HTMLDetailsElement>("details.found")].map((d) => d.open);
  const asked = x.answer?.question && x.answer.question !== x.question ? x.answer.question : null;
  x.el.replaceChildren(
    h("h3", { class: "question" }, x.question),
    asked ? h("p", { class: "faint asked" }, t("asked_as", { q: asked })) : "",
    h("div", { class: "answer" }, ...body(x).filter((e): e is HTMLElement => !!e)),
  );
  x.el.querySelectorAll<HTMLDetailsElement>("details.found").forEach((d, i) => (d.open = open[i] ?? false));
  if (had && focus) x.el.querySelector<HTMLElement>(focus)?.focus({ preventScroll: true });
  if (follow && x.busy) byId("log").scrollTop = byId("log").scrollHeight;
}

/** Where there is room for one section, show the one in which the files are seen being read. */
function addFiles(): void {
  byId("tab-library").click();
  byId("file").click();
}

function welcome(): void {
  const log = byId("log");
  if (exchanges.length) return;
  const n = library.documents().length;
  log.replaceChildren(
    h(
      "div",
      { class: "welcome" },
      h("h2", {}, t(n ? "welcome" : "welcome_empty")),
      h("p", {}, n ? t("welcome_text", { n }) : t("welcome_empty_text")),
      n
        ? h("ul", {}, ...(["hint_cite", "hint_lang", "hint_keys"] as const).map((k) => h("li", {}, t(k))))
        : h("button", { type: "button", class: "primary", click: addFiles }, t("choose")),
    ),
  );
}

function setBusy(on: boolean): void {
  show(byId("send"), !on);
  show(byId("stop"), on);
  show(byId("fresh"), !on && exchanges.length > 0);
}

/** For a screen reader: the conversation is redrawn as it grows, so that what is new is
 * said apart from it. */
function speak(text: string): void {
  byId("spoken").textContent = text.replace(/\[\d+\]/g, "");
}

async function run(x: Exchange, turns: Turn[]): Promise<void> {
  abort = new AbortController();
  const mine = abort;
  setBusy(true);
  try {
    await ask(
      x.question,
      library.collection(),
      turns,
      {
        status: () => undefined,
        passages: (p) => ((x.passages = p), draw(x)),
        sentence: (text, citations) => {
          x.citations = citations;
          speak(text);
          x.text += x.text && !/\s$/.test(x.text) && /^[\w(“"']/.test(text) ? " " + text : text;
          draw(x);
        },
        done: (a) => {
          x.answer = a;
          x.text = a.answer;
          x.citations = a.citations;
          x.passages = a.passages;
          if (!a.answered) speak(t("not_in"));
        },
      },
      mine.signal,
    );
  } catch (e) {
    if (mine.signal.aborted) x.stopped = true;
    else if (e instanceof ApiError) x.error = e;
    else throw e;
  } finally {
    x.busy = false;
    if (abort === mine) abort = null;
    draw(x);
    setBusy(false);
  }
}

export function submit(question: string): void {
  question = question.trim();
  if (!question || abort) return;
  const turns = history();
  const el = h("article", {});
  const x: Exchange = {
    question,
    text: "",
    citations: [],
    passages: null,
    answer: null,
    error: null,
    stopped: false,
    busy: true,
    proof: newProof(),
    el,
  };
  if (!exchanges.length) byId("log").replaceChildren();
  exchanges.push(x);
  byId("log").append(el);
  draw(x);
  makeRoom();
  el.scrollIntoView({ block: "start", behavior: "smooth" });
  void run(x, turns);
}

function grow(field: HTMLTextAreaElement): void {
  field.style.height = "auto";
  field.style.height = Math.min(field.scrollHeight, 180) + "px";
}

export function startChat(): void {
  const field = byId<HTMLTextAreaElement>("question");
  const go = () => {
    if (abort || !field.value.trim()) return;
    submit(field.value);
    field.value = "";
    grow(field);
  };
  field.oninput = () => grow(field);
  field.onkeydown = (e) => {
    // While an input method composes Chinese, Enter belongs to it.
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      go();
    }
  };
  byId<HTMLFormElement>("ask").onsubmit = (e) => {
    e.preventDefault();
    go();
  };
  byId("stop").onclick = () => abort?.abort();
  byId("fresh").onclick = () => {
    exchanges.length = 0;
    setBusy(false);
    welcome();
    field.focus();
  };
  addEventListener("resize", makeRoom);
  library.onChange(welcome);
  onLang(() => {
    welcome();
    exchanges.forEach((x) => draw(x));
  });
}

