// Elements, made of data without ever reading it as markup: strings become text nodes, nothing else.

const SVG = "http://www.w3.org/2000/svg"

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false))
  return element
}

export const h = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children)

export const svg = (tag, attributes = {}, ...children) =>
  build(document.createElementNS(SVG, tag), attributes, children)

export const byId = (id) => document.getElementById(id)

export const chip = (text, kind = "") => h("span", { class: `chip ${kind}` }, text)

// A table with a caption; the first cell of a row names it. Cells are texts, elements, or [element, class].
export function table(caption, heads, rows) {
  const cell = (value, tag, attributes) => {
    const [content, className] = Array.isArray(value) ? value : [value, null]
    return h(tag, { ...attributes, class: className }, content)
  }
  const name = typeof caption === "string" ? caption : caption.textContent
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map((head) => cell(head, "th", { scope: "col" })))),
      h("tbody", {}, rows.map(([first, ...others]) =>
        h("tr", {}, cell(first, "th", { scope: "row" }), others.map((other) => cell(other, "td", {})))))))
}

export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, value))))

export const empty = (title, advice) =>
  h("div", { class: "empty" }, h("p", { class: "empty-title" }, title), h("p", { class: "soft" }, advice))
