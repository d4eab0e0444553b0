// The charts, by Observable Plot. Colour never tells anything that a shape, a place or a word does not tell too.

const COLOURS = 8;
const FIRST = 5; // curves drawn until the reader asks for more: with their bands, more than these hide each other
const DASHES = ["none", "6 3", "2 2", "8 3 2 3"];
const FONT = { fontFamily: "inherit", fontSize: "12px" };

function plot(options) {
  return Plot.plot({ style: FONT, ...options });
}

function text(value, most) {
  return value.length > most ? `${value.slice(0, most - 1)}…` : value;
}

function marginFor(names, width) {
  const most = Math.max(8, Math.floor(Math.min(width * 0.34, 230) / 6.6));
  return [Math.min(width * 0.36, 16 + 6.8 * Math.min(most, Math.max(...names.map((n) => n.length)))), most];
}

// Entrants from best to worst: mean, 95 % interval, and a tick for each seed.
function boardChart(rows, metric, unit, width) {
  const names = rows.map((r) => r.name);
  const [marginLeft, most] = marginFor(names, width);
  const seeds = rows.flatMap((r) => r.seeds.map((s) => ({ name: r.name, ...s })));
  return plot({
    width,
    height: 70 + 26 * rows.length,
    marginBottom: 44,
    marginLeft,
    marginRight: 24,
    x: { label: `${metric} (${unit})`, grid: true, nice: true, ticks: Math.max(3, Math.round(width / 110)) },
    y: { domain: names, label: null, tickFormat: (n) => text(n, most), tickSize: 0 },
    marks: [
      Plot.tickX(seeds, { x: "value", y: "name", stroke: "var(--strong)", inset: 5 }),
      Plot.ruleY(rows.filter((r) => r.low !== null), { x1: "low", x2: "high", y: "name", stroke: "var(--accent)", strokeWidth: 2.5 }),
      Plot.dot(rows, { x: "mean", y: "name", r: 4.5, fill: "var(--accent)", stroke: "var(--raised)" }),
      Plot.tip(rows, Plot.pointerY({ x: "mean", y: "name", title: (r) => boardHint(r, metric) })),
    ],
  });
}

function boardHint(row, metric) {
  const ranked = row.rank ? `rank ${row.rank}` : "no rank";
  return `${row.name}\n${metric} ${number(row.mean, 4)} ${interval(row.low, row.high)}\n${ranked}, ${count(row.n, "seed")}`;
}

// Those that no other entrant beats in both: at least as good at no more cost.
function paretoFront(points, up) {
  const sign = up ? 1 : -1;
  const ordered = [...points].sort((a, b) => a.cost - b.cost || sign * (b.mean - a.mean));
  let best = -Infinity;
  return ordered.filter((p) => sign * p.mean > best && ((best = sign * p.mean), true));
}

function costChart(points, front, labels, width) {
  const on = new Set(front);
  const positive = points.every((p) => p.cost > 0);
  const [low, high] = [Math.min(...points.map((p) => p.cost)), Math.max(...points.map((p) => p.cost))];
  const narrow = width < 480;
  const [height, most] = narrow ? [320, 16] : [400, 28];
  const type = positive && high > 3 * low ? "log" : "linear";
  return plot({
    width,
    height,
    marginLeft: 56,
    marginRight: narrow ? 20 : 90,
    marginBottom: 44,
    x: { type, label: labels.x, grid: true, nice: true, tickFormat: (v) => amount(v), ticks: narrow ? 3 : 6 },
    y: { label: labels.y, grid: true, nice: true, zero: false },
    marks: [
      Plot.line(front, { x: "cost", y: "mean", curve: "step-after", stroke: "var(--accent)", strokeOpacity: 0.55, strokeDasharray: "4 3" }),
      Plot.ruleX(points.filter((p) => p.low !== null), { x: "cost", y1: "low", y2: "high", stroke: "var(--strong)", strokeOpacity: 0.55 }),
      Plot.dot(points.filter((p) => !on.has(p)), { x: "cost", y: "mean", r: 4, symbol: "circle", stroke: "var(--soft)", fill: "var(--raised)", strokeWidth: 1.5 }),
      Plot.dot(front, { x: "cost", y: "mean", r: 6, symbol: "diamond", fill: "var(--accent)", stroke: "var(--raised)" }),
      Plot.text(apart(points, on, type === "log", width, height, most).filter((p) => !narrow || on.has(p)), { x: "cost", y: "mean", text: (p) => text(p.name, most), dx: 9, textAnchor: "start", fill: "currentColor", stroke: "var(--raised)", strokeWidth: 4 }),
      Plot.tip(points, Plot.pointer({ x: "cost", y: "mean", title: (p) => `${p.name}\n${labels.y} ${number(p.mean, 4)} ${interval(p.low, p.high)}\n${labels.x} ${labels.show(p.cost)}${on.has(p) ? "\non the Pareto front" : ""}` })),
    ],
  });
}

// Labels that would lie on another label or point are left to the hint and the table; the front's come first.
function apart(points, on, logarithmic, width, height, most) {
  const at = (p) => (logarithmic ? Math.log(p.cost) : p.cost);
  const scale = (f, size) => {
    const [low, high] = [Math.min(...points.map(f)), Math.max(...points.map(f))];
    return (p) => ((f(p) - low) / (high - low || 1)) * size;
  };
  const [x, y] = [scale(at, 0.85 * (width - 150)), scale((p) => p.mean, 0.7 * (height - 70))];
  const box = (p) => ({ left: x(p) + 5, right: x(p) + 14 + 6.8 * Math.min(most, p.name.length), y: y(p) });
  const hits = (a, b) => Math.abs(a.y - b.y) < 13 && a.left < b.right && b.left < a.right;
  const kept = [];
  for (const p of [...on, ...points.filter((q) => !on.has(q))]) {
    const mine = { p, ...box(p) };
    if (!kept.some((k) => hits(k, mine)) && !points.some((q) => q !== p && hits({ left: x(q) - 5, right: x(q) + 5, y: y(q) }, mine))) kept.push(mine);
  }
  return kept.map((k) => k.p);
}

function curveChart(lines, label, width) {
  const points = lines.flatMap((l) => l.points.map((p) => ({ ...p, name: l.name, style: l.style })));
  const wide = width >= 560;
  const ends = spread(lines.map((l) => ({ ...l.points.at(-1), name: l.name, style: l.style })), points);
  return plot({
    width,
    height: wide ? 380 : 300,
    marginLeft: 56,
    marginRight: wide ? 165 : 20,
    marginBottom: 44,
    x: { label: "step", ticks: wide ? 8 : 4 },
    y: { label, grid: true, nice: true, domain: extent(points) },
    marks: [
      lines.map((l) => Plot.areaY(l.points.filter((p) => p.low !== null), { x: "step", y1: "low", y2: "high", fill: `var(--c${l.style % COLOURS})`, fillOpacity: 0.13, clip: true })),
      lines.map((l) => Plot.line(l.points, { x: "step", y: "mean", stroke: `var(--c${l.style % COLOURS})`, strokeWidth: 1.8, strokeDasharray: DASHES[l.style % DASHES.length] })),
      wide && Plot.text(ends, { x: "step", y: "place", text: (p) => text(p.name, 22), dx: 7, textAnchor: "start", fill: (p) => `var(--c${p.style % COLOURS})`, clip: false }),
      Plot.tip(points, Plot.pointer({ x: "step", y: "mean", title: (p) => `${p.name}\nstep ${p.step}\n${label} ${number(p.mean, 4)}${p.low === null ? "" : ` ${interval(p.low, p.high)}`}` })),
    ].filter(Boolean),
  });
}

// Means decide what is in sight: the band of a few seeds may be many times as wide as all that can be told apart.
function extent(points) {
  const means = points.map((p) => p.mean);
  const [least, most] = [Math.min(...means), Math.max(...means)];
  const room = 0.4 * (most - least || Math.abs(most) || 1);
  return [Math.max(least - room, Math.min(...points.map((p) => p.low ?? p.mean))), Math.min(most + room, Math.max(...points.map((p) => p.high ?? p.mean)))];
}

// The last points' labels, moved up so that none lies on another.
function spread(ends, points) {
  const [least, most] = extent(points);
  const step = (most - least || 1) * 0.05;
  const ordered = ends.map((e) => ({ ...e, place: e.mean })).sort((a, b) => a.mean - b.mean);
  ordered.forEach((e, i) => { if (i && e.place - ordered[i - 1].place < step) e.place = ordered[i - 1].place + step; });
  return ordered;
}

// What a claim says (the shaded side, with its bound) and what was found: a dot a seed, the effect with its interval.
function claimChart(claim, part, width) {
  const [from, to] = claim.claimed[part] ?? [null, null];
  const whole = claim.claimed.length < 2;
  const seeds = claim.per_seed.map(([seed, v]) => ({ seed, value: whole ? v : v[part] })).filter((s) => typeof s.value === "number");
  const shown = whole || isWeakest(claim, seeds);
  const interval95 = shown ? claim.interval : null;
  const effect = shown ? claim.effect : undefined;
  const marks = [from, to, ...(interval95 ?? []), effect, ...seeds.map((s) => s.value)].filter((v) => v !== null && v !== undefined);
  const [least, most] = [Math.min(...marks), Math.max(...marks)];
  const log = least > 0 && most / least > 30;
  const pad = (most - least || Math.abs(most) || 1) * 0.12;
  const domain = log ? [least / 1.6, most * 1.6] : [least - pad, most + pad];
  const bounds = [from, to].filter((v) => v !== null);
  const found = effect === undefined ? [] : [{ effect, low: interval95?.[0], high: interval95?.[1] }];
  const colour = `var(--${claim.verdict})`;
  return plot({
    width,
    height: 122,
    marginTop: 26,
    marginLeft: 12,
    marginRight: 12,
    x: { type: log ? "log" : "linear", domain, label: null, ticks: Math.max(3, Math.round(width / 90)), tickFormat: (v) => number(v, 2) },
    y: { axis: null, domain: [0, 3] },
    marks: [
      Plot.rect([{ x1: Math.max(from ?? domain[0], domain[0]), x2: Math.min(to ?? domain[1], domain[1]) }], { x1: "x1", x2: "x2", y1: 0, y2: 3, fill: "var(--accent)", fillOpacity: 0.09 }),
      Plot.ruleX(bounds, { stroke: "var(--accent)", strokeDasharray: "3 3" }),
      Plot.text(bounds.slice(0, 1), { x: (d) => d, y: 3, dy: -11, text: () => claimWords(claim, part), textAnchor: anchor(bounds[0], domain, log), fill: "var(--accent)" }),
      Plot.dot(seeds, { x: "value", y: 0.75, r: 3.5, stroke: "var(--soft)", fill: "var(--raised)" }),
      Plot.ruleY(found.filter((f) => f.low !== undefined), { x1: "low", x2: "high", y: 1.95, stroke: colour, strokeWidth: 3 }),
      Plot.dot(found, { x: "effect", y: 1.95, r: 6, symbol: "diamond", fill: colour, stroke: "var(--raised)" }),
      Plot.tip(seeds, Plot.pointer({ x: "value", y: 0.75, title: (s) => `seed ${s.seed}: ${number(s.value, 5)}` })),
    ],
  });
}

// Of a conjunction the effect is that of the part furthest from holding: the one whose seeds average to it.
function isWeakest(claim, seeds) {
  const mean = seeds.reduce((sum, s) => sum + s.value, 0) / seeds.length;
  const [low, high] = claim.interval ?? [0, 0];
  return low < high && Math.abs(mean - claim.effect) <= 1e-3 * (high - low);
}

const SIDES = { ">": "above", ">=": "at least", "<": "below", "<=": "at most" };

function partsOf(check) {
  return check.split(") & (").map((part, _, all) => (all.length > 1 ? part.replace(/^\(|\)$/g, "") : part));
}

function claimWords(claim, part) {
  const [low, high] = claim.claimed[part].map((v) => v !== null && String(v).replaceAll("-", "−"));
  if (low && high) return `claimed: ${low} to ${high}`;
  const side = SIDES[partsOf(claim.check)[part].match(/(>=|<=|>|<) \S+$/)?.[1]] ?? (low ? "above" : "below");
  return low ? `claimed: ${side} ${low} →` : `← claimed: ${side} ${high}`;
}

function anchor(value, [low, high], log) {
  const share = log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return share < 0.3 ? "start" : share > 0.7 ? "end" : "middle";
}
