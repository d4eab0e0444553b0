// Numbers, amounts and times as a person reads them.

const MISSING = "–";

function number(value, digits = 3) {
  if (Array.isArray(value)) return value.map((v) => number(v, digits)).join(", "); // a trend has a value a level
  if (value === null || value === undefined || Number.isNaN(value)) return MISSING;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) {
    const after = Math.max(size >= 0.1 && size < 1 ? digits : 0, digits - 1 - Math.floor(Math.log10(size)));
    return value.toFixed(after).replace("-", "−");
  }
  const [mantissa, exponent] = value.toExponential(1).split("e");
  return `${mantissa.replace(".0", "")}e${exponent.replace("+", "")}`.replaceAll("-", "−");
}

function interval(low, high) {
  if (low === null || low === undefined) return MISSING;
  let digits = 3;
  while (low !== high && digits < 7 && number(low, digits) === number(high, digits)) digits += 1;
  return `[${number(low, digits)}, ${number(high, digits)}]`;
}

function amount(value, unit = "") {
  if (value === null || value === undefined) return MISSING;
  for (const [prefix, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(value) >= size) return `${Number((value / size).toPrecision(3))} ${prefix}${unit}`;
  }
  return `${Number(value.toPrecision(3))}${unit ? ` ${unit}` : ""}`;
}

const COSTS = {
  fit_seconds: ["Fit", "s", "fitting time"],
  predict_seconds: ["Predict", "s", "prediction time"],
  peak_memory: ["Peak memory", "B", "peak memory"],
  parameters: ["Parameters", "", "parameters"],
  flops: ["FLOPs", "", "FLOPs"],
  compile_seconds: ["Compile", "s", "compile time"],
  parameter_bytes: ["Parameters' size", "B", "size of the parameters"],
  forward_seconds: ["Forward", "s", "time of a forward"],
  forward_spread: ["Forward's spread", "s", "spread of a forward's time"],
  forward_bytes: ["Forward's bytes", "B", "bytes of a forward"],
  flops_per_second: ["FLOP/s", "FLOP/s", "FLOP/s"],
  roofline_share: ["Of the roof", "", "share of the roofline"],
  energy: ["Energy", "J", "energy"],
};

function costLabel(name) {
  return COSTS[name]?.[0] ?? name;
}

function costName(name) {
  return COSTS[name]?.[2] ?? name;
}

function cost(name, value) {
  if (value === null || value === undefined) return MISSING;
  return COSTS[name]?.[1] === "s" ? `${number(value, 2)} s` : amount(value, COSTS[name]?.[1] ?? "");
}

function moment(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}

function duration(seconds) {
  if (seconds < 90) return `${number(seconds, 2)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

function count(n, one, many = `${one}s`) {
  return `${n.toLocaleString("en-GB")} ${n === 1 ? one : many}`;
}

function shortName(id) {
  return id.slice(id.indexOf("/") + 1);
}

function csv(all, rows) {
  const columns = all.filter((c) => c.csv !== false);
  const field = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    const safe = /^[=+@\t\r]/.test(text) || /^-(?![\d.])/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [columns.map((c) => field(c.label)), ...rows.map((row) => columns.map((c) => field(c.value(row))))];
  return lines.map((line) => line.join(",")).join("\r\n") + "\r\n";
}
