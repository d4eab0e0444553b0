// A chart with what belongs to it: a title, its data as a table, and downloads as SVG, PNG and CSV.

const NARROWEST = 80; // while a page is laid out anew a chart may have no room for its margins

/* spec: {title, name, says: text for who cannot see it, draw(width) -> svg, columns, rows, aside} */
function figure(spec) {
  const plate = h("div", { class: "plate", role: "img", "aria-label": spec.says });
  let width = 0;
  const draw = () => {
    const inside = plate.clientWidth - 2 * parseFloat(getComputedStyle(plate).paddingLeft);
    if (!(inside > NARROWEST) || inside === width) return;
    width = inside;
    const svg = spec.draw(width);
    svg.setAttribute("aria-hidden", "true");
    plate.replaceChildren(svg);
  };
  new ResizeObserver(draw).observe(plate);
  const tool = (label, title, act) => h("button", { type: "button", class: "quiet", title, "aria-label": title, onclick: act }, label);
  const chart = () => plate.querySelector("svg");
  const tools = h("span", { class: "tools" },
    tool("SVG", `Download ${spec.title} as SVG`, () => download(`${spec.name}.svg`, asSvg(chart()), "image/svg+xml")),
    tool("PNG", `Download ${spec.title} as PNG`, async () => download(`${spec.name}.png`, await asPng(chart()))),
    spec.rows && tool("CSV", `Download the data of ${spec.title} as CSV`,
      () => download(`${spec.name}.csv`, csv(spec.columns, spec.rows), "text/csv")));
  const data = spec.rows && spec.listed !== false && h("details", {}, h("summary", {}, "Data as a table"));
  data && data.addEventListener("toggle", () => data.children.length === 1
    && data.append(table(spec.columns, spec.rows, { caption: `Data of ${spec.title}` })));
  const title = spec.level === 0 ? h("span", { class: "unseen" }, spec.title) : h("h3", {}, spec.title);
  const result = h("figure", {}, h("figcaption", {}, title, tools), plate, spec.aside, data);
  result.redraw = () => { width = 0; draw(); };
  return result;
}

// A chart takes its colours from the page's style sheet; a copy that leaves the page has to bring its own.
const KEPT = ["fill", "stroke", "color"];

function asSvg(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of KEPT) {
      const value = to[i].getAttribute(name);
      if (value && /var\(|currentColor/i.test(value)) to[i].setAttribute(name, style[name]);
    }
  });
  to.filter((element) => element.tagName === "style").forEach((element) => element.remove());
  copy.querySelectorAll('[aria-label="tip"]').forEach((tip) => tip.remove());
  const [width, height] = ["width", "height"].map((name) => Number(svg.getAttribute(name)));
  const back = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of Object.entries({ width, height, fill: getComputedStyle(svg.parentElement).backgroundColor })) {
    back.setAttribute(name, value);
  }
  copy.prepend(back);
  copy.removeAttribute("aria-hidden");
  copy.setAttribute("role", "img");
  copy.setAttribute("aria-label", svg.parentElement.getAttribute("aria-label"));
  copy.setAttribute("color", getComputedStyle(svg).color);
  copy.setAttribute("font-family", "system-ui, sans-serif");
  copy.setAttribute("font-size", "12");
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}`;
}

async function asPng(svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asSvg(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = 2 * svg.getAttribute("width");
  canvas.height = 2 * svg.getAttribute("height");
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
