// Addresses (`#/paper/deep-sets`), the theme, and the first drawing.

const PAGES = [["/", "Overview"], ["/arenas", "Arenas"], ["/runs", "Runs"]];
const THEMES = ["auto", "light", "dark"];
const THEME_WORDS = { auto: "◐ Auto", light: "○ Light", dark: "● Dark" };
let address = "";

function missingPage(words) {
  return { title: "Not here", parts: [h("h1", { tabindex: "-1" }, "Not here"), h("p", { class: "lead" }, words), h("p", {}, link("/", "Overview"))] };
}

function pageAt(path, query) {
  const [kind, ...rest] = path.split("/").filter(Boolean).map(decoded);
  const name = rest.join("/");
  if (!kind) return overviewPage(query);
  if (kind === "arenas") return arenasPage();
  if (kind === "arena") return arenaPage(name, query);
  if (kind === "paper") return paperPage(name);
  if (kind === "runs") return runsPage(query);
  if (kind === "run") return runPage(name);
  return missingPage(`This report has no page ${path}.`);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Keeps the state of a view in its address without a new entry in the history.
function remember(changes) {
  const [path, search] = (location.hash.slice(1) || "/").split("?");
  const query = new URLSearchParams(search);
  for (const [key, value] of Object.entries(changes)) value ? query.set(key, value) : query.delete(key);
  const next = `#${path}${query.size ? `?${query}` : ""}`;
  if (next !== location.hash && !(next === "#/" && !location.hash)) history.replaceState(null, "", next);
  address = location.hash;
}

function draw({ moved = false } = {}) {
  address = location.hash;
  const [path, search] = (location.hash.slice(1) || "/").split("?");
  const page = pageAt(path, new URLSearchParams(search));
  document.getElementById("hint").hidden = true;
  document.title = page.title === report.title ? report.title : `${page.title} · ${report.title}`;
  const current = path === "/" ? "/" : path.startsWith("/arena") ? "/arenas" : path.startsWith("/run") ? "/runs" : "/";
  document.getElementById("nav").replaceChildren(h("ul", {}, PAGES.map(([to, text]) => h("li", {},
    link(to, text, { "aria-current": to === current && "page" })))));
  document.getElementById("main").replaceChildren(...page.parts.filter(Boolean));
  if (moved) {
    scrollTo(0, 0);
    document.querySelector("h1").focus({ preventScroll: true });
    say(page.title);
  }
}

function kept(value) {
  try {
    if (value === undefined) return localStorage.getItem("assay-theme") ?? "auto";
    localStorage.setItem("assay-theme", value);
  } catch {
    // A page opened from disk may keep nothing: the choice then lasts as long as the page.
  }
  return value ?? "auto";
}

function theme(chosen) {
  document.documentElement.dataset.theme = chosen;
  const button = document.getElementById("theme");
  button.textContent = THEME_WORDS[chosen];
  button.setAttribute("aria-label", `Theme: ${chosen}`);
  button.onclick = () => theme(kept(THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length]));
}

function footer() {
  document.getElementById("footer").replaceChildren(
    `Written by assay ${report.assay} on ${report.made.slice(0, 16).replace("T", " ")} UTC. This page is one file: it loads nothing and sends nothing.`);
}

function start() {
  take(JSON.parse(document.getElementById("data").textContent));
  theme(kept());
  footer();
  draw();
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    document.getElementById("main").focus();
  });
  addEventListener("hashchange", () => location.hash !== address && draw({ moved: true }));
}

start();
