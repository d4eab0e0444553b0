// A paper: each claim beside what was found, then its entrants, what they cost, and how to do it again.

function paperPage(id) {
  const paper = report.paperById.get(id);
  if (!paper) return missingPage(`No paper ${id} is in this report.`);
  const tested = paper.tested;
  const source = [paper.year, paper.arxiv && arxivLink(paper.arxiv), paper.family && `family ${paper.family}`, paper.distribution && `${paper.distribution} ${paper.version}`]
    .filter(Boolean).flatMap((part, i) => (i ? [" · ", part] : [part]));
  return {
    title: paper.title,
    parts: [
      h("p", { class: "crumbs" }, link("/", "Overview")),
      h("h1", { tabindex: "-1" }, paper.title),
      h("p", { class: "lead" }, source),
      h("p", { class: "summary" }, summary(paper)),
      paper.problem && h("p", { class: "note fails" }, paper.problem),
      paper.stale.length > 0 && staleNote(paper),
      section("Claims", testedWords(paper), ...paper.claims.map(claimArticle)),
      herePart(paper),
      paper.notes && section("Notes", null, h("p", {}, paper.notes)),
      entrantsPart(paper),
      ablationPart(paper),
      reproducePart(paper),
    ],
  };
}

function arxivLink(id) {
  return h("a", { href: `https://arxiv.org/abs/${encodeURI(id)}`, rel: "noopener noreferrer" }, `arXiv:${id}`);
}

function testedWords(paper) {
  const tested = paper.tested;
  if (!tested) return "None has been put to the test yet.";
  const cells = tested.seconds ? ` ${duration(tested.seconds)} of runs in all.` : "";
  const from = { store: "Verified in this store, not recorded beside the plugin. ", file: "From a file that was named for this report. " }[paper.origin] ?? "";
  return `${from}Tested at scale ${tested.scale} on ${tested.backend}, α = ${tested.alpha}, Holm-corrected over the paper's claims.${cells}`;
}

// What does not vary has no interval to speak of.
function wide(interval) {
  return Boolean(interval) && interval[0] !== interval[1];
}

// What `assay verify` found in the store of this report, where that is not what is shown above.
function herePart(paper) {
  const other = paper.here.filter((v) => paper.origin !== "store" || v.scale !== paper.tested.scale || v.backend !== paper.tested.backend);
  const above = new Map(paper.claims.map((c) => [c.id, c.verdict]));
  const rows = other.flatMap((verification) => verification.claims.map((claim) => ({ verification, claim, shown: above.get(claim.id) ?? null })));
  if (!rows.length) return null;
  return section("Verified here too", ["What ", h("code", {}, "assay verify"), " found in the store of this report, beside the verdicts above."], table([
    { label: "Claim", value: (r) => r.claim.id, class: "mono" },
    { label: "Above", value: (r) => r.shown, show: (r) => (r.shown ? verdict(r.shown) : MISSING) },
    { label: "Here", value: (r) => r.claim.verdict, show: (r) => verdict(r.claim.verdict) },
    { label: "Effect", value: (r) => r.claim.effect ?? null, show: (r) => number(r.claim.effect), number: true },
    ...intervalColumns((r) => ({ low: wide(r.claim.interval) ? r.claim.interval[0] : null, high: wide(r.claim.interval) ? r.claim.interval[1] : null })),
    { label: "Seeds", value: (r) => r.claim.seeds, number: true },
    { label: "Scale", value: (r) => r.verification.scale },
    { label: "Backend", value: (r) => r.verification.backend },
    { label: "Finished (UTC)", value: (r) => r.verification.finished, show: (r) => `${moment(r.verification.finished)}${r.verification.stale ? ", stale" : ""}`, class: "nowrap" },
  ], rows, { caption: "Verified in this store", name: `${paper.id}-verified-here` }));
}

function staleNote(paper) {
  const most = 6;
  const rest = paper.stale.length - most;
  return h("div", { class: "note stale" }, h("strong", {}, "Stale. "), "These source statements changed since the verdicts were recorded: ",
    h("span", { class: "mono" }, paper.stale.slice(0, most).join(", ")), rest > 0 ? ` and ${rest} more.` : ".");
}

// Parts of a hypothesis, each on a line of its own.
function lines(parts, word) {
  return parts.map((part, i) => h("span", { class: "mono line" }, i ? `${word} ${part}` : part));
}

// How many claims came out how, beside the title.
function summary(paper) {
  const outcomes = outcomesOf(paper);
  return OUTCOMES.map((o) => [o, outcomes.filter((x) => x === o).length]).filter(([, n]) => n)
    .map(([o, n]) => h("span", { class: `verdict ${o}` }, glyph(o), `${n} ${o === "holds" && n > 1 ? "hold" : o === "fails" && n > 1 ? "fail" : o}`));
}

function claimArticle(claim) {
  const words = h("div", {},
    verdict(claim.verdict),
    h("h3", { class: "mono soft", id: `claim-${claim.id}` }, claim.id),
    claim.says && h("blockquote", {}, claim.says),
    facts([
      ["Published", claim.published],
      [(claim.claimed ?? []).length > 1 ? "Weakest part" : "Measured", claim.effect === undefined ? null : `${number(claim.effect, 4)}${wide(claim.interval) ? `, ${Math.round(100 * (claim.confidence ?? 0.95))} % interval ${interval(...claim.interval)}` : ""}`],
      ["Distance", claim.standardised === undefined ? null : `${number(claim.standardised, 2)} standard deviations from the bound`],
      ["Tested", claim.check && lines(partsOf(claim.check), "and")],
      ["Refuted by", claim.refuted_by && lines(claim.refuted_by.split(" or "), "or")],
      ["Method", claim.method && claim.method !== "none" ? `${claim.method}, ${count(claim.seeds ?? 0, "seed")}${(claim.looks ?? []).length > 1 ? `, looked at ${claim.looks.join(", ")}` : ""}` : null],
      ["Adjusted p", claim.p === undefined || claim.p === 0 ? null : `${number(claim.p)} (p had to reach ${number(claim.level)} unadjusted)`],
      ["Reason", claim.reason],
      ["Failed runs", (claim.failures ?? []).length ? claim.failures.slice(0, 5).join("; ") : null],
    ]));
  return h("article", { class: "claim", "aria-labelledby": `claim-${claim.id}` }, words, claimFigures(claim));
}

function claimFigures(claim) {
  if (!claim.per_seed?.length || !claim.claimed?.length) return null;
  const single = claim.claimed.length < 2;
  const parts = partsOf(claim.check);
  const at = (row, i) => (single ? row.value : row.value[i]);
  const rows = claim.per_seed.map(([seed, value]) => ({ seed, value }));
  const columns = [
    { label: "Seed", value: (r) => r.seed, number: true },
    ...claim.claimed.map((_, i) => ({ label: parts[i], number: true, value: (r) => at(r, i), show: (r) => number(at(r, i), 5) })),
  ];
  const drawn = claim.claimed.map((_, i) => i).filter((i) => rows.some((r) => typeof at(r, i) === "number"));
  if (!drawn.length) return h("details", {}, h("summary", {}, "Measured at each seed"), table(columns, rows, { caption: `Measured for ${claim.id}`, name: claim.id }));
  return h("div", {}, drawn.map((i) => figure({
    title: single ? `${claim.id}: effect and interval` : parts[i], level: single ? 0 : 1,
    name: `${claim.id}${single ? "" : `-${i + 1}`}`,
    says: `${claimWords(claim, i)}; found ${single ? `${number(claim.effect, 4)} ${claim.interval ? interval(...claim.interval) : ""}` : rows.map((r) => number(at(r, i))).join(", ")}: ${claim.verdict}.`,
    draw: (width) => claimChart(claim, i, width), columns, rows, listed: i === drawn.at(-1),
  })));
}

function boardsOf(paper) {
  const own = entrantsOf(paper);
  return report.arenas.flatMap((arena) => {
    const board = arena.boards[0];
    if (!board) return [];
    return ranked(arena, board).filter((r) => own.some((e) => e.task === arena.task && e.id === r.model)).map((row) => ({ arena, board, row }));
  });
}

function entrantsPart(paper) {
  const rows = boardsOf(paper);
  if (!rows.length) {
    return paper.tasks.length ? section("Entrants", "None of its entrants has run in an arena of this report.",
      command(`assay run ${paper.id}`)) : null;
  }
  return section("Entrants and costs", "Where the paper's own models stand. Costs are means over seeds.", tracksLine(), table([
    { label: "Entrant", value: (r) => r.row.name, class: "nowrap" },
    { label: "Arena", value: (r) => `${r.arena.task} ${shortName(r.arena.dataset)}`, show: (r) => link(arenaAddress(r.arena), `${shortName(r.arena.task)} · ${shortName(r.arena.dataset)}`) },
    { label: "Scale", value: (r) => r.arena.scale },
    { label: "Rank", value: (r) => r.row.rank, show: (r) => (r.row.rank ? `${r.row.rank} of ${r.board.rows.length}` : MISSING), number: true },
    { label: "Score", value: (r) => r.row.mean, show: (r) => `${number(r.row.mean)} ${r.board.metric}`, number: true },
    ...intervalColumns((r) => r.row),
    ...Object.keys(report.costs).filter((c) => rows.some((r) => c in r.row.costs)).map((c) => ({ label: costLabel(c), value: (r) => r.row.costs[c] ?? null, show: (r) => cost(c, r.row.costs[c]), number: true })),
  ], rows, { caption: "Entrants and costs", name: `${paper.id}-entrants` }));
}

function ablationPart(paper) {
  const boards = boardsOf(paper);
  const rows = entrantsOf(paper).filter((e) => e.ablates).flatMap((e) => boards
    .filter((b) => b.arena.task === e.task && b.row.name === e.id)
    .map((b) => ({ ...b, whole: boards.find((w) => w.arena === b.arena && w.row.name === e.ablates), ablates: e.ablates })))
    .filter((r) => r.whole);
  if (!rows.length) return null;
  return section("Ablations", "What is left without a mechanism: the same arena, the same seeds, one part of the model gone.", table([
    { label: "Entrant", value: (r) => r.row.name, class: "nowrap" },
    { label: "Whole", value: (r) => r.ablates, class: "nowrap" },
    { label: "Arena", value: (r) => `${shortName(r.arena.task)} · ${shortName(r.arena.dataset)}`, class: "nowrap" },
    { label: "Scale", value: (r) => r.arena.scale },
    { label: "Metric", value: (r) => `${r.board.metric} ${r.board.direction === "up" ? "↑" : "↓"}`, class: "nowrap" },
    { label: "With", value: (r) => r.whole.row.mean, show: (r) => number(r.whole.row.mean), number: true },
    { label: "Without", value: (r) => r.row.mean, show: (r) => number(r.row.mean), number: true },
    { label: "Change", value: (r) => r.row.mean - r.whole.row.mean, show: (r) => number(r.row.mean - r.whole.row.mean), number: true },
    { label: "Ranks", value: (r) => r.row.rank, show: (r) => `${r.whole.row.rank ?? MISSING} → ${r.row.rank ?? MISSING}`, number: true, plain: true },
  ], rows, { caption: "Ablations", name: `${paper.id}-ablations` }));
}

function reproducePart(paper) {
  const tested = paper.tested;
  const pip = paper.distribution ? `pip install ${paper.distribution}${paper.version ? `==${paper.version}` : ""}` : `pip install assay-${paper.id}`;
  const seeds = [...new Set(paper.claims.filter((c) => c.seeds).map((c) => c.seeds))];
  const options = tested ? ` --scale ${tested.scale}${tested.backend === "cpu" ? "" : ` --backend ${tested.backend}`}` : "";
  return section("Reproduce", seeds.length ? `Seeds 0 to ${Math.max(...seeds) - 1}; the same cells give the same numbers on a CPU.` : null,
    command(pip, `assay verify ${paper.id}${options}`),
    tested?.environment && h("details", {}, h("summary", {}, "The environment that the verdicts come from"),
      facts([["assay", tested.assay], ...Object.entries(tested.environment).filter(([k]) => k !== "assay"), ["digest", tested.digest]])));
}
