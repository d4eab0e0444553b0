// The runs: each record, what failed and why, and where it ran.

function runsPage(query) {
  const all = runs();
  const state = { q: query.get("q") ?? "" };
  const filters = [
    { label: "Outcome", value: (r) => (r.reason ? "failed" : "done") },
    { label: "Task", value: (r) => r.task },
    { label: "Scale", value: (r) => r.scale },
  ];
  for (const f of filters) state[f.label] = query.get(f.label) ?? "";
  return {
    title: "Runs",
    parts: [
      h("h1", { tabindex: "-1" }, "Runs"),
      h("p", { class: "lead" }, `${count(all.length, "run")}, ${failures().length.toLocaleString("en-GB")} failed.`
        + (report.superseded ? ` ${count(report.superseded, "older record")} of changed sources or protocols left out.` : "")),
      failurePart(),
      all.length > 0 && section("All runs", null, table([
        { label: "Run", value: (r) => r.digest, show: (r) => link(`/run/${r.digest}`, r.digest.slice(0, 8), { class: "mono" }) },
        { label: "Task", value: (r) => r.task },
        { label: "Data set", value: (r) => shortName(r.dataset) },
        { label: "Entrant", value: (r) => r.entrant, class: "cut" },
        { label: "Seed", value: (r) => r.seed, number: true },
        { label: "Scale", value: (r) => r.scale },
        { label: "Outcome", value: (r) => r.reason || "done", class: "cut", show: (r) => (r.reason
          ? h("span", { class: "fails", title: r.reason }, glyph("fails"), ` ${r.reason}`) : "done") },
        { label: "Score", value: (r) => mainValue(r), show: (r) => number(mainValue(r)), number: true },
        { label: "Seconds", value: (r) => r.seconds, show: (r) => number(r.seconds, 2), number: true },
        { label: "Finished (UTC)", value: (r) => r.finished, show: (r) => moment(r.finished), number: true },
      ], all, { caption: "All runs", name: "runs", search: "Search runs", sort: [9, true], state, filters, changed: (s) => remember(s) })),
      environmentPart(),
    ],
  };
}

function mainValue(run) {
  const metric = run.arena.boards[0]?.metric;
  return metric && !run.reason ? valueAt(run, run.columns.metrics[metric]) : null;
}

function failurePart() {
  const failed = failures();
  if (!failed.length) return null;
  const groups = [...Map.groupBy(failed, (r) => r.reason)].sort((a, b) => b[1].length - a[1].length);
  return section("Failures", "A failed run never vanishes: it counts against its entrant.", table([
    { label: "Reason", value: ([reason]) => reason },
    { label: "Runs", value: ([, group]) => group.length, number: true },
    { label: "Entrants", value: ([, group]) => [...new Set(group.map((r) => r.entrant))].join(", "), class: "cut" },
    { label: "First", value: ([, group]) => group[0].digest, plain: true, show: ([, group]) => link(`/run/${group[0].digest}`, "details") },
  ], groups, { caption: "Failures by reason" }));
}

function environmentPart() {
  if (!report.environments.length) return null;
  const isPlugin = (name) => name.startsWith("assay-");
  const names = [...new Set(report.environments.flatMap(Object.keys))].filter((name) => !isPlugin(name));
  const plugins = (environment) => Object.entries(environment).filter(([name]) => isPlugin(name)).map((pair) => pair.join(" ")).join(", ");
  const uses = new Map();
  for (const run of runs()) {
    const place = run.columns.environment[run.i];
    uses.set(place, (uses.get(place) ?? 0) + 1);
  }
  const rows = report.environments.map((environment, i) => ({ environment, runs: uses.get(i) ?? 0 }));
  return section("Environments", "Versions and machine of the runs.", table([
    { label: "Runs", value: (r) => r.runs, number: true },
    ...names.map((name) => ({ label: name, value: (r) => r.environment[name] ?? null, class: "nowrap" })),
    { label: "Plugins", value: (r) => plugins(r.environment) },
  ], rows, { caption: "Environments" }));
}

function runPage(digest) {
  const run = runs().find((r) => r.digest === digest || r.digest.startsWith(digest));
  if (!run) return missingPage(`No run ${digest} is in this report.`);
  const [reason, detail] = report.reasons[run.columns.reason[run.i]];
  const environment = report.environments[run.columns.environment[run.i]];
  const seeds = `--seeds ${run.seed}:${run.seed + 1}`;
  return {
    title: `${run.entrant}, seed ${run.seed}`,
    parts: [
      h("p", { class: "crumbs" }, link("/runs", "Runs")),
      h("h1", { tabindex: "-1" }, `${run.entrant}, seed ${run.seed}`),
      h("p", { class: "lead" }, link(arenaAddress(run.arena), `${run.task} · ${shortName(run.dataset)}`), ` at scale ${run.scale}`),
      reason && section("Failure", null, h("p", { class: "note fails" }, reason), detail && h("pre", { class: "detail" }, detail)),
      h("div", { class: "pair" },
        !reason && section("Metrics", null, facts(valuesOf(run, "metrics").filter(([, v]) => v !== null).map(([name, v]) => [name, number(v, 5)]))),
        section("Costs", null, facts([...valuesOf(run, "costs").filter(([, v]) => v !== null).map(([name, v]) => [costLabel(name), cost(name, v)]), ["Whole run", duration(run.seconds)]])),
        section("Environment", null, facts(Object.entries(environment)))),
      section("Record", null, facts([["Finished", `${moment(run.finished)} UTC`], ["Digest", h("span", { class: "mono" }, `${run.digest}…`)]]),
        command(`assay run ${run.task} --entrants '${run.arena.entrants[run.columns.entrant[run.i]].model}' --datasets ${shortName(run.dataset)} ${seeds} --scale ${run.scale}`)),
    ],
  };
}
