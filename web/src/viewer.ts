/* The source of a citation: its page with the passage marked, or its text. */

import { api, ApiError } from "./api";
import { byId, h, icon, icons, show } from "./dom";
import { onLang, t } from "./i18n";
import type { Block, Box, DocPart } from "./types";

export interface Place {
  doc_id: string;
  source: string;
  page: number | null;
  box: Box | null;
  start: number;
  end: number;
  text: string; // "" when the document is opened without a passage
}

const WINDOW = 12000; // characters shown before and after a passage

let place: Place | null = null;
let page = 0;
let total = 0;
let turn = 0; // a later opening makes an earlier one's answers stale
let from: HTMLElement | null = null;

/** Split text by code points, as the server counts them. */
function cutter(text: string): (a: number, b: number) => string {
  if (!/[\ud800-\udfff]/.test(text)) return (a, b) => text.slice(a, b);
  const points = Array.from(text);
  return (a, b) => points.slice(a, b).join("");
}

function frame(body: HTMLElement): void {
  const v = byId("viewer");
  if (!place) return;
  const paged = total > 0;
  const step = (d: number) => () => void showPage(page + d);
  v.replaceChildren(
    h(
      "div",
      { class: "head" },
      h("h2", { id: "viewer-title", tabindex: -1 }, place.source),
      h(
        "a",
        { class: "quiet icon", href: api.original(place.doc_id), download: "", "aria-label": t("original"), title: t("original") },
        icon(icons.save),
      ),
      h(
        "button",
        { type: "button", class: "quiet icon", id: "viewer-close", "aria-label": t("close"), title: t("close"), click: closeViewer },
        icon(icons.close),
      ),
    ),
    paged
      ? h(
          "div",
          { class: "pager" },
          h("button", { type: "button", class: "quiet icon", "aria-label": t("prev"), title: t("prev"), disabled: page <= 1, click: step(-1) }, icon(icons.left)),
          h("span", { "aria-live": "polite" }, t("page_of", { n: page, total })),
          h("button", { type: "button", class: "quiet icon", "aria-label": t("next"), title: t("next"), disabled: page >= total, click: step(1) }, icon(icons.right)),
        )
      : "",
    body,
  );
}

/** The boxes of the lines that the passage touches; else the passage's own box. */
function boxesOn(part: DocPart): Box[] {
  if (!place || !place.text) return [];
  const { start, end } = place;
  const boxes = (part.lines ?? []).filter((l) => l.box && l.start < end && l.end > start).map((l) => l.box as Box);
  if (boxes.length) return boxes;
  return place.box && place.page === page ? [place.box] : [];
}

function mark(box: Box, width: number, height: number): HTMLElement {
  const m = h("i", { class: "mark" });
  const pct = (v: number, of: number) => (v / of) * 100 + "%";
  m.style.left = pct(box[0] - 1.5, width);
  m.style.top = pct(box[1] - 1, height);
  m.style.width = pct(box[2] - box[0] + 3, width);
  m.style.height = pct(box[3] - box[1] + 2, height);
  return m;
}

async function showPage(n: number): Promise<void> {
  if (!place || n < 1 || (total > 0 && n > total)) return;
  const mine = ++turn;
  const part = await api.lines(place.doc_id, n);
  if (mine !== turn || !place) return;
  page = n;
  total = part.pages.length;
  const size = part.pages[n - 1];
  const dpi = Math.min(devicePixelRatio, 2) > 1.2 ? 160 : 110;
  const image = h("img", { src: api.image(place.doc_id, n, dpi, part.hash), alt: `${place.source}, ${t("page_of", { n, total })}` });
  const sheet = h("div", { class: "sheet", "aria-busy": true }, image);
  sheet.style.aspectRatio = `${size.width} / ${size.height}`;
  const marks = boxesOn(part).map((b) => mark(b, size.width, size.height));
  sheet.append(...marks);
  const body = h("div", { class: "body paged", tabindex: 0 }, sheet);
  if (place.text && place.page === n)
    body.append(h("figure", {}, h("figcaption", {}, t("passage")), h("blockquote", {}, place.text)));
  image.onload = () => {
    sheet.removeAttribute("aria-busy");
    marks[0]?.scrollIntoView({ block: "center", behavior: "smooth" });
  };
  const target = place;
  image.onerror = () => {
    if (mine === turn) void showText(target, t("no_image"), total > 0 && target.page !== n ? null : undefined);
  };
  frame(body);
}

/** One block's text with the cited span marked. */
function spans(cut: (a: number, b: number) => string, base: number, a: number, b: number): (Node | string)[] {
  const s = place?.text ? Math.max(a, place.start) : b;
  const e = place?.text ? Math.min(b, place.end) : b;
  if (s >= e) return [cut(a - base, b - base)];
  return [cut(a - base, s - base), h("mark", {}, cut(s - base, e - base)), cut(e - base, b - base)];
}

function table(b: Block, cut: (a: number, b: number) => string, base: number): HTMLElement {
  const rows = new Map<number, HTMLElement>();
  const el = h("table", {});
  for (const c of b.cells ?? []) {
    let row = rows.get(c.row);
    if (!row) {
      row = h("tr", {});
      rows.set(c.row, row);
      el.append(row);
    }
    row.append(
      h(c.row === 0 ? "th" : "td", { rowspan: c.rows > 1 && c.rows, colspan: c.cols > 1 && c.cols }, ...spans(cut, base, c.start, c.end)),
    );
  }
  return h("div", { class: "wide" }, el);
}

function blockElement(b: Block, cut: (a: number, b: number) => string, base: number): HTMLElement {
  if (b.type === "table" && b.cells?.length) return table(b, cut, base);
  const inner = spans(cut, base, b.start, b.end);
  if (b.type === "heading") return h("p", { class: "heading l" + Math.min(Math.max(b.level, 1), 4) }, ...inner);
  if (b.type === "code") return h("pre", {}, ...inner);
  if (b.type === "list_item") return h("p", { class: "item" }, ...inner);
  return h("p", { class: b.type === "header" || b.type === "footer" ? "faint" : "" }, ...inner);
}

async function showText(p: Place, note?: string, at?: null): Promise<void> {
  const mine = ++turn;
  const middle = at === null ? 0 : p.start;
  const part = await api.part(p.doc_id, middle - WINDOW, Math.max(p.end, middle) + WINDOW);
  if (mine !== turn || !place) return;
  const base = part.text_start ?? 0;
  const text = part.text ?? "";
  const cut = cutter(text);
  const end = base + Array.from(text).length;
  const body = h("div", { class: "body text", tabindex: 0 });
  if (note) body.append(h("p", { class: "notice" }, note));
  if (base > 0) body.append(h("p", { class: "faint" }, "⋯ " + t("cut_before")));
  const blocks = part.blocks?.length ? part.blocks : [{ type: "paragraph", level: 0, page: null, start: base, end } as Block];
  body.append(...blocks.map((b) => blockElement(b, cut, base)));
  if (end < part.chars) body.append(h("p", { class: "faint" }, t("cut_after") + " ⋯"));
  total = 0;
  frame(body);
  body.querySelector("mark")?.scrollIntoView({ block: "center" });
}

function failure(e: unknown): void {
  if (!(e instanceof ApiError)) throw e;
  total = 0;
  frame(h("div", { class: "body" }, h("p", { class: "notice", role: "alert" }, e.text, h("small", {}, e.detail))));
}

export function openViewer(p: Place): void {
  if (!place) from = document.activeElement as HTMLElement | null;
  place = p;
  page = p.page ?? 0;
  total = 0;
  show(byId("viewer"), true);
  document.body.classList.add("viewing");
  frame(h("div", { class: "body" }, h("p", { class: "faint" }, t("loading") + " …")));
  byId("viewer-title").focus({ preventScroll: true });
  (p.page ? showPage(p.page) : showText(p)).catch(failure);
}

export function closeViewer(): void {
  if (!place) return;
  turn++;
  place = null;
  show(byId("viewer"), false);
  document.body.classList.remove("viewing");
  from?.focus({ preventScroll: true });
}

export function startViewer(): void {
  onLang(() => place && openViewer(place));
  byId("viewer").addEventListener("keydown", (e) => {
    if (total > 0 && e.key === "ArrowLeft") void showPage(page - 1).catch(failure);
    if (total > 0 && e.key === "ArrowRight") void showPage(page + 1).catch(failure);
  });
}
