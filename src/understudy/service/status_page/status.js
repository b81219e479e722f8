// SPDX-License-Identifier: Apache-2.0
// Fetches the page anew and puts its parts in place, so that nothing flickers and the reader's place is kept.
"use strict";

const PERIOD_MS = 2000;
let last = Date.now();

function tell(stale) {
  document.getElementById("status").classList.toggle("stale", stale);
  const seconds = Math.round((Date.now() - last) / 1000);
  document.getElementById("freshness").textContent = stale ? `no answer for ${seconds} s` : "live";
}

async function refresh() {
  try {
    if (!document.hidden) {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector(".bar").replaceWith(fresh.querySelector(".bar"));
      document.getElementById("status").replaceWith(fresh.getElementById("status"));
      document.title = fresh.title;
      last = Date.now();
      tell(false);
    }
  } catch {
    tell(true);
  }
  setTimeout(refresh, PERIOD_MS);
}

tell(false);
setTimeout(refresh, PERIOD_MS);
