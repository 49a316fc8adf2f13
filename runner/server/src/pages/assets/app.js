// Asks for the page again when something happened. Without this the page is complete, just not live.

const events = document.body.dataset.events;
const QUIET = 300;
let timer = null;
let running = false;
let again = false;

async function refresh() {
  timer = null;
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.querySelector("main");
    if (next === null) return;
    // What a reader has opened stays open.
    const open = [...document.querySelectorAll("main details")].map((one) => one.open);
    next.querySelectorAll("details").forEach((one, at) => { one.open = open[at] ?? false; });
    document.querySelector("main").replaceWith(document.adoptNode(next));
    if (page.body.dataset.events === undefined) source.close();
  } catch {
    // The server is away; the stream of events comes back by itself.
  } finally {
    running = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

function soon() {
  timer ??= setTimeout(refresh, QUIET);
}

const source = new EventSource(events);
for (const topic of ["run", "log", "call", "deployment", "schedule", "reset"]) {
  source.addEventListener(topic, soon);
}
