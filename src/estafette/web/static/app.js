// Behaviour by data attributes: live parts, copying, the search key. Every page works without this file.
const root = document.documentElement;
root.classList.add("scripted");

// "/" goes to the search field
document.addEventListener("keydown", (event) => {
  const at = event.target;
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName)) return;
  const field = document.getElementById("find");
  if (field) { event.preventDefault(); field.focus(); field.select(); }
});

// copy buttons
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.dataset.done = "1";
    const word = button.querySelector("[data-word]");
    if (word) { const before = word.textContent; word.textContent = button.dataset.copied; setTimeout(() => { word.textContent = before; }, 2000); }
  } catch { getSelection().selectAllChildren(source); }
});

// filters act at once; the button is for those without script
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-auto]");
  if (form && event.target.type !== "search" && event.target.type !== "text") form.requestSubmit();
});

// live parts: one stream per page says "something happened"; htmx fetches what shows it. Without a stream, every ten seconds.
const live = document.querySelector("[data-live]");
if (live && window.htmx) {
  let paused = false, last = 0, waiting = false;
  const tick = () => {
    if (paused || document.hidden || document.querySelector("[data-pick]:checked")) return;  // what somebody ticked must not vanish
    const rest = 500 - (Date.now() - last);
    if (rest > 0) { if (!waiting) { waiting = true; setTimeout(() => { waiting = false; tick(); }, rest); } return; }
    last = Date.now();
    window.htmx.trigger(document.body, "live");
  };
  let poll = 0;
  const fall = () => { if (!poll) poll = setInterval(tick, 10000); };
  if (window.EventSource && live.dataset.live) {
    const stream = new EventSource(live.dataset.live);
    stream.addEventListener("change", tick);
    stream.onopen = () => { clearInterval(poll); poll = 0; };
    stream.onerror = fall;
    addEventListener("pagehide", () => stream.close());
  } else fall();
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-pause]");
    if (!button) return;
    paused = !paused;
    button.setAttribute("aria-pressed", String(paused));
    document.querySelector(".live")?.classList.toggle("paused", paused);
    if (!paused) tick();
  });
}
