/* The page's start: language, theme, tabs on a narrow screen, keys. */

import { startChat } from "./chat";
import { byId } from "./dom";
import { lang, onLang, setLang, startLang } from "./i18n";
import { startLibrary } from "./library";
import { closeViewer, openViewer, startViewer } from "./viewer";

function startTheme(): void {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  let saved: string | null = null;
  try {
    saved = localStorage.getItem("landfall.theme");
  } catch {
    saved = null;
  }
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  byId("theme").onclick = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
    root.dataset.theme = dark ? "light" : "dark";
    try {
      localStorage.setItem("landfall.theme", root.dataset.theme);
    } catch {
      /* the choice then lasts as long as the page */
    }
  };
}

function startTabs(): void {
  const names = ["talk", "library"];
  const pick = (name: string) => {
    document.body.dataset.tab = name;
    for (const n of names) byId("tab-" + n).setAttribute("aria-pressed", String(n === name));
  };
  for (const n of names) byId("tab-" + n).onclick = () => (closeViewer(), pick(n));
  pick("talk");
}

function startKeys(): void {
  addEventListener("keydown", (e) => {
    const typing = (e.target as HTMLElement).closest("input, textarea, select, dialog");
    if (e.key === "Escape" && !typing?.closest("dialog")) closeViewer();
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) {
      e.preventDefault();
      byId("tab-talk").click();
      byId("question").focus();
    }
  });
}

const button = byId("lang");
onLang(() => {
  button.textContent = lang() === "zh" ? "English" : "中文";
  button.lang = lang() === "zh" ? "en" : "zh";
});
button.onclick = () => setLang(lang() === "zh" ? "en" : "zh");
startTheme();
startTabs();
startKeys();
startViewer();
startChat();
startLibrary((d) =>
  openViewer({ doc_id: d.doc_id, source: d.source, page: d.pages > 0 ? 1 : null, box: null, start: 0, end: 0, text: "" }),
);
startLang();
if (matchMedia("(min-width: 760px)").matches) byId("question").focus();
