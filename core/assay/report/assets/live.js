// Asks the server for newer data while a run goes on, and draws the view anew when there is some.

const EVERY = 2000;
let tag = null;

async function refresh() {
  try {
    tag ??= `"${report.stamp}"`;
    const answer = await fetch("data.json", { headers: { "If-None-Match": tag }, cache: "no-store" });
    if (answer.status === 200) {
      tag = answer.headers.get("ETag");
      const scrolled = scrollY;
      take(await answer.json());
      footer();
      draw();
      scrollTo(0, scrolled);
      say("The report shows newer records");
    }
  } catch {
    say("The server of this report has stopped");
  }
  setTimeout(refresh, EVERY);
}

setTimeout(refresh, 0);
