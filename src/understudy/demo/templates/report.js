/* SPDX-License-Identifier: Apache-2.0 */
"use strict";
(function () {
  const viewers = JSON.parse(document.getElementById("viewers").textContent);
  const pictures = JSON.parse(document.getElementById("pictures").textContent);

  function startViewer(figure) {
    const viewer = viewers[figure.dataset.viewer];
    const one = (name) => figure.querySelector("." + name);
    const screen = one("screen"), wipe = one("wipe"), scrub = one("scrub");
    const sides = [
      { image: one("left"), tag: one("tag-left"), pick: one("pick-left"), side: "Left" },
      { image: one("right"), tag: one("tag-right"), pick: one("pick-right"), side: "Right" },
    ];
    const doubt = one("doubt"), showDoubt = one("show-doubt"), now = one("now");

    function show() {
      const frame = scrub ? Number(scrub.value) : 0;
      for (const { image, tag, pick, side } of sides) {
        const layer = viewer.layers.find((item) => item.key === pick.value);
        const source = pictures[layer.images[frame]];
        if (image.src !== source) image.src = source;
        image.alt = side + ": " + layer.label + ", frame " + viewer.frames[frame][0];
        tag.textContent = layer.label;
      }
      const [label, note] = viewer.frames[frame];
      now.textContent = "Frame " + label + (note ? " · " + note : "");
      if (scrub) scrub.setAttribute("aria-valuetext", now.textContent);
      if (doubt) {
        const key = viewer.doubt[frame];
        if (key) doubt.src = pictures[key];
        doubt.hidden = !key || showDoubt.getAttribute("aria-pressed") !== "true";
      }
    }

    function moveWipe() {
      screen.style.setProperty("--at", wipe.value + "%");
      wipe.setAttribute("aria-valuetext", wipe.value + " percent from the left");
    }

    function drag(event) {
      const box = screen.getBoundingClientRect();
      wipe.value = String(Math.round(100 * (event.clientX - box.left) / box.width));
      moveWipe();
    }

    screen.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      screen.setPointerCapture(event.pointerId);
      drag(event);
    });
    screen.addEventListener("pointermove", (event) => {
      if (screen.hasPointerCapture(event.pointerId)) drag(event);
    });
    wipe.addEventListener("input", moveWipe);
    if (scrub) scrub.addEventListener("input", show);
    for (const { pick } of sides) pick.addEventListener("change", show);
    if (showDoubt) showDoubt.addEventListener("click", () => {
      const on = showDoubt.getAttribute("aria-pressed") !== "true";
      showDoubt.setAttribute("aria-pressed", String(on));
      show();
    });
    show();
    moveWipe();
  }

  async function copy(button) {
    const text = button.dataset.copy, before = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch (_refused) { // pages from a file may not reach the clipboard: select the text instead
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  document.querySelectorAll(".viewer").forEach(startViewer);
  document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", () => copy(button)));
})();
