// The overview: what was claimed, what holds, and what still has to be looked at.

function overviewPage(query) {
  const papers = report.papers;
  const claims = papers.flatMap((p) => p.claims);
  const all = runs().length;
  return {
    title: report.title,
    parts: [
      h("h1", { tabindex: "-1" }, report.title),
      h("p", { class: "lead" }, `${count(papers.length, "paper")} with ${count(claims.length, "claim")}; `
        + `${count(all, "run")} in ${count(report.tasks.length, "arena")}.`),
      tracksLine(),
      papers.length ? atlas(query) : h("p", { class: "note" }, "No paper is installed, and no verdicts were named. Install one, verify it, and write the report again:"),
      !papers.length && command("pip install assay-deep-sets", "assay verify deep-sets --record", "assay report"),
      attention(),
      arenaList(),
      papers.length > 0 && paperList(query),
    ],
  };
}

// Where the pages of `assay track publish` are, when there are any.
function tracksLine() {
  return report.track ? h("p", { class: "soft" }, h("a", { href: report.track }, "Speed, memory and quality over commits"), ", tracked with asv") : null;
}

function atlas(query) {
  const papers = report.papers;
  let only = query.get("only");
  let named = query.get("names") ? query.get("names") === "1" : papers.length <= 48;
  const tiles = new Map(papers.map((paper) => [paper, tile(paper)]));
  const grid = h("div", { class: "atlas" }, families().map(([family, members]) => familyCard(family, members, tiles)));
  const tally = [...OUTCOMES, "stale"].map((state) => {
    const n = state === "stale" ? papers.filter((p) => p.stale.length).length
      : papers.flatMap(outcomesOf).filter((o) => o === state).length;
    return h("button", { type: "button", class: state, "aria-pressed": "false", onclick: () => { only = only === state ? null : state; show(); } },
      h("b", {}, n.toLocaleString("en-GB")), glyph(state), h("span", {}, state === "stale" ? "stale papers" : state));
  });
  grid.style.setProperty("--signs", Math.max(1, ...papers.map((p) => p.claims.length)));
  const legend = ["each sign is a claim, each box a paper", papers.some((p) => p.stale.length) && "dashed is stale",
    papers.some((p) => stateOf(p) === "not recorded") && "dotted is not recorded"].filter(Boolean).join(", ");
  const names = h("button", { type: "button", class: "toggle", "aria-pressed": "false", onclick: () => { named = !named; show(); } }, "Names");
  function show() {
    tally.forEach((button, i) => button.setAttribute("aria-pressed", String([...OUTCOMES, "stale"][i] === only)));
    names.setAttribute("aria-pressed", String(named));
    grid.classList.toggle("named", named);
    for (const [paper, element] of tiles) element.classList.toggle("faded", Boolean(only) && !has(paper, only));
    remember({ only, names: named === papers.length <= 48 ? null : named ? "1" : "0" });
  }
  show();
  return h("section", { "aria-labelledby": "atlas" },
    h("div", { class: "tally", role: "group", "aria-label": "Mark the papers with a verdict" }, tally),
    h("div", { class: "controls" }, h("h2", { id: "atlas" }, "Atlas"),
      h("span", { class: "end" }, h("span", { class: "soft small" }, legend), names)),
    grid);
}

function familyCard(family, members, tiles) {
  const outcomes = members.flatMap(outcomesOf);
  const share = OUTCOMES.map((o) => [o, outcomes.filter((x) => x === o).length]).filter(([, n]) => n);
  const bar = h("div", { class: "share", "aria-hidden": "true" }, share.map(([o, n]) => {
    const piece = h("i", { class: o });
    piece.style.flexGrow = n;
    return piece;
  }));
  const holds = outcomes.filter((o) => o === "holds").length;
  return h("div", { class: "family" },
    h("header", {}, h("h3", {}, family), h("span", { class: "soft small" }, `${holds} of ${outcomes.length}`, h("span", { class: "word" }, " hold"))),
    bar, h("div", { class: "tiles" }, members.map((paper) => tiles.get(paper))));
}

function tile(paper) {
  const outcomes = outcomesOf(paper);
  const said = OUTCOMES.map((o) => [o, outcomes.filter((x) => x === o).length]).filter(([, n]) => n).map(([o, n]) => `${n} ${o}`);
  const mark = ["stale", "not recorded"].find((state) => state === stateOf(paper));
  const label = `${paper.title}: ${[...said, ...(mark ? [mark] : [])].join(", ") || "no claims"}`;
  const element = h("a", { class: `tile${mark ? ` ${mark === "stale" ? "aged" : "here"}` : ""}`, href: `#/paper/${encodeURIComponent(paper.id)}`, "aria-label": label, "data-mark": mark },
    h("span", { class: "signs" }, outcomes.map(glyph)), h("span", { class: "name" }, paper.title));
  return hinted(element, () => [
    h("strong", {}, paper.title),
    paper.year && h("div", { class: "soft" }, `${paper.year}`),
    ...paper.claims.map((c) => h("div", { class: "row" }, glyph(c.verdict), h("span", {}, `${c.id}: ${c.verdict}`))),
    mark && h("div", { class: "row soft" }, mark === "stale" ? [glyph("stale"), "its sources changed since"] : "verified in this store, not recorded"),
  ].filter(Boolean));
}

function attention() {
  const lines = [];
  const untested = [];
  for (const paper of report.papers) {
    const open = paper.claims.filter((c) => c.verdict === "untested").length;
    const line = (state, words, act) => h("li", {}, h("span", { class: `verdict ${state}` }, glyph(state), words),
      link(`/paper/${encodeURIComponent(paper.id)}`, paper.title), h("span", { class: "mono soft" }, act));
    if (paper.problem) lines.push(line("fails", "unreadable", paper.problem));
    else if (paper.stale.length) lines.push(line("stale", "stale", `assay verify ${paper.id}${paper.origin === "store" ? "" : " --record"}`));
    else if (open) untested.push(line("untested", `${open} untested`, `assay verify ${paper.id}`));
  }
  const failed = failures();
  if (failed.length) lines.unshift(h("li", {}, h("span", { class: "verdict fails" }, glyph("fails"), count(failed.length, "failed run")),
    link("/runs?Outcome=failed", "look at the reasons")));
  if (!lines.length && !untested.length) return null;
  const rest = lines.splice(8);
  return section("To look at", "What failed, is stale because its sources changed since it was tested, or was never tested.",
    lines.length > 0 && h("ul", { class: "attention" }, lines),
    rest.length > 0 && h("details", {}, h("summary", {}, `${rest.length} more`), h("ul", { class: "attention" }, rest)),
    untested.length > 0 && h("details", {}, h("summary", {}, `${count(untested.length, "paper")} with claims that are untested`), h("ul", { class: "attention" }, untested)));
}

function arenaList() {
  if (!report.arenas.length) {
    return section("Arenas", "The store holds no record yet.", command("assay run sets/point-clouds --seeds 5"));
  }
  const rows = report.arenas.map((arena) => {
    const board = arena.boards[0];
    const first = board?.rows[0];
    return { arena, board, first, shared: board?.rows.filter((r) => r[1] === 1).length ?? 0 };
  });
  return section("Arenas", "Entrants of one question under one protocol and budget, best first.", table([
    { label: "Task", value: (r) => r.arena.task, show: (r) => link(arenaAddress(r.arena), r.arena.task) },
    { label: "Data set", value: (r) => shortName(r.arena.dataset) },
    { label: "Scale", value: (r) => r.arena.scale },
    { label: "Entrants", value: (r) => r.arena.entrants.length, number: true },
    { label: "Runs", value: (r) => r.arena.runs.entrant.length, number: true },
    { label: "Failed", value: (r) => r.arena.entrants.reduce((n, e) => n + e.failed, 0), number: true },
    { label: "Best", value: (r) => (r.first ? r.arena.entrants[r.first[0]].name : null), class: "cut",
      show: (r) => (r.first ? `${r.arena.entrants[r.first[0]].name}${r.shared > 1 ? ` and ${r.shared - 1} not apart` : ""}` : MISSING) },
    { label: "Score", value: (r) => r.first?.[2] ?? null, number: true,
      show: (r) => (r.first ? `${number(r.first[2])} ${r.board.metric}` : MISSING) },
  ], rows, { caption: "Arenas", name: "arenas", search: rows.length > 8 && "Search arenas" }));
}

function arenaAddress(arena) {
  return `/arena/${arena.task}?${new URLSearchParams({ dataset: shortName(arena.dataset), scale: arena.scale })}`;
}

function paperList(query) {
  const tally = (paper, outcome) => outcomesOf(paper).filter((o) => o === outcome).length;
  return section("Papers", null, table([
    { label: "Paper", value: (p) => p.title, show: (p) => link(`/paper/${encodeURIComponent(p.id)}`, p.title) },
    { label: "Year", value: (p) => p.year, show: (p) => p.year ?? MISSING, number: true },
    { label: "Family", value: (p) => p.family },
    { label: "Verdicts", value: (p) => outcomesOf(p).join(" "), show: (p) => h("span", { class: "glyphs", role: "img", "aria-label": outcomesOf(p).join(", ") || "none" }, outcomesOf(p).map(glyph)) },
    ...OUTCOMES.map((o) => ({ label: OUTCOME_WORDS[o], value: (p) => tally(p, o), number: true, downFirst: true,
      show: (p) => (tally(p, o) || h("span", { class: "soft" }, "0")) })),
    { label: "Scale", value: (p) => p.tested?.scale ?? "", show: (p) => p.tested?.scale ?? MISSING },
    { label: "State", value: stateOf, class: "nowrap" },
  ], report.papers, {
    caption: "Papers", name: "papers", search: "Search papers", state: { q: query.get("q") ?? "" },
    filters: [{ label: "Family", value: (p) => p.family }, { label: "State", value: stateOf }],
    changed: (state) => remember({ q: state.q }),
  }));
}
