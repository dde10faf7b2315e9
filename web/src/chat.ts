/* The conversation: questions, answers as they come, citations, passages. */

import { ApiError, ask } from "./api";
import { byId, h, icon, icons, show } from "./dom";
import { onLang, t } from "./i18n";
import { library } from "./library";
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

/** Text with its [n] as buttons; blank lines divide paragraphs. */
function prose(x: Exchange, text: string): HTMLElement[] {
  return text.split(/\n{2,}/).map((para) => {
    const p = h("p", {});
    for (const piece of para.split(/(\[\d{1,3}\])/)) {
      const m = /^\[(\d+)\]$/.exec(piece);
      p.append(m ? citeButton(x, Number(m[1])) : piece);
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

function passages(x: Exchange, open: boolean): HTMLElement | null {
  if (!x.passages) return null;
  const n = x.passages.length;
  if (!n) return h("p", { class: "faint" }, t("passages_none"));
  const d = h("details", { class: "found", open }, h("summary", {}, t("passages", { n })));
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
  return h("footer", {}, timings(a), a.answered && button);
}

function problem(x: Exchange, e: ApiError): HTMLElement {
  return h(
    "div",
    { class: "notice", role: "alert" },
    h("strong", {}, e.text),
    h("small", {}, e.message),
    h("button", { type: "button", class: "link", click: () => submit(x.question) }, t("retry")),
  );
}

function body(x: Exchange): (HTMLElement | null | false)[] {
  const a = x.answer;
  if (a && !a.answered)
    return [
      h("div", { class: "none" }, h("strong", {}, t("not_in")), h("p", {}, t("not_in_text"))),
      x.passages?.length ? h("p", { class: "faint" }, t("not_in_near")) : null,
      passages(x, false),
      footer(x, a),
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
    passages(x, false),
    a && footer(x, a),
  ];
}

function nearEnd(): boolean {
  const log = byId("log");
  return log.scrollHeight - log.scrollTop - log.clientHeight < 160;
}

function draw(x: Exchange): void {
  const follow = nearEnd();
  const open = x.el.querySelector<HTMLDetailsElement>("details.found")?.open ?? false;
  const asked = x.answer?.question && x.answer.question !== x.question ? x.answer.question : null;
  x.el.replaceChildren(
    h("h3", { class: "question" }, x.question),
    asked ? h("p", { class: "faint asked" }, t("asked_as", { q: asked })) : "",
    h("div", { class: "answer" }, ...body(x).filter((e): e is HTMLElement => !!e)),
  );
  const d = x.el.querySelector<HTMLDetailsElement>("details.found");
  if (d && open) d.open = true;
  if (follow && x.busy) byId("log").scrollTop = byId("log").scrollHeight;
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
        : h("button", { type: "button", class: "primary", click: () => byId("file").click() }, t("choose")),
    ),
  );
}

function setBusy(on: boolean): void {
  show(byId("send"), !on);
  show(byId("stop"), on);
  show(byId("fresh"), !on && exchanges.length > 0);
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
          x.text += x.text && !/\s$/.test(x.text) && /^[\w(“"']/.test(text) ? " " + text : text;
          draw(x);
        },
        done: (a) => {
          x.answer = a;
          x.text = a.answer;
          x.citations = a.citations;
          x.passages = a.passages;
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
    el,
  };
  if (!exchanges.length) byId("log").replaceChildren();
  exchanges.push(x);
  byId("log").append(el);
  draw(x);
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
  library.onChange(welcome);
  onLang(() => {
    welcome();
    exchanges.forEach(draw);
  });
}

