// Measures a page in headless Chromium: `node benchmarks/report_browser.mjs PAGE` prints one line of JSON, all in ms.
// {paint: first contentful paint, drawn: the overview stands, filter: of each key typed into the search of all runs}

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../tests/browser/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"];
const address = pathToFileURL(process.argv[2]).href;
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
try {
  const page = await (await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 } })).newPage();
  await page.goto(address);
  await page.waitForFunction(() => performance.getEntriesByName("first-contentful-paint").length > 0);
  const [paint, drawn] = await page.evaluate(() => [performance.getEntriesByName("first-contentful-paint")[0].startTime,
    performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd]);
  await page.goto(`${address}#/runs`);
  await page.getByLabel("Search runs").waitFor();
  const filter = await page.evaluate(async () => {
    const input = document.querySelector("input[type=search]");
    await new Promise((idle) => requestIdleCallback(idle));
    const found = [];
    for (const typed of ["e", "en", "entrant-1", "entrant-17 task-3", "timeout", "te", ""]) {
      const start = performance.now();
      input.value = typed;
      input.dispatchEvent(new Event("input"));
      input.closest("section").getBoundingClientRect(); // the layout counts
      found.push(performance.now() - start);
      await new Promise((idle) => requestIdleCallback(idle));
    }
    return found;
  });
  console.log(JSON.stringify({ paint, drawn, filter }));
} finally {
  await browser.close();
}
