// An arena: who is best beyond chance, at what cost, and how they got there.

function arenasPage() {
  return { title: "Arenas", parts: [h("h1", { tabindex: "-1" }, "Arenas"), arenaList()] };
}

function arenaPage(task, query) {
  const found = report.tasks.find((t) => t.id === task);
  if (!found) return missingPage(`No record of the task ${task} is in this report.`);
  const scales = [...new Set(found.arenas.map((a) => a.scale))];
  const scale = scales.includes(query.get("scale")) ? query.get("scale") : scales.at(-1);
  const here = found.arenas.filter((a) => a.scale === scale);
  const arena = here.find((a) => shortName(a.dataset) === query.get("dataset")) ?? here[0];
  const board = arena.boards.find((b) => b.metric === query.get("metric")) ?? arena.boards[0];
  const go = (changes) => {
    const next = { dataset: shortName(arena.dataset), scale, metric: board?.metric ?? "", ...changes };
    location.hash = `#/arena/${task}?${new URLSearchParams(next)}`;
  };
  const head = [
    h("p", { class: "crumbs" }, link("/arenas", "Arenas")),
    h("h1", { tabindex: "-1" }, task),
    h("p", { class: "lead" }, `${count(arena.entrants.length, "entrant")}, ${count(arena.runs.entrant.length, "run")} on ${shortName(arena.dataset)} at scale ${scale}.`),
    h("div", { class: "controls" },
      choice("Data set", here.map((a) => shortName(a.dataset)), shortName(arena.dataset), (dataset) => go({ dataset })),
      choice("Scale", scales, scale, (s) => go({ scale: s })),
      board && choice("Metric", arena.boards.map((b) => b.metric), board.metric, (metric) => go({ metric }))),
  ];
  const parts = board ? [
    leaderboardPart(arena, board), costPart(arena, board, query), curvePart(arena, board), datasetPart(here, board.metric),
  ] : [h("p", { class: "note" }, "No run of this arena succeeded: the runs tell why.")];
  const again = section("Run it again", null,
    command(`assay run ${task} --datasets ${shortName(arena.dataset)} --seeds ${Math.max(...arena.runs.seed) + 1} --scale ${scale}`,
      `assay compare ${task} --scale ${scale}${board ? ` --metric '${board.metric}'` : ""}`),
    h("p", {}, link(`/runs?${new URLSearchParams({ Task: task, Scale: scale })}`, "All runs of this arena")));
  return { title: task, parts: [...head, ...parts, again] };
}

// The rows of a leaderboard as objects.
function ranked(arena, board) {
  return board.rows.map(([entrant, rank, mean, low, high, n, apart]) => ({
    ...arena.entrants[entrant], entrant, rank, mean, low, high, n, apart, seeds: seedValues(arena, entrant, board.metric),
  }));
}

// An interval is one column to look at and two to compute with.
function intervalColumns(of) {
  return [
    { label: "95 % interval", value: (r) => of(r).low, show: (r) => interval(of(r).low, of(r).high), number: true, plain: true, csv: false },
    { label: "95 % low", value: (r) => of(r).low, csv: true },
    { label: "95 % high", value: (r) => of(r).high, csv: true },
  ];
}

function better(board) {
  return board.direction === "up" ? "higher is better" : "lower is better";
}

function entrantLink(arena, row) {
  const paper = paperOf(arena.task, row.model);
  return paper ? link(`/paper/${encodeURIComponent(paper.id)}`, row.name, { title: paper.title }) : row.name;
}

function leaderboardPart(arena, board) {
  const rows = ranked(arena, board);
  const drawn = rows.filter((r) => r.mean !== null);
  const columns = [
    { label: "Rank", value: (r) => r.rank, show: (r) => r.rank ?? MISSING, number: true },
    { label: "Entrant", value: (r) => r.name, class: "name", show: (r) => h("span", { class: r.apart ? "first" : null }, entrantLink(arena, r)) },
    { label: board.metric, value: (r) => r.mean, show: (r) => h("span", { title: String(r.mean) }, number(r.mean)), number: true, downFirst: board.direction === "up" },
    ...intervalColumns((r) => r),
    { label: "Seeds", value: (r) => r.n, number: true },
    ...Object.keys(report.costs).filter((c) => rows.some((r) => c in r.costs))
      .map((c) => ({ label: costLabel(c), value: (r) => r.costs[c] ?? null, show: (r) => cost(c, r.costs[c]), number: true })),
    { label: "Failed", value: (r) => r.failed, show: (r) => (r.failed ? link(`/runs?${new URLSearchParams({ q: r.name, Outcome: "failed" })}`, String(r.failed)) : "0"), number: true },
  ];
  const name = `${arena.task}-${shortName(arena.dataset)}-${board.metric}`.replace(/[^\w-]+/g, "-");
  return section("Leaderboard", `${board.metric} in ${board.unit}, ${better(board)}. Entrants that differ by no more than chance share a rank (paired t test by seed, Holm over all pairs); bold is better than every other.`,
    figure({
      title: `${board.metric}, mean and 95 % interval`, name: `${name}-leaderboard`, listed: false,
      says: `Leaderboard by ${board.metric}, best first: ${drawn.slice(0, 5).map((r) => `${r.name} ${number(r.mean)}`).join(", ")}. The table below has every value.`,
      draw: (width) => boardChart(drawn, board.metric, board.unit, width), columns, rows,
    }),
    ...arena.notes.map((note) => h("p", { class: "note" }, note)),
    table(columns, rows, { caption: `Leaderboard of ${arena.task} by ${board.metric}`, name: `${name}-leaderboard`, head: 1, search: rows.length > 12 && "Search entrants" }));
}

function costPart(arena, board, query) {
  const names = Object.keys(report.costs).filter((c) => arena.entrants.filter((e) => c in e.costs).length > 1);
  if (!names.length) return null;
  let chosen = names.includes(query.get("cost")) ? query.get("cost") : names[0];
  const place = h("div");
  const show = () => {
    const points = ranked(arena, board).filter((r) => r.mean !== null && chosen in r.costs).map((r) => ({ ...r, cost: r.costs[chosen] }));
    const front = paretoFront(points, board.direction === "up");
    const unit = report.costs[chosen];
    const x = `${costName(chosen)}${unit && unit !== "count" ? ` (${unit})` : ""}`;
    place.replaceChildren(figure({
      title: `${board.metric} against ${costName(chosen)}`, name: `${arena.task}-${chosen}`.replace(/[^\w-]+/g, "-"),
      says: `${board.metric} against ${chosen}. On the Pareto front, from cheapest: ${front.map((p) => `${p.name} (${number(p.mean)} at ${cost(chosen, p.cost)})`).join(", ")}.`,
      draw: (width) => costChart(points, front, { x, y: board.metric, up: board.direction === "up", show: (v) => cost(chosen, v) }, width),
      columns: [
        { label: "Entrant", value: (p) => p.name },
        { label: costLabel(chosen), value: (p) => p.cost, show: (p) => cost(chosen, p.cost), number: true },
        { label: board.metric, value: (p) => p.mean, show: (p) => number(p.mean), number: true },
        { label: "Pareto front", value: (p) => (front.includes(p) ? "yes" : "no") },
      ],
      rows: points,
    }));
    remember({ cost: chosen === names[0] ? null : chosen });
  };
  show();
  return section("Quality and cost", "Filled diamonds are on the Pareto front: no entrant is at least as good for less. Mean over seeds, with the 95 % interval of the metric.",
    h("div", { class: "controls" }, choice("Cost", names.map((n) => [n, costLabel(n)]), chosen, (value) => { chosen = value; show(); })), place);
}

function curvePart(arena, board) {
  const order = ranked(arena, board).map((r) => r.entrant).filter((e) => arena.curves[e]);
  const series = [...new Set(Object.values(arena.curves).flatMap(Object.keys))];
  if (!series.length) return null;
  let name = series[0];
  const hidden = new Set(order.slice(FIRST));
  const place = h("div");
  const keys = h("div", { class: "keys", role: "group", "aria-label": "Entrants shown" });
  const lineOf = (entrant) => {
    const curve = arena.curves[entrant][name];
    return { name: arena.entrants[entrant].name, style: order.indexOf(entrant), points: curve.step.map((step, i) => {
      const half = curve.half[i] ?? null;
      return { step, mean: curve.mean[i], low: half === null ? null : curve.mean[i] - half, high: half === null ? null : curve.mean[i] + half };
    }) };
  };
  const show = () => {
    const lines = order.filter((e) => !hidden.has(e) && arena.curves[e][name]).map(lineOf);
    keys.replaceChildren(...order.filter((e) => arena.curves[e][name]).map((e) => {
      const style = order.indexOf(e);
      const stroke = h("svg", { viewBox: "0 0 26 8", class: `k${style % COLOURS}`, "aria-hidden": "true" },
        h("line", { x1: 0, x2: 26, y1: 4, y2: 4, stroke: "currentColor", "stroke-width": 2, "stroke-dasharray": DASHES[style % DASHES.length] }));
      return h("button", { type: "button", "aria-pressed": String(!hidden.has(e)), "data-entrant": e,
        onclick: () => { hidden.has(e) ? hidden.delete(e) : hidden.add(e); show(); keys.querySelector(`[data-entrant="${e}"]`).focus(); } }, stroke, arena.entrants[e].name);
    }));
    place.replaceChildren(figure({
      title: `${name} while training`, name: `${arena.task}-${name}`.replace(/[^\w-]+/g, "-"),
      says: `Learning curves of ${name}: ${lines.map((l) => `${l.name} ends at ${number(l.points.at(-1)?.mean)}`).join(", ")}.`,
      draw: (width) => (lines.length ? curveChart(lines, name, width) : plot({ width, height: 60, marks: [] })),
      columns: [
        { label: "Entrant", value: (p) => p.name },
        { label: "Step", value: (p) => p.step, number: true },
        { label: name, value: (p) => p.mean, show: (p) => number(p.mean), number: true },
        ...intervalColumns((p) => p),
      ],
      rows: lines.flatMap((l) => l.points.map((p) => ({ name: l.name, ...p }))),
      aside: keys,
    }));
  };
  show();
  return section("Learning curves", "Mean over seeds with the 95 % interval at each step. Press an entrant to hide or show it.",
    series.length > 1 && h("div", { class: "controls" }, choice("Logged value", series, name, (value) => { name = value; show(); })), place);
}

function datasetPart(arenas, metric) {
  if (arenas.length < 2) return null;
  const columns = arenas.map((a) => ({ arena: a, board: a.boards.find((b) => b.metric === metric) })).filter((c) => c.board);
  const names = [...new Set(columns.flatMap((c) => c.arena.entrants.map((e) => e.name)))];
  const rows = names.map((name) => ({ name, cells: columns.map(({ arena, board }) => ranked(arena, board).find((r) => r.name === name)) }));
  const direction = columns[0]?.board.direction;
  return section("Data sets", `${metric} on each data set, mean ± half of the 95 % interval, with the rank.`, table([
    { label: "Entrant", value: (r) => r.name, class: "name" },
    ...columns.map(({ arena }, i) => ({
      label: shortName(arena.dataset), number: true, downFirst: direction === "up",
      value: (r) => r.cells[i]?.mean ?? null,
      show: (r) => {
        const cell = r.cells[i];
        if (!cell || cell.mean === null) return MISSING;
        const half = cell.low === null ? "" : ` ± ${number((cell.high - cell.low) / 2, 2)}`;
        return [number(cell.mean), h("span", { class: "soft" }, `${half}  #${cell.rank}`)].map((x) => (typeof x === "string" ? h("span", { class: cell.apart ? "first" : null }, x) : x));
      },
    })),
  ], rows, { caption: `${metric} by data set`, name: "data-sets", sort: [1, direction === "up"] }));
}
