// Elements without HTML in strings: whatever a text holds, it is shown as text.

export const $ = (id) => document.getElementById(id);

/** An element with properties and children; strings become text. `class`, `data-*`, `aria-*` are attributes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

/** One table. columns: {title, of(row), number}; of() gives text or an element. */
export function table(columns, rows, rowClass = () => undefined) {
  const head = columns.map((column) => h("th", { scope: "col", class: column.number ? "number" : undefined }, column.title));
  const body = rows.map((row) =>
    h("tr", { class: rowClass(row) },
      columns.map((column, index) =>
        h(index ? "td" : "th", { class: column.number ? "number" : undefined, scope: index ? undefined : "row" }, column.of(row)))));
  return h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body));
}

/** One figure with its name above and a note below. */
export function tile(name, value, note = "", tone = "") {
  return h("div", { class: `tile ${tone}` }, h("dt", {}, name), h("dd", {}, h("span", { class: "figure" }, value), h("span", { class: "note" }, note)));
}

export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

/** What has a size only once there are figures is shown with them, so that nothing moves. */
export function reveal(view) {
  for (const element of $(view).querySelectorAll("[data-later]")) element.hidden = false;
}
