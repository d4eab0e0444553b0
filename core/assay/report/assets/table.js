// A table that sorts, searches and goes out as CSV. Long ones show their first rows; all of them are searched.

const ROWS = 50;

/*
 * columns: {label, value(row) -> what sorts and is exported, show(row) -> what is drawn, number, head, plain: unsortable,
 *   csv: true (not drawn) or false (not exported)}
 * options: {caption, name, search, filters: [{label, value(row)}], state: {q}, changed(state), sort: [column, descending]}
 */
const arranged = new Map(); // how the reader left each table, by page and caption

function table(all, rows, options = {}) {
  const columns = all.filter((c) => c.csv !== true);
  const place = `${address.split("?")[0]} ${options.caption}`;
  let { shown = ROWS, sort: [sorted, descending] = options.sort ?? [null, false] } = arranged.get(place) ?? {};
  let ordered = rows;
  let found = rows;
  let texts = null;
  const state = { q: "", ...options.state };
  const body = h("tbody");
  const more = h("button", { type: "button", class: "more", onclick: () => { shown += 4 * ROWS; leave(); draw(); } });
  const total = h("span", { class: "soft small", role: "status" });
  const heads = columns.map((column, i) => h("th", { scope: "col", class: column.number && "number" },
    column.plain ? column.label : h("button", { type: "button", onclick: () => sort(i) }, column.label)));

  function sort(i) {
    descending = sorted === i ? !descending : Boolean(columns[i].downFirst);
    sorted = i;
    leave();
    order();
    find();
  }

  function leave() {
    arranged.set(place, { shown, sort: [sorted, descending] });
  }

  function order() {
    const { value } = columns[sorted];
    ordered = [...rows].sort((a, b) => compare(value(a), value(b), descending));
  }

  // What a search looks through: made when the browser is idle, so that the first key does not wait for it.
  function index() {
    texts ??= new Map(rows.map((row) => [row, columns.map((c) => c.value(row) ?? "").join("\n").toLowerCase()]));
  }

  function find() {
    const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) index();
    const filters = (options.filters ?? []).filter((f) => state[f.label]);
    found = ordered.filter((row) => words.every((word) => texts.get(row).includes(word))
      && filters.every((f) => f.value(row) === state[f.label]));
    draw();
  }

  function draw() {
    heads.forEach((head, i) => i === sorted
      ? head.setAttribute("aria-sort", descending ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
    body.replaceChildren(...found.slice(0, shown).map((row) => h("tr", {}, columns.map((column, i) => {
      const content = column.show ? column.show(row) : column.value(row) ?? MISSING;
      const name = [column.number && "number", column.class].filter(Boolean).join(" ") || null;
      return i === (options.head ?? 0) ? h("th", { scope: "row", class: name }, content) : h("td", { class: name }, content);
    }))));
    if (!found.length) body.append(h("tr", {}, h("td", { colspan: columns.length, class: "soft" }, "Nothing matches.")));
    const left = found.length - shown;
    more.hidden = left <= 0;
    more.textContent = left <= 4 * ROWS ? `Show the other ${count(left, "row")}` : `Show ${4 * ROWS} more of ${count(left, "row")}`;
    total.textContent = found.length === rows.length ? count(rows.length, "row") : `${found.length.toLocaleString("en-GB")} of ${count(rows.length, "row")}`;
  }

  const set = (key, value) => {
    state[key] = value;
    shown = ROWS;
    leave();
    find();
    options.changed?.(state);
  };
  const search = options.search && h("label", {}, options.search,
    h("input", { type: "search", value: state.q, oninput: (event) => set("q", event.target.value) }));
  const choices = (options.filters ?? []).map((f) => {
    const values = [...new Set(rows.map(f.value))].filter((v) => v !== "").sort();
    return values.length > 1 && choice(f.label, [["", "All"], ...values], state[f.label] ?? "", (v) => set(f.label, v));
  });
  const save = options.name && h("button", { type: "button", class: "quiet", title: "Download the rows shown here as CSV",
    onclick: () => download(`${options.name}.csv`, csv(all, found), "text/csv") }, "CSV");
  const bar = (search || save) && h("div", { class: "controls" }, search, choices, h("span", { class: "end" }, total, save));
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.caption },
    h("table", {}, h("caption", { class: "unseen" }, options.caption), h("thead", {}, h("tr", {}, heads)), body));
  if (sorted !== null) order();
  find();
  if (search) (window.requestIdleCallback ?? setTimeout)(index);
  return h("div", {}, bar, scroll, more);
}

// Numbers by size, texts by the alphabet, what is missing last in either direction.
function compare(a, b, descending) {
  const none = (v) => v === null || v === undefined || v === "";
  if (none(a) || none(b)) return none(a) - none(b);
  const order = typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : Number(a !== b);
  return descending ? -order : order;
}
