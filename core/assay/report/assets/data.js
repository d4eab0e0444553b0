// The page's data, indexed. Everything drawn comes from here; a live page puts newer data in its place.

const DIGEST = 12;
let report;

// What a paper lacks is left out of the data: 366 of them would carry 40 kB of nothing.
const BLANK = { family: "", version: "", distribution: "", tasks: [], claims: [], year: null, arxiv: null, notes: "",
  entrants: [], tested: null, stale: [], problem: "", origin: "", here: [] };

function take(data) {
  report = data;
  data.papers = data.papers.map((paper) => ({ ...BLANK, ...paper }));
  report.paperById = new Map(data.papers.map((paper) => [paper.id, paper]));
  report.tasks = [...Map.groupBy(data.arenas, (arena) => arena.task)].map(([id, arenas]) => ({ id, arenas }));
  report.runs = null;
}

function outcomesOf(paper) {
  return paper.claims.map((claim) => claim.verdict);
}

// Outcomes and staleness are asked for alike: `stale` belongs to a paper, the others to its claims.
function has(paper, state) {
  return state === "stale" ? paper.stale.length > 0 : outcomesOf(paper).includes(state);
}

// Where a paper's verdicts stand, in two words.
function stateOf(paper) {
  if (paper.stale.length) return "stale";
  return { store: "not recorded", recorded: "recorded", file: "from a file" }[paper.origin] ?? "never tested";
}

function families() {
  return [...Map.groupBy(report.papers, (paper) => paper.family || "other")].sort(([a], [b]) => (a < b ? -1 : 1));
}

// All runs as one list of objects, made when first asked for: 10,000 of them take a few milliseconds.
function runs() {
  if (report.runs) return report.runs;
  report.runs = report.arenas.flatMap((arena) => {
    const columns = arena.runs;
    return columns.entrant.map((entrant, i) => ({
      arena,
      columns,
      i,
      task: arena.task,
      dataset: arena.dataset,
      scale: arena.scale,
      entrant: arena.entrants[entrant].name,
      seed: columns.seed[i],
      reason: report.reasons[columns.reason[i]][0],
      seconds: columns.seconds[i],
      finished: columns.start + columns.finished[i],
      digest: columns.digest.slice(i * DIGEST, (i + 1) * DIGEST),
    }));
  });
  return report.runs;
}

function valueAt(run, column) {
  if (!column) return null;
  return (column.all ? column.all[run.i] : column.each[run.columns.entrant[run.i]]) ?? null;
}

function valuesOf(run, kind) {
  return Object.entries(run.columns[kind]).map(([name, column]) => [name, valueAt(run, column)]);
}

function failures() {
  return runs().filter((run) => run.reason);
}

// The values of one metric at each seed of an entrant, where the page keeps them.
function seedValues(arena, entrant, metric) {
  const columns = arena.runs;
  const column = columns.metrics[metric] ?? columns.costs[metric];
  if (!column) return [];
  const found = [];
  columns.entrant.forEach((e, i) => {
    const value = e === entrant ? valueAt({ columns, i }, column) : null;
    if (value !== null && !columns.reason[i]) found.push({ seed: columns.seed[i], value });
  });
  return found;
}

function entrantsOf(paper) {
  if (paper.entrants.length) return paper.entrants;
  return paper.tasks.map((task) => ({ id: paper.id, task, ablates: null }));
}

function paperOf(task, model) {
  return report.papers.find((paper) => entrantsOf(paper).some((e) => e.id === model && e.task === task));
}
