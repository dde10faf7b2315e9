/* Talking to the server: JSON, uploads with progress, event streams. */

import { Key, t } from "./i18n";
import type { Answer, Citation, Collection, DocPart, DocRow, Job, Passage, Replay, RunRecord, Turn } from "./types";

export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  /** The command that gets a missing model, as the server names it; else "". */
  private get pull(): string {
    return this.code === "not_found" ? (/`([^`]*model pull[^`]*)`/.exec(this.message)?.[1] ?? "") : "";
  }

  /** What to say below `text`: what helps, or the server's words; "" when there is nothing. */
  get detail(): string {
    if (this.code === "network") return "";
    return this.pull ? t("err_model_get", { command: this.pull }) : this.message;
  }

  /** What to tell a person. */
  get text(): string {
    const keys: Record<string, Key> = {
      network: "err_network",
      not_found: "err_not_found",
      over_limit: "err_too_large",
      unsupported: "err_type",
      invalid_argument: "err_argument",
      busy: "err_busy",
      out_of_memory: "err_memory",
      malformed_input: "err_malformed",
    };
    if (this.pull) return t("err_model");
    return t(keys[this.code] ?? "err_other");
  }
}

function fromBody(status: number, body: unknown): ApiError {
  const e = (body as { error?: { code?: string; message?: string } } | null)?.error;
  return new ApiError(e?.code ?? "status_" + status, e?.message ?? "status " + status);
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  let r: Response;
  try {
    r = await fetch(path, init);
  } catch (e) {
    if ((e as Error).name === "AbortError") throw e;
    throw new ApiError("network", String((e as Error).message ?? e));
  }
  if (!r.ok) throw fromBody(r.status, await r.json().catch(() => null));
  return r;
}

async function json<T>(path: string, init?: RequestInit): Promise<T> {
  return (await (await call(path, init)).json()) as T;
}

const post = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify(body),
});

const seg = encodeURIComponent;

export const api = {
  collections: async () => (await json<{ collections: Collection[] }>("/api/collections")).collections,
  addCollection: (name: string) => json("/api/collections", post({ name })),
  removeCollection: (name: string) => json("/api/collections/" + seg(name), { method: "DELETE" }),
  documents: async (collection: string) =>
    (await json<{ documents: DocRow[] }>("/api/documents?collection=" + seg(collection))).documents,
  removeDocument: (id: string) => json("/api/documents/" + seg(id), { method: "DELETE" }),
  cancelJob: (id: string) => json("/api/jobs/" + seg(id), { method: "DELETE" }),
  lines: (id: string, page: number) => json<DocPart>(`/api/documents/${seg(id)}?lines=${page}`),
  part: (id: string, from: number, to: number) =>
    json<DocPart>(`/api/documents/${seg(id)}?from=${Math.max(0, from)}&to=${to}`),
  run: (id: string) => json<RunRecord>("/api/runs/" + seg(id)),
  replay: (id: string) => json<Replay>(`/api/runs/${seg(id)}/replay`, post({})),
  original: (id: string) => `/api/documents/${seg(id)}/original`,
  image: (id: string, page: number, dpi: number, hash: string) =>
    `/api/documents/${seg(id)}/pages/${page}?dpi=${dpi}&v=${seg(hash)}`,
};

/** Send one file; resolves to its job's id once the server has all of it. */
export function upload(
  file: File,
  collection: string,
  onProgress: (share: number) => void,
): { done: Promise<string>; abort: () => void } {
  const x = new XMLHttpRequest();
  const done = new Promise<string>((resolve, reject) => {
    x.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    x.onerror = () => reject(new ApiError("network", "the upload was interrupted"));
    x.onabort = () => reject(new ApiError("cancelled", "cancelled"));
    x.onload = () => {
      let body: unknown = null;
      try {
        body = JSON.parse(x.responseText);
      } catch {
        body = null;
      }
      const jobs = (body as { jobs?: { id: string }[] } | null)?.jobs;
      if (x.status >= 200 && x.status < 300 && jobs?.[0]) resolve(jobs[0].id);
      else reject(fromBody(x.status, body));
    };
  });
  const form = new FormData();
  form.append("collection", collection);
  form.append("file", file, file.name);
  x.open("POST", "/api/documents");
  x.send(form);
  return { done, abort: () => x.abort() };
}

/** Follow the jobs for as long as the page is open (the browser reconnects). */
export function followJobs(onList: (jobs: Job[]) => void, onJob: (job: Job) => void): void {
  const source = new EventSource("/api/jobs");
  source.addEventListener("jobs", (e) => onList((JSON.parse((e as MessageEvent).data) as { jobs: Job[] }).jobs));
  source.addEventListener("job", (e) => onJob(JSON.parse((e as MessageEvent).data) as Job));
}

export interface AskEvents {
  status(text: string): void;
  passages(p: Passage[]): void;
  sentence(text: string, citations: Citation[]): void;
  done(a: Answer): void;
}

function dispatch(name: string, data: string, on: AskEvents): void {
  const v = JSON.parse(data);
  if (name === "status") on.status(v.text);
  else if (name === "passages") on.passages(v.passages);
  else if (name === "sentence") on.sentence(v.text, v.citations);
  else if (name === "done") on.done(v);
  else if (name === "error") throw fromBody(500, v);
}

/** Ask and hand on the answer's events as they come.  EventSource cannot POST,
 * so the stream is taken apart here. */
export async function ask(
  question: string,
  collection: string,
  history: Turn[],
  on: AskEvents,
  signal: AbortSignal,
): Promise<void> {
  const init = post({ question, collection, history });
  const r = await call("/api/ask", {
    ...init,
    headers: { ...init.headers, Accept: "text/event-stream" },
    signal,
  });
  if (!r.body) throw new ApiError("network", "no stream");
  const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let ended = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    rest += value;
    for (let at = rest.indexOf("\n\n"); at >= 0; at = rest.indexOf("\n\n")) {
      let name = "message";
      const data: string[] = [];
      for (const line of rest.slice(0, at).split("\n")) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) data.push(line.slice(6));
      }
      rest = rest.slice(at + 2);
      if (data.length) dispatch(name, data.join("\n"), on);
      ended = ended || name === "done";
    }
  }
  if (!ended) throw new ApiError("network", "the stream ended early");
}
