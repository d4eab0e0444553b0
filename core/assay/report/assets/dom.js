// Elements from text and values alone. Nothing here parses HTML, so that no string from a store can become markup.

const SVG_NAMES = new Set(["svg", "use", "line", "path", "circle"]);

function h(tag, attributes, ...children) {
  const element = SVG_NAMES.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const OUTCOMES = ["holds", "fails", "inconclusive", "untested"];
const OUTCOME_WORDS = { holds: "Holds", fails: "Fails", inconclusive: "Inconclusive", untested: "Untested", stale: "Stale" };

function glyph(outcome) {
  return h("svg", { class: `glyph ${outcome}`, "aria-hidden": "true" }, h("use", { href: `#glyph-${outcome}` }));
}

function verdict(outcome) {
  return h("span", { class: `verdict ${outcome}` }, glyph(outcome), OUTCOME_WORDS[outcome]);
}

function link(address, text, attributes) {
  return h("a", { href: `#${address}`, ...attributes }, text);
}

function section(title, note, ...children) {
  const id = `part-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return h("section", { "aria-labelledby": id }, h("h2", { id }, title), note && h("p", {}, note), ...children);
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", { class: "facts" }, shown.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function choice(label, options, value, changed) {
  const shown = options.map((o) => (typeof o === "string" ? [o, o] : o));
  const select = h("select", { onchange: () => changed(select.value) },
    shown.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
  return h("label", {}, label, select);
}

function command(...lines) {
  const text = lines.join("\n");
  const copy = h("button", { type: "button", class: "quiet", onclick: () => copied(text) }, "Copy");
  return h("div", { class: "command" }, h("pre", {}, h("code", {}, text)), copy);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied");
  } catch {
    say("This browser does not let a page copy: select the text instead");
  }
}

function say(text) {
  document.getElementById("said").textContent = text;
}

function download(name, content, type) {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  say(`${name} is downloaded`);
}

// A box of exact values beside what the pointer or the keyboard is on.
function hinted(element, content) {
  const box = document.getElementById("hint");
  const show = () => {
    box.replaceChildren(...content());
    box.hidden = false;
    element.setAttribute("aria-describedby", "hint");
    const at = element.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, innerWidth - box.offsetWidth - 8));
    const below = at.bottom + 8 + box.offsetHeight < innerHeight;
    box.style.left = `${left}px`;
    box.style.top = `${below ? at.bottom + 8 : at.top - box.offsetHeight - 8}px`;
  };
  const hide = () => {
    box.hidden = true;
    element.removeAttribute("aria-describedby");
  };
  for (const [event, act] of [["pointerenter", show], ["focus", show], ["pointerleave", hide], ["blur", hide], ["click", hide]]) {
    element.addEventListener(event, act);
  }
  element.addEventListener("keydown", (event) => event.key === "Escape" && hide());
  return element;
}
