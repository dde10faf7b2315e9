/* How an answer came: what was searched and found, how each sentence was checked, how
 * long it took; and whether asking again from the record gives the same bytes. */

import { api, ApiError } from "./api";
import { h } from "./dom";
import { Key, lang, t } from "./i18n";
import type { Change, Check, Replay, RunPart, RunPlace, RunRecord } from "./types";
import { openViewer } from "./viewer";

/** What one answer's panel holds; kept with the exchange, so that it outlives redrawing. */
export interface Proof {
  open: boolean;
  record: RunRecord | null;
  replay: Replay | null;
  busy: boolean;
  error: ApiError | null;
}

export const newProof = (): Proof => ({ open: false, record: null, replay: null, busy: false, error: null });

const ms = (v: number) => t("p_seconds", { s: (v / 1000).toFixed(v < 9950 ? 2 : 1) });

function states(p: RunPlace): string {
  return t(p.state === "same" ? "p_same" : p.state === "changed" ? "p_changed" : "p_gone");
}

function where(p: RunPlace): string {
  return p.page ? `${p.source} · ${t("page_n", { n: p.page })}` : p.source;
}

/** A passage as it was: opens its source where it is still there. */
function passage(p: RunPlace): HTMLElement {
  const head = h("span", { class: "from" }, where(p));
  const score = p.score === undefined ? "" : t("p_score", { score: p.score.toFixed(2) });
  const line = h("span", { class: "facts" }, [score, states(p)].filter(Boolean).join(" · "));
  if (p.state !== "same" || p.text === undefined) return h("li", {}, h("div", { class: "passage gone" }, head, line));
  const place = { ...p, text: p.text, box: null };
  const quote = h("span", { class: "quote" }, p.text);
  return h("li", {}, h("button", { type: "button", class: "passage", click: () => openViewer(place) }, head, quote, line));
}

/** The reasons of the citation check (src/guard/cite.h), and that it misses the question. */
const reasons = [
  ...(["numbers", "names", "binding", "words", "subject", "order", "negation"] as const),
  ...(["direction", "scope", "modality", "meaning", "empty", "asked"] as const),
];

function why(c: Check): string {
  const reason = c.why || (c.responds ? "" : "asked");
  const known = reasons.find((r) => r === reason);
  return known ? t(`why_${known}`) : reason;
}

function check(c: Check): HTMLElement {
  const ok = c.supported && c.responds;
  const facts = [t("p_words", { n: Math.round(Math.max(0, c.coverage) * 100) })];
  if (c.similarity > 0) facts.push(t("p_meaning", { n: c.similarity.toFixed(2) }));
  return h(
    "li",
    { class: ok ? "ok" : "out" },
    h("b", {}, t(ok ? "p_borne" : "p_left")),
    ok ? "" : " " + why(c),
    h("span", { class: "facts" }, facts.join(" · ")),
  );
}

function part(p: RunPart, alone: boolean): HTMLElement[] {
  const sure = p.evidence[0]?.answerable;
  const out: HTMLElement[] = [];
  if (!alone && p.question) out.push(h("h4", {}, p.question));
  if (sure !== undefined) out.push(h("p", { class: "facts" }, t("p_sure", { n: Math.round(sure * 100) })));
  if (p.generated) out.push(h("p", {}, t("p_wrote"), h("q", {}, p.generated)));
  if (p.checks?.length) out.push(h("ul", { class: "checks" }, ...p.checks.map(check)));
  const list = h("ul", { class: "places" }, ...p.passages.map(passage));
  out.push(h("details", { class: "found" }, h("summary", {}, t("passages", { n: p.passages.length })), list));
  return out;
}

function fact(name: Key, value: string): HTMLElement[] {
  return [h("dt", {}, t(name)), h("dd", {}, value)];
}

function facts(r: RunRecord): HTMLElement {
  const when = new Date(r.unix_ms).toLocaleString(lang() === "zh" ? "zh-CN" : "en");
  const of = r.collection === null ? t("p_named") : r.collection === "default" ? t("collection_default") : r.collection;
  const rows = [
    ...fact("p_when", when),
    ...fact("p_searched", t("p_documents", { n: r.documents?.n ?? 0 }) + " · " + of),
    ...fact("p_model", r.model === null ? t("extract_only") : `${r.model} · ${r.model_hash.slice(0, 12)}`),
    ...fact("p_settings", t("p_settings_text", { seed: r.seed, k: r.k, kernels: r.kernels, version: r.version })),
  ];
  if (r.ms) {
    const first = r.ms.first_token === null ? [] : [t("p_first", { s: ms(r.ms.first_token) })];
    rows.push(...fact("p_times", [t("p_found", { s: ms(r.ms.retrieve) }), ...first, t("p_total", { s: ms(r.ms.total) })].join(" · ")));
  }
  rows.push(...fact("p_run", r.run));
  return h("dl", {}, ...rows);
}

function change(c: Change): string {
  if (c.what === "document") {
    const key = c.change === "changed" ? "c_changed" : c.change === "reread" ? "c_reread" : c.cached ? "c_uncached" : "c_removed";
    return t(key, { source: c.source ?? "" });
  }
  if (c.what === "documents") {
    const added = c.added?.length ? t("c_added", { names: c.added.join(lang() === "zh" ? "、" : ", ") }) : "";
    return t("c_documents", { was: Number(c.was), now: Number(c.now) }) + added;
  }
  const was = String(c.was).slice(0, 12);
  return t(("c_" + c.what) as Key, { was, now: String(c.now).slice(0, 12) });
}

function verdict(v: Replay): HTMLElement {
  const steps = v.diff?.answer ?? [];
  const tags = { same: "span", removed: "del", added: "ins" } as const;
  return h(
    "div",
    { class: "verdict " + v.verdict },
    h("strong", {}, t(v.verdict === "same" ? "v_same" : v.verdict === "different" ? "v_different" : "v_failed")),
    v.error && h("p", {}, new ApiError(v.error.code, v.error.message).detail),
    v.changes.length > 0 && h("p", {}, t("v_changes")),
    v.changes.length > 0 && h("ul", {}, ...v.changes.map((c) => h("li", {}, change(c)))),
    v.verdict === "different" && v.again && h("p", { class: "diff" }, ...(steps.length ? steps.map((s) => h(tags[s.op], {}, s.text)) : [v.again.answer])),
  );
}

/** The panel's content; `redraw` is called when there is more to show. */
export function proofPanel(p: Proof, run: string, redraw: () => void): HTMLElement {
  const panel = h("section", { class: "proof", "aria-label": t("proof"), "aria-busy": p.busy && "true" });
  if (p.error) {
    const again = () => ((p.error = null), void (p.record ? replay(p, run, redraw) : load(p, run, redraw)));
    panel.append(
      h("div", { class: "notice", role: "alert" }, h("strong", {}, p.error.text), p.error.detail && h("small", {}, p.error.detail), h("button", { type: "button", class: "link", click: again }, t("try_again"))),
    );
  }
  const r = p.record;
  if (!r) {
    if (!p.error) panel.append(h("p", { class: "wait" }, h("i", {}), t("loading")));
    return panel;
  }
  panel.append(facts(r));
  for (const one of r.parts) panel.append(...part(one, r.parts.length === 1));
  panel.append(
    h(
      "div",
      { class: "again", role: "status" },
      p.busy && h("p", { class: "wait" }, h("i", {}), t("p_running")),
      !p.busy && p.replay && verdict(p.replay),
      !p.busy && h("button", { type: "button", class: "quiet framed again", click: () => void replay(p, run, redraw) }, t("p_again")),
    ),
  );
  return panel;
}

async function during(p: Proof, redraw: () => void, work: () => Promise<void>): Promise<void> {
  p.busy = true;
  redraw();
  try {
    await work();
  } catch (e) {
    if (!(e instanceof ApiError)) throw e;
    p.error = e;
  } finally {
    p.busy = false;
    redraw();
  }
}

export const load = (p: Proof, run: string, redraw: () => void): Promise<void> =>
  during(p, redraw, async () => {
    p.record = await api.run(run);
  });

const replay = (p: Proof, run: string, redraw: () => void): Promise<void> =>
  during(p, redraw, async () => {
    p.replay = null;
    p.replay = await api.replay(run);
    p.record = p.replay.record;
  });
