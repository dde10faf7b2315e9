/* All text of the page in its two languages.  {name} is filled in; a text with
 * two forms ("one|many") is chosen by {n}. */

const en = {
  skip: "Go to the question",
  promise: "Nothing leaves this machine",
  sections: "Sections",
  tab_ask: "Ask",
  tab_documents: "Documents",
  theme: "Light or dark",
  documents: "Documents",
  collection: "Collection",
  collection_new: "New collection…",
  collection_remove: "Remove this collection…",
  collection_name: "Name of the new collection",
  collection_default: "Default collection",
  choose: "Add documents",
  drop_hint: "or drop them here: PDF, Word, HTML, Markdown, text",
  drop_now: "Drop to add these documents",
  being_read: "Being read",
  uploading: "Sending",
  queued: "Waiting",
  stage_parse: "Reading",
  stage_chunk: "Dividing",
  stage_embed: "Understanding",
  stage_index: "Indexing",
  stage_other: "Working",
  ready: "Ready",
  unchanged: "Unchanged, already here",
  failed: "Could not be read",
  cancelled: "Cancelled",
  cancel: "Cancel",
  dismiss: "Dismiss",
  remove: "Remove",
  remove_doc: "Remove {name}",
  remove_doc_sure: "Remove “{name}” from this collection? Answers can no longer draw on it.",
  remove_collection_sure: "Remove the collection “{name}” with its documents ({n})?",
  keep: "Keep it",
  create: "Create",
  pages: "{n} page|{n} pages",
  chars: "{n} characters",
  no_docs: "No documents yet",
  conversation: "Conversation",
  question: "Question",
  placeholder: "Ask about your documents",
  send: "Ask",
  stop: "Stop",
  checked: "Every sentence is checked against its source before it is shown.",
  fresh: "New conversation",
  welcome: "What would you like to know?",
  welcome_empty: "Start with your documents",
  welcome_empty_text: "Add a few files. Landfall reads them here, on this machine, and answers questions with the page that each sentence comes from.",
  welcome_text: "{n} document is ready.|{n} documents are ready.",
  hint_keys: "Press / to write, Enter to ask, Shift + Enter for a new line.",
  hint_cite: "A number after a sentence opens its source.",
  hint_lang: "Ask in English or Chinese, whatever language the documents are in.",
  searching: "Looking through the documents",
  writing: "Writing and checking",
  passages: "{n} passage found|{n} passages found",
  passages_none: "No passage found",
  sources: "Sources",
  not_in: "Not in the documents",
  not_in_text: "The documents do not say. Nothing was made up.",
  not_in_near: "These passages came closest:",
  dropped: "{n} sentence was left out: its source did not bear it out.|{n} sentences were left out: their sources did not bear them out.",
  asked_as: "Searched for: {q}",
  stopped: "Stopped.",
  retry: "Ask again",
  copy: "Copy the answer",
  copied: "Copied",
  open_cite: "Source {n}: {source}",
  page_n: "page {n}",
  page_of: "Page {n} of {total}",
  t_found: "found in {s} s",
  t_first: "first word {s} s",
  t_total: "{s} s in all",
  extract_only: "best passage, no model",
  viewer: "Source",
  close: "Close",
  prev: "Previous page",
  next: "Next page",
  original: "Save the file",
  loading: "Loading",
  no_image: "The page cannot be drawn here, so its text is shown.",
  cut_before: "The document begins earlier",
  cut_after: "The document goes on",
  passage: "Cited passage",
  error: "That did not work",
  err_network: "The server does not answer. Is Landfall still running?",
  err_not_found: "That is not here (any more).",
  err_model: "The model is not on this machine yet.",
  err_too_large: "That is larger than what is allowed.",
  err_type: "This type of file cannot be read: PDF, Word, HTML, Markdown and plain text can.",
  err_argument: "The request was not understood.",
  err_busy: "There is too much to do at the moment. Try again shortly.",
  err_memory: "Not enough memory for this.",
  err_malformed: "The file is damaged, protected or empty.",
  err_other: "Something went wrong inside.",
  details: "Details",
};

type Key = keyof typeof en;

const zh: Record<Key, string> = {
  skip: "跳到提问框",
  promise: "数据不离开本机",
  sections: "栏目",
  tab_ask: "提问",
  tab_documents: "文档",
  theme: "浅色或深色",
  documents: "文档",
  collection: "文档库",
  collection_new: "新建文档库…",
  collection_remove: "删除此文档库…",
  collection_name: "新文档库的名称",
  collection_default: "默认文档库",
  choose: "添加文档",
  drop_hint: "或拖放到这里：PDF、Word、HTML、Markdown、文本",
  drop_now: "松开即可添加这些文档",
  being_read: "正在读取",
  uploading: "正在传送",
  queued: "等待中",
  stage_parse: "正在读取",
  stage_chunk: "正在切分",
  stage_embed: "正在理解",
  stage_index: "正在建立索引",
  stage_other: "正在处理",
  ready: "就绪",
  unchanged: "内容未变，已在库中",
  failed: "无法读取",
  cancelled: "已取消",
  cancel: "取消",
  dismiss: "关闭提示",
  remove: "删除",
  remove_doc: "删除 {name}",
  remove_doc_sure: "要从文档库中删除“{name}”吗？之后的回答将不再引用它。",
  remove_collection_sure: "要删除文档库“{name}”及其中的 {n} 份文档吗？",
  keep: "保留",
  create: "新建",
  pages: "{n} 页",
  chars: "{n} 字",
  no_docs: "还没有文档",
  conversation: "对话",
  question: "问题",
  placeholder: "就你的文档提问",
  send: "提问",
  stop: "停止",
  checked: "每句话在显示之前都与出处核对。",
  fresh: "新对话",
  welcome: "想了解什么？",
  welcome_empty: "从你的文档开始",
  welcome_empty_text: "添加几份文件。Landfall 就在本机阅读它们，回答问题时，每句话都附上出处所在的页。",
  welcome_text: "{n} 份文档已就绪。",
  hint_keys: "按 / 开始输入，Enter 提问，Shift + Enter 换行。",
  hint_cite: "点击句末的数字即可打开出处。",
  hint_lang: "中文或英文提问都可以，不论文档是哪种语言。",
  searching: "正在查阅文档",
  writing: "正在撰写并核对",
  passages: "找到 {n} 段相关内容",
  passages_none: "没有找到相关内容",
  sources: "出处",
  not_in: "文档中没有答案",
  not_in_text: "文档里没有提到，系统不会编造。",
  not_in_near: "最接近的段落如下：",
  dropped: "有 {n} 句话未能得到出处支持，已略去。",
  asked_as: "检索的问题：{q}",
  stopped: "已停止。",
  retry: "重新提问",
  copy: "复制回答",
  copied: "已复制",
  open_cite: "出处 {n}：{source}",
  page_n: "第 {n} 页",
  page_of: "第 {n} 页，共 {total} 页",
  t_found: "检索 {s} 秒",
  t_first: "首字 {s} 秒",
  t_total: "共 {s} 秒",
  extract_only: "最佳段落，未用模型",
  viewer: "出处",
  close: "关闭",
  prev: "上一页",
  next: "下一页",
  original: "保存原文件",
  loading: "正在加载",
  no_image: "此页无法显示为图像，以下是其文字。",
  cut_before: "前面还有内容",
  cut_after: "后面还有内容",
  passage: "引用的段落",
  error: "操作未成功",
  err_network: "服务没有响应。Landfall 还在运行吗？",
  err_not_found: "找不到了，可能已被删除。",
  err_model: "本机上还没有这个模型。",
  err_too_large: "超出了允许的大小。",
  err_type: "无法读取这种文件；可以读取 PDF、Word、HTML、Markdown 和纯文本。",
  err_argument: "请求有误。",
  err_busy: "当前任务太多，请稍后再试。",
  err_memory: "内存不足。",
  err_malformed: "文件已损坏、受保护或为空。",
  err_other: "内部出现错误。",
  details: "详情",
};

export type Lang = "en" | "zh";
export type { Key };

let current: Lang = "en";
const listeners: (() => void)[] = [];

export function lang(): Lang {
  return current;
}

export function t(key: Key, vars: Record<string, string | number> = {}): string {
  let text = (current === "zh" ? zh : en)[key];
  const bar = text.indexOf("|");
  if (bar >= 0) text = vars.n === 1 ? text.slice(0, bar) : text.slice(bar + 1);
  return text.replace(/\{(\w+)\}/g, (_, k: string) => {
    const v = vars[k];
    return typeof v === "number" ? v.toLocaleString(current === "zh" ? "zh-CN" : "en") : String(v ?? "");
  });
}

/** Text of the static page: data-t, data-label, data-placeholder. */
function applyStatic(): void {
  document.documentElement.lang = current === "zh" ? "zh-CN" : "en";
  for (const e of document.querySelectorAll<HTMLElement>("[data-t]")) e.textContent = t(e.dataset.t as Key);
  for (const e of document.querySelectorAll<HTMLElement>("[data-label]")) {
    e.setAttribute("aria-label", t(e.dataset.label as Key));
    if (e.tagName === "BUTTON") e.title = t(e.dataset.label as Key);
  }
  for (const e of document.querySelectorAll<HTMLElement>("[data-placeholder]"))
    e.setAttribute("placeholder", t(e.dataset.placeholder as Key));
}

export function onLang(fn: () => void): void {
  listeners.push(fn);
}

export function setLang(to: Lang): void {
  current = to;
  try {
    localStorage.setItem("landfall.lang", to);
  } catch {
    /* storage may be switched off: the choice then lasts as long as the page */
  }
  applyStatic();
  for (const fn of listeners) fn();
}

export function startLang(): void {
  let saved: string | null = null;
  try {
    saved = localStorage.getItem("landfall.lang");
  } catch {
    saved = null;
  }
  const browser = navigator.languages?.[0] ?? navigator.language ?? "en";
  setLang(saved === "zh" || saved === "en" ? saved : browser.toLowerCase().startsWith("zh") ? "zh" : "en");
}
