/* What the server's JSON looks like; docs/api.md is the description. */

export type Box = [number, number, number, number];

export interface Passage {
  doc_id: string;
  source: string;
  page: number | null;
  box: Box | null;
  start: number;
  end: number;
  text: string;
  heading?: string;
  score?: number;
}

export interface Citation extends Passage {
  n: number;
}

export interface Answer {
  answered: boolean;
  answer: string;
  citations: Citation[];
  passages: Passage[];
  model: string | null;
  run: string;
  dropped: number;
  question: string | null;
  ms: { ingest: number; retrieve: number; first_token: number | null; total: number };
}

/** A span of a document as a run found it, and how that stands now. */
export interface RunPlace {
  doc_id: string;
  source: string;
  page: number | null;
  start: number;
  end: number;
  score?: number;
  state: "same" | "changed" | "gone";
  text?: string;
}

export interface Check {
  supported: boolean;
  responds: boolean;
  coverage: number;
  similarity: number;
  why: string;
}

export interface RunPart {
  question?: string;
  answered: boolean;
  passages: RunPlace[];
  evidence: { answerable: number }[];
  generated?: string;
  checks?: Check[];
}

export interface RunRecord {
  run: string;
  unix_ms: number;
  version: string;
  question: string;
  model: string | null;
  model_hash: string;
  kernels: string;
  seed: number;
  k: number;
  collection: string | null;
  documents?: { n: number };
  ms?: { retrieve: number; first_token: number | null; total: number };
  parts: RunPart[];
}

export interface Change {
  what: "document" | "documents" | "model" | "embedding" | "version" | "kernels";
  change?: "removed" | "changed" | "reread";
  cached?: boolean;
  source?: string;
  was?: string | number;
  now?: string | number;
  added?: string[];
}

export interface Replay {
  verdict: "same" | "different" | "failed";
  error: { code: string; message: string } | null;
  changes: Change[];
  again: Answer | null;
  diff: { answer: { op: "same" | "removed" | "added"; text: string }[] | null } | null;
  record: RunRecord;
}

export interface DocRow {
  doc_id: string;
  source: string;
  collection: string;
  format: string;
  hash: string;
  pages: number;
  chunks: number;
  chars: number;
  added: number;
}

export interface Cell {
  row: number;
  col: number;
  rows: number;
  cols: number;
  start: number;
  end: number;
}

export interface Block {
  type: "heading" | "paragraph" | "list_item" | "table" | "code" | "header" | "footer";
  level: number;
  page: number | null;
  start: number;
  end: number;
  cells?: Cell[];
}

export interface DocPart {
  source: string;
  format: string;
  hash: string;
  chars: number;
  pages: { width: number; height: number; scanned: boolean }[];
  warning: string;
  lines?: { start: number; end: number; box: Box | null }[];
  text?: string;
  text_start?: number;
  blocks?: Block[];
}

export type JobState = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  kind: string;
  source: string | null;
  collection: string | null;
  state: JobState;
  stage: string;
  done: number;
  total: number;
  error: string | null;
  result: { documents: { doc_id: string | null; source: string; state: string; error: string | null }[] } | null;
  created: number;
}

export interface Collection {
  name: string;
  documents: number;
  chunks: number;
}

export interface Turn {
  role: "user" | "assistant";
  content: string;
}
