// Asks the server for newer data while a run goes on, and draws the view anew when there is some.

const EVERY = 2000;
let tag = null;

// What the reader is at: the element in focus (by what it is called), where the caret stands, and the details left open.
function called(element) {
  const name = element.getAttribute("aria-label") ?? element.closest("label")?.firstChild.textContent ?? element.textContent;
  return `${element.tagName} ${element.closest("section")?.getAttribute("aria-labelledby")} ${name}`;
}

function redrawn() {
  const main = document.getElementById("main");
  const all = (query) => [...main.querySelectorAll(query)];
  const at = main.contains(document.activeElement) && document.activeElement !== main ? document.activeElement : null;
  const [name, caret] = at ? [called(at), at.type === "search" && [at.selectionStart, at.selectionEnd]] : [];
  const open = new Set(all("details[open] > summary").map(called));
  const scrolled = scrollY;
  draw();
  all("details > summary").filter((s) => open.has(called(s))).forEach((s) => { s.parentElement.open = true; });
  const found = name && all("a, button, input, select, summary, [tabindex]").find((e) => called(e) === name);
  if (found) found.focus({ preventScroll: true });
  if (found && caret) found.setSelectionRange(...caret);
  scrollTo(0, scrolled);
}

async function refresh() {
  try {
    tag ??= `"${report.stamp}"`;
    const answer = await fetch("data.json", { headers: { "If-None-Match": tag }, cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      take(await answer.json());
      footer();
      redrawn();
      say("The report shows newer records");
    }
  } catch {
    say("The server of this report has stopped");
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, 0);
