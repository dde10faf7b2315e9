/* The documents: collections, uploads and their progress, the list. */

import { api, ApiError, followJobs, upload } from "./api";
import { byId, h, icon, icons, show } from "./dom";
import { Key, onLang, t } from "./i18n";
import type { Collection, DocRow, Job } from "./types";

/** One file on its way in: first sent from here, then a job of the server. */
interface Entry {
  name: string;
  collection: string;
  state: "sending" | Job["state"];
  share: number; // of the sending, 0 to 1
  job: Job | null;
  error: string;
  detail: string;
  abort?: () => void;
  note?: Key;
}

const steps = ["send", "parse", "embed", "index"];
const entries = new Map<string, Entry>(); // by job id; while sending by "local:N"
const dismissed = new Set<string>();
let docs: DocRow[] = [];
let collections: Collection[] = [];
let current = "default";
let local = 0;
let openDoc: (doc: DocRow) => void = () => undefined;
const watchers: (() => void)[] = [];

export const library = {
  collection: () => current,
  documents: () => docs,
  onChange: (fn: () => void) => void watchers.push(fn),
};

function fail(e: unknown): void {
  if (e instanceof ApiError) {
    const box = byId("library-error");
    box.replaceChildren(e.text, " ", h("small", {}, e.detail));
    show(box, true);
  } else throw e;
}

/** Run an action of the person; a failure is shown, not thrown. */
async function attempt(fn: () => Promise<void>): Promise<void> {
  show(byId("library-error"), false);
  try {
    await fn();
  } catch (e) {
    fail(e);
  }
}

function confirmDialog(text: string, yes: string, input?: string): Promise<string | null> {
  const d = byId<HTMLDialogElement>("dialog");
  const field = input === undefined ? null : h("input", { type: "text", maxlength: 64, value: input, "aria-label": text });
  return new Promise((resolve) => {
    const form = h(
      "form",
      { method: "dialog" },
      h("p", {}, text),
      field,
      h(
        "div",
        { class: "row" },
        h("button", { value: "no", class: "quiet", formnovalidate: true }, input === undefined ? t("keep") : t("cancel")),
        h("button", { value: "yes", class: input === undefined ? "danger" : "primary" }, yes),
      ),
    );
    d.replaceChildren(form);
    d.returnValue = "no";
    d.onclose = () => resolve(d.returnValue === "yes" ? (field?.value.trim() ?? "yes") : null);
    if (field) field.onkeydown = (e) => e.key === "Enter" && (e.preventDefault(), d.close("yes"));
    d.showModal();
    field?.focus();
  });
}

async function refresh(): Promise<void> {
  [collections, docs] = await Promise.all([api.collections(), api.documents(current)]);
  if (!collections.some((c) => c.name === current)) {
    current = "default";
    docs = await api.documents(current);
  }
  drawCollections();
  drawDocs();
  for (const fn of watchers) fn();
}

function drawCollections(): void {
  const select = byId<HTMLSelectElement>("collection");
  const label = (name: string) => (name === "default" ? t("collection_default") : name);
  const names = collections.map((c) => c.name);
  if (!names.includes("default")) names.unshift("default");
  select.replaceChildren(
    ...names.map((n) => h("option", { value: "c:" + n, selected: n === current }, label(n))),
    h("option", { value: "new" }, t("collection_new")),
    current === "default" ? "" : h("option", { value: "remove" }, t("collection_remove")),
  );
}

async function pickCollection(value: string): Promise<void> {
  if (value === "new") {
    const name = await confirmDialog(t("collection_name"), t("create"), "");
    if (name) {
      await api.addCollection(name);
      current = name;
    }
  } else if (value === "remove") {
    if (await confirmDialog(t("remove_collection_sure", { name: current, n: docs.length }), t("remove"))) {
      await api.removeCollection(current);
      current = "default";
    }
  } else current = value.slice(2);
  await refresh();
}

async function removeDoc(d: DocRow): Promise<void> {
  if (!(await confirmDialog(t("remove_doc_sure", { name: d.source }), t("remove")))) return;
  await api.removeDocument(d.doc_id);
  await refresh();
}

function docItem(d: DocRow): HTMLElement {
  const size = d.pages > 0 ? t("pages", { n: d.pages }) : t("chars", { n: d.chars });
  return h(
    "li",
    {},
    h(
      "button",
      { type: "button", class: "doc", click: () => openDoc(d) },
      h("span", { class: "kind" }, d.format === "markdown" ? "md" : d.format === "text" ? "txt" : d.format),
      h("span", { class: "name", title: d.source }, d.source),
      h("span", { class: "size" }, size),
    ),
    h(
      "button",
      {
        type: "button",
        class: "quiet icon small",
        "aria-label": t("remove_doc", { name: d.source }),
        title: t("remove"),
        click: () => void attempt(() => removeDoc(d)),
      },
      icon(icons.trash),
    ),
  );
}

function drawDocs(): void {
  byId("docs").replaceChildren(
    ...(docs.length ? docs.map(docItem) : [h("li", { class: "none" }, t("no_docs"))]),
  );
  byId("tab-count").textContent = docs.length ? String(docs.length) : "";
}

function stepOf(e: Entry): number {
  if (e.state === "sending") return 0;
  if (e.state === "done") return steps.length;
  const at = steps.indexOf(e.job?.stage === "chunk" ? "embed" : (e.job?.stage ?? ""));
  return at < 0 ? 1 : at;
}

function stateText(e: Entry): string {
  if (e.note) return t(e.note);
  if (e.state === "sending") return `${t("uploading")} ${Math.round(e.share * 100)} %`;
  if (e.state === "queued") return t("queued");
  if (e.state === "done") return t("ready");
  if (e.state === "failed") return t("failed");
  if (e.state === "cancelled") return t("cancelled");
  const key = ("stage_" + (e.job?.stage ?? "")) as Key;
  const known = ["stage_parse", "stage_chunk", "stage_embed", "stage_index"].includes(key);
  const total = e.job?.total ?? 0;
  return t(known ? key : "stage_other") + (total > 1 ? ` ${e.job?.done}/${total}` : "");
}

function bar(e: Entry): HTMLElement {
  const at = stepOf(e);
  const share = e.state === "sending" ? e.share : e.job?.total ? e.job.done / e.job.total : 0;
  const percent = Math.round((Math.min(at + share, steps.length) / steps.length) * 100);
  const el = h("div", {
    class: "bar",
    role: "progressbar",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "aria-valuenow": percent,
    "aria-label": e.name,
  });
  steps.forEach((_, i) => {
    const fillEl = h("i", {});
    fillEl.style.width = i < at ? "100%" : i > at ? "0" : Math.round(share * 100) + "%";
    el.append(h("span", { class: i === at ? "now" : "" }, fillEl));
  });
  return el;
}

function entryItem(id: string, e: Entry): HTMLElement {
  const over = e.state === "done" || e.state === "failed" || e.state === "cancelled";
  const act = () => {
    if (over) {
      entries.delete(id);
      dismissed.add(id);
      drawJobs();
    } else if (e.abort) e.abort();
    else void attempt(async () => void (await api.cancelJob(id)));
  };
  return h(
    "li",
    { class: e.state, "data-state": e.state },
    h("span", { class: "name", title: e.name }, e.name),
    h("span", { class: "state" }, stateText(e)),
    h(
      "button",
      {
        type: "button",
        class: "quiet icon small",
        "aria-label": `${over ? t("dismiss") : t("cancel")}: ${e.name}`,
        title: over ? t("dismiss") : t("cancel"),
        click: act,
      },
      icon(icons.close),
    ),
    !over && bar(e),
    e.error ? h("p", { class: "why" }, e.error, e.detail ? h("small", {}, e.detail) : null) : null,
  );
}

let drawing = 0;
function drawJobs(): void {
  if (drawing) return;
  drawing = requestAnimationFrame(() => {
    drawing = 0;
    // A file's job can be heard of before its sending is answered: show it once.
    const jobs = new Set([...entries.values()].filter((e) => e.job).map((e) => e.name));
    const twice = (e: Entry) => e.state === "sending" && e.share >= 1 && jobs.has(e.name);
    const list = [...entries].filter(([, e]) => e.collection === current && !twice(e));
    byId("jobs").replaceChildren(...list.map(([id, e]) => entryItem(id, e)));
  });
}

function onJob(job: Job): void {
  if (job.kind !== "ingest" || dismissed.has(job.id)) return;
  const before = entries.get(job.id);
  const e: Entry = {
    name: job.source ?? job.id,
    collection: job.collection ?? "default",
    state: job.state,
    share: 1,
    job,
    error: "",
    detail: "",
  };
  const failedDoc = job.result?.documents.find((d) => d.state === "failed");
  if (job.state === "done" && failedDoc) e.state = "failed";
  if (e.state === "failed") {
    e.detail = failedDoc?.error ?? job.error ?? "";
    e.error = "";
  }
  if (job.state === "done" && job.result?.documents.every((d) => d.state === "unchanged")) e.note = "unchanged";
  entries.set(job.id, e);
  if (e.detail) e.error = e.detail;
  e.detail = "";
  drawJobs();
  if (e.state === "done" && before?.state !== "done") {
    void refresh().catch(fail);
    if (!e.note)
      setTimeout(() => {
        if (entries.get(job.id) === e) entries.delete(job.id);
        dismissed.add(job.id);
        drawJobs();
      }, 2500);
  }
}

/** The whole list, on every (re)connection: jobs that ended long ago are left out. */
function onJobs(jobs: Job[]): void {
  for (const j of jobs) {
    const open = j.state === "queued" || j.state === "running";
    if (open || entries.has(j.id)) onJob(j);
  }
}

async function send(file: File): Promise<void> {
  const key = "local:" + ++local;
  const e: Entry = {
    name: file.name,
    collection: current,
    state: "sending",
    share: 0,
    job: null,
    error: "",
    detail: "",
  };
  entries.set(key, e);
  const up = upload(file, current, (share) => {
    e.share = share;
    drawJobs();
  });
  e.abort = up.abort;
  drawJobs();
  try {
    const id = await up.done;
    entries.delete(key);
    if (!entries.has(id) && !dismissed.has(id)) entries.set(id, { ...e, state: "queued", share: 1, abort: undefined });
  } catch (err) {
    const a = err as ApiError;
    e.state = a.code === "cancelled" ? "cancelled" : "failed";
    e.error = a.code === "cancelled" ? "" : a.text;
    e.detail = a.code === "cancelled" || a.code === "unsupported" ? "" : a.message;
    e.abort = undefined;
  }
  drawJobs();
}

/** Three files travel at a time; the server reads them one after the other. */
export async function addFiles(files: Iterable<File>): Promise<void> {
  const queue = [...files];
  const worker = async () => {
    for (let f = queue.shift(); f; f = queue.shift()) await send(f);
  };
  await Promise.all([worker(), worker(), worker()]);
}

function dropZone(): void {
  const veil = byId("veil");
  let depth = 0;
  const hasFiles = (e: DragEvent) => e.dataTransfer?.types.includes("Files") ?? false;
  addEventListener("dragenter", (e) => {
    if (!hasFiles(e)) return;
    depth++;
    show(veil, true);
  });
  addEventListener("dragleave", (e) => {
    if (hasFiles(e) && --depth <= 0) show(veil, false);
  });
  addEventListener("dragover", (e) => hasFiles(e) && e.preventDefault());
  addEventListener("drop", (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    depth = 0;
    show(veil, false);
    if (e.dataTransfer) void addFiles(e.dataTransfer.files);
  });
}

export function startLibrary(onOpen: (doc: DocRow) => void): void {
  openDoc = onOpen;
  const input = byId<HTMLInputElement>("file");
  byId("choose").onclick = () => input.click();
  input.onchange = () => {
    if (input.files) void addFiles(input.files);
    input.value = "";
  };
  const select = byId<HTMLSelectElement>("collection");
  select.onchange = () =>
    void attempt(() => pickCollection(select.value)).finally(() => {
      drawCollections();
      drawJobs();
    });
  dropZone();
  onLang(() => {
    drawCollections();
    drawDocs();
    drawJobs();
  });
  followJobs(onJobs, onJob);
  void attempt(refresh);
}
