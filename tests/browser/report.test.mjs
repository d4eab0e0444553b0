// The report in a real browser. Needs Chromium (CHROMIUM, default /usr/bin/chromium) and Python with assay (PYTHON).

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const PYTHON = process.env.PYTHON ?? "python3";
const PAGES = fileURLToPath(new URL("pages.py", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const PATIENCE = 120_000; // ms: a test waits for what it needs, on however slow a machine
const VIEWS = ["/", "/arenas", "/arena/sets/clouds", "/runs"];
let folder, browser;

function make(name) {
  const made = spawnSync(PYTHON, [PAGES, folder, name], { encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "assay-report-"));
  make("small");
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
});

after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

// Opens a page from disk with the network off. What its console says is an error unless a test expects it.
async function open(name, route = "/", options = {}) {
  const context = await browser.newContext({ offline: true, acceptDownloads: true, viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  page.said = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && page.said.push(message.text()));
  page.on("pageerror", (error) => page.said.push(String(error)));
  page.asked = [];
  page.on("request", (request) => /^https?:/.test(request.url()) && page.asked.push(request.url()));
  await page.goto(`${pathToFileURL(join(folder, name))}#${route}`);
  await page.locator("h1").waitFor();
  return page;
}

async function settled(page) {
  await page.waitForFunction(() => [...document.querySelectorAll(".plate")].every((p) => p.querySelector("svg")));
}

const firstPaper = (page) => page.locator(".tile").first();

test("every view opens from disk without network, console errors or requests", async () => {
  const page = await open("small.html");
  const paper = await firstPaper(page).getAttribute("href");
  await page.goto(page.url().split("#")[0] + "#/runs");
  const run = await page.locator("tbody a.mono").first().getAttribute("href");
  for (const route of [...VIEWS, paper.slice(1), "/paper/paper-001", run.slice(1), "/nothing"]) {
    await page.goto(`${page.url().split("#")[0]}#${route}`);
    await settled(page);
    assert.ok((await page.locator("h1").textContent()).length > 0, route);
  }
  assert.deepEqual(page.said, []);
  assert.deepEqual(page.asked, []);
  await page.context().close();
});

test("strings from plugins and users stay text", async () => {
  const page = await open("small.html");
  assert.match(await page.locator("h1").textContent(), /^Report <\/script><script>/);
  await page.locator('.tile[aria-label^="</script>"]').click();
  await settled(page);
  assert.match(await page.locator("blockquote").first().textContent(), /onerror/);
  await page.goto(`${page.url().split("#")[0]}#/runs?Outcome=failed`);
  await page.locator("tbody tr").first().waitFor();
  assert.equal(await page.locator("img").count(), 0);
  assert.notEqual(await page.title(), "broken");
  assert.deepEqual(page.said, []);
  await page.context().close();
});

test("a script written into the file does not run", async () => {
  const text = readFileSync(join(folder, "small.html"), "utf8");
  writeFileSync(join(folder, "tampered.html"), text.replace("</body>", "<script>document.title = 'broken'</script><b onclick='x'></b></body>"));
  const page = await open("tampered.html");
  assert.notEqual(await page.title(), "broken");
  assert.match(page.said.join("\n"), /Content Security Policy directive 'script-src/);
  await page.context().close();
});

test("the policy stops a script, markup, a style and a request that come later", async () => {
  const page = await open("small.html");
  const blocked = await page.evaluate(async () => {
    const found = [];
    document.addEventListener("securitypolicyviolation", (e) => found.push(e.effectiveDirective));
    const script = document.createElement("script");
    script.append(document.createTextNode("document.title = 'broken'"));
    document.body.append(script);
    try { document.body.innerHTML += "<b onclick='x'>"; } catch { found.push("markup"); }
    const style = document.createElement("style");
    style.append("body { display: none }");
    document.head.append(style);
    await fetch("https://example.org/").catch(() => {});
    const wanted = ["require-trusted-types-for", "markup", "style-src-elem", "connect-src"];
    while (!wanted.every((w) => found.includes(w))) await new Promise((done) => setTimeout(done, 20));
    return wanted;
  });
  assert.equal(blocked.length, 4);
  assert.notEqual(await page.title(), "broken");
  assert.equal(await page.evaluate(() => getComputedStyle(document.body).display), "block");
  await page.context().close();
});

test("search, filters and sorting narrow and order the runs, and stay in the address", async () => {
  const page = await open("small.html", "/runs");
  const rows = page.locator("section[aria-labelledby=part-all-runs] tbody tr");
  await page.getByLabel("Search runs").fill("entrant-03 sums");
  assert.equal(await rows.count(), 4);
  assert.match(page.url(), /q=entrant-03/);
  await page.getByLabel("Search runs").fill("");
  await page.getByLabel("Outcome").selectOption("failed");
  assert.equal(await rows.count(), 1);
  await page.reload();
  assert.equal(await rows.count(), 1);
  await page.getByLabel("Outcome").selectOption("");
  const seed = page.getByRole("button", { name: "Seed" });
  await seed.click();
  await seed.click();
  assert.equal(await rows.first().locator("td").nth(3).textContent(), "9");
  assert.equal(await page.locator("th[aria-sort=descending]").textContent(), "Seed");
  await page.context().close();
});

test("an address opens its view, links lead on, and going back returns", async () => {
  const page = await open("small.html", "/arena/sets/clouds?metric=perm_gap&dataset=main&scale=small");
  assert.equal(await page.getByLabel("Metric").inputValue(), "perm_gap");
  await page.getByLabel("Metric").selectOption("accuracy");
  await page.getByText("accuracy, mean and 95 % interval").waitFor();
  await page.goBack();
  await page.getByText("perm_gap, mean and 95 % interval").waitFor();
  assert.match(await page.title(), /^sets\/clouds · /);
  await page.getByRole("link", { name: "entrant-02" }).first().click();
  await page.getByRole("heading", { name: "Ablations" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1");
  await page.context().close();
});

test("verdicts of the store are marked, and told beside those of a file", async () => {
  const page = await open("small.html");
  await page.locator('.tile[aria-label$="not recorded"]').click();
  await page.getByText("Verified in this store, not recorded beside the plugin.").waitFor();
  assert.equal(await page.getByRole("heading", { name: "Verified here too" }).count(), 0);
  await page.goto(`${page.url().split("#")[0]}#/paper/paper-001`);
  const rows = page.locator("section[aria-labelledby=part-verified-here-too] tbody tr");
  await rows.first().waitFor();
  assert.equal(await rows.count(), 3);
  await page.context().close();
});

test("pointing at a chart tells exact values", async () => {
  const page = await open("small.html", "/arena/sets/clouds");
  await settled(page);
  const chart = page.locator(".plate svg").first();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.locator('.plate svg [aria-label="tip"] text').first().waitFor();
  assert.match(await page.locator('.plate svg [aria-label="tip"]').first().textContent(), /entrant-\d\d.*accuracy 0\.\d{3,}/);
  await page.context().close();
});

test("the keyboard reaches the atlas, its hints, and marks a verdict", async () => {
  const page = await open("small.html");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.locator(".tally button.holds").focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".tally button.holds").getAttribute("aria-pressed"), "true");
  assert.match(page.url(), /only=holds/);
  await page.locator(".tile").nth(1).focus();
  assert.ok(await page.locator("#hint").isVisible());
  assert.match(await page.locator("#hint").textContent(), /claim-\d: \w+/);
  await page.keyboard.press("Escape");
  assert.ok(await page.locator("#hint").isHidden());
  await page.context().close();
});

test("a view goes out as SVG, PNG and CSV", async () => {
  const page = await open("small.html", "/arena/sets/clouds");
  await settled(page);
  const fetched = async (name) => {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).first().click()]);
    return readFileSync(await download.path());
  };
  const svg = (await fetched(/as SVG$/)).toString();
  assert.match(svg, /<svg[^>]+xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assert.match(svg, /entrant-05/);
  assert.doesNotMatch(svg, /var\(/);
  assert.equal((await fetched(/as PNG$/)).subarray(1, 4).toString(), "PNG");
  const rows = (await fetched(/data of .* as CSV$/)).toString().trim().split("\r\n");
  assert.match(rows[0], /^Rank,Entrant,accuracy,95 % low/);
  assert.equal(rows.length, 1 + 7);
  assert.deepEqual(page.said, []);
  await page.context().close();
});

for (const colorScheme of ["light", "dark"]) {
  for (const width of [1280, 390]) {
    test(`axe finds nothing serious and nothing overflows, ${colorScheme}, ${width} px`, async () => {
      const page = await open("small.html", "/", { colorScheme, viewport: { width, height: 900 } });
      const paper = (await firstPaper(page).getAttribute("href")).slice(1);
      for (const route of [...VIEWS, paper]) {
        await page.goto(`${page.url().split("#")[0]}#${route}`);
        await settled(page);
        await page.evaluate(AXE);
        const found = await page.evaluate(async () => (await axe.run()).violations
          .filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => `${v.id}: ${v.nodes[0].html} ${v.nodes[0].failureSummary}`));
        assert.deepEqual(found, [], route);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${route} overflows`);
      }
      await page.context().close();
    });
  }
}

test("the theme's button overrules the system", async () => {
  const page = await open("small.html", "/", { colorScheme: "light" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  await page.locator("#theme").click();
  await page.locator("#theme").click();
  assert.equal(await page.locator("#theme").getAttribute("aria-label"), "Theme: dark");
  assert.notEqual(await background(), light);
  await page.context().close();
});

test("a print is light and leaves controls out", async () => {
  const page = await open("small.html", "/arena/sets/clouds", { colorScheme: "dark" });
  await page.emulateMedia({ media: "print", colorScheme: "light" });
  assert.ok(await page.locator(".controls").first().isHidden());
  assert.ok(await page.locator(".tools").first().isHidden());
  assert.ok((await page.pdf({ format: "A4" })).length > 10_000);
  await page.context().close();
});

test("10,000 records are searched whole, and 366 papers are drawn in full", async () => {
  make("large");
  const page = await open("large.html", "/runs");
  const rows = page.locator("section[aria-labelledby=part-all-runs] tbody tr");
  await page.getByLabel("Search runs").fill("entrant-17 task-3");
  await page.getByText("20 of 10,000 rows").waitFor();
  assert.equal(await rows.count(), 20);
  await page.goto(`${page.url().split("#")[0]}#/`);
  await page.locator(".tile").last().waitFor();
  assert.equal(await page.locator(".tile").count(), 366);
  await page.context().close();
});

test("a served report shows new records while a run goes on", async () => {
  const server = spawn(PYTHON, [PAGES, folder, "serve"]);
  const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
  try {
    const url = (await lines.next()).value;
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE);
    await page.goto(`${url}#/runs`);
    await page.getByText("1 run, 0 failed").waitFor();
    const search = page.getByLabel("Search runs");
    await search.fill("entrant");
    await search.evaluate((input) => input.setSelectionRange(2, 2));
    await page.getByRole("button", { name: "Seed" }).click();
    await search.focus();
    server.stdin.write("more\n");
    await lines.next();
    await page.getByText("2 runs, 0 failed").waitFor();
    assert.deepEqual(await page.evaluate(() => [document.activeElement.value, document.activeElement.selectionStart]), ["entrant", 2]);
    assert.equal(await page.locator("th[aria-sort]").textContent(), "Seed");
    await page.close();
  } finally {
    server.kill();
  }
});
