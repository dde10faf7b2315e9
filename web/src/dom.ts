/* Small helpers over the DOM.  Text only ever becomes text nodes: there is no
 * way in this page to turn a string into markup. */

type Child = Node | string | null | false | undefined;
type Attrs = Record<string, string | number | boolean | ((e: Event) => void) | null | undefined>;

function fill(e: Element, attrs: Attrs, children: Child[]): void {
  for (const [k, v] of Object.entries(attrs)) {
    if (v === null || v === undefined || v === false) continue;
    if (typeof v === "function") e.addEventListener(k, v);
    else e.setAttribute(k, v === true ? "" : String(v));
  }
  for (const c of children) if (c !== null && c !== false && c !== undefined) e.append(c);
}

/** An element with attributes (a function is a listener) and children. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attrs: Attrs = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const e = document.createElement(tag);
  fill(e, attrs, children);
  return e;
}

/** An icon: stroked paths in a 20 by 20 field. */
export function icon(d: string): SVGSVGElement {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  const path = document.createElementNS(ns, "path");
  fill(svg, { viewBox: "0 0 20 20", "aria-hidden": "true" }, [path]);
  path.setAttribute("d", d);
  return svg;
}

export const icons = {
  close: "M5 5l10 10M15 5L5 15",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
  trash: "M4 6h12M8 6V4h4v2M6 6l.6 10h6.800L14 6",
  page: "M6 3h5.500L15 6.500V17H6zM11 3v4h4",
  copy: "M7 7V4h9v9h-3M4 7h9v9H4z",
  more: "M6 8l4 4 4-4",
  save: "M10 4v8M6.500 8.800 10 12.300l3.500-3.500M4 15.500h12",
};

export function byId<T extends HTMLElement>(id: string): T {
  const e = document.getElementById(id);
  if (!e) throw new Error("no element " + id);
  return e as T;
}

export function show(e: HTMLElement, on: boolean): void {
  e.hidden = !on;
}
