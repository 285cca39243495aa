// Follows the node: each event "news" means that the moving part of the page can be fetched anew.
(function () {
  "use strict";
  document.documentElement.classList.add("script");
  const live = document.getElementById("live");
  if (!live || !window.EventSource) return;

  const AGAIN = 5000; // milliseconds
  const part = live.dataset.source || "/admin/live";
  const news = live.dataset.events || "/admin/events";

  let wanted = null; // the newest number that the node told
  let shown = live.dataset.number; // the one on the page
  let busy = false;

  const tips = () => new Set(Array.from(live.querySelectorAll("[data-tip]"), (tip) => tip.dataset.tip));

  // What came since, so that the eye finds it.
  function markFresh(before) {
    for (const tip of live.querySelectorAll("[data-tip]")) {
      if (!before.has(tip.dataset.tip)) tip.classList.add("fresh");
    }
  }

  function replace(html) {
    const before = tips();
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const page = new DOMParser().parseFromString(html, "text/html");
    live.replaceChildren(...page.body.childNodes);
    if (before.size > 0) markFresh(before);
    if (focused) {
      const same = Array.from(live.querySelectorAll("a")).find((link) => link.getAttribute("href") === focused);
      if (same) same.focus({ preventScroll: true });
    }
    const now = live.querySelector("[data-height]");
    if (now) document.title = now.dataset.height + " · Everett";
  }

  async function refresh() {
    if (busy || document.hidden || wanted === shown) return;
    busy = true;
    const number = wanted;
    try {
      const answer = await fetch(part, { cache: "no-cache" });
      if (answer.ok) {
        replace(await answer.text());
        shown = number;
      }
    } catch (error) {
      // The connection is gone; the event source tries again by itself.
    }
    busy = false;
    if (wanted !== number) refresh();
  }

  let source = null;
  let again = null;

  function follow() {
    stop();
    source = new EventSource(news);
    source.addEventListener("news", (event) => {
      document.documentElement.classList.remove("lost");
      wanted = event.data;
      refresh();
    });
    source.addEventListener("error", () => {
      document.documentElement.classList.add("lost");
      shown = null; // after a restart the node counts from the beginning
      // A browser tries again when the connection was cut, but not when it was refused: too many follow, say.
      if (source.readyState === EventSource.CLOSED) again = setTimeout(follow, AGAIN);
    });
  }

  function stop() {
    clearTimeout(again);
    if (source) source.close();
  }

  follow();
  document.addEventListener("visibilitychange", refresh);
  window.addEventListener("pagehide", stop);
  // The browser may show the page again as it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) follow();
  });
})();
