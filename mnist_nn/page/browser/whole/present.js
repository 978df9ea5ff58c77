// The page as slides, for a classroom: one part at a time, as large as the screen allows, turned by the arrow keys.

import { html } from "../parts/dom.js";

// The sections of each slide. A section that the page does not have, or does not show, is left out.
const SLIDES = [
  ["digit", "layers"],
  ["layers", "chain"],
  ["nudge", "tree"],
  ["paths"],
  ["average"],
  ["downhill"],
  ["replay", "weights"],
  ["heat"],
  ["gradient"],
  ["compare"],
];
const WIDTHS = [620, 780, 960, 1160, 1400]; // of a slide before it is enlarged, in pixels
const MARGIN = 24;
const LARGEST = 3; // enlargement
const SHORTEST = 500; // height of a screen that shows a whole slide; a smaller screen scrolls it

export function mountPresent(root, data, update) {
  const main = document.querySelector("main");
  const count = html("span", { class: "count" });
  const pick = html("select", { "aria-label": "slide", change: () => update({ slide: pick.value }) });
  const turn = (by) => {
    const slides = slidesNow();
    const at = slides.indexOf(data.current.slide);
    update({ slide: slides[Math.max(0, Math.min(slides.length - 1, at + by))] });
  };
  root.append(
    html("button", { type: "button", id: "slide-back", click: () => turn(-1) }, "◀ back"),
    count,
    html("button", { type: "button", id: "slide-next", click: () => turn(1) }, "next ▶"),
    html("button", { type: "button", id: "slide-end", click: () => update({ slide: null }) }, "end (Esc)"),
    pick,
  );
  addEventListener("keydown", (event) => {
    if (!data.current?.slide || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape") return update({ slide: null });
    if (event.target.closest("input, select, [role='listbox'], [role='slider']") && event.key.startsWith("Arrow"))
      return;
    const by = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    turn(by);
  });

  // The names of the slides that there are.
  const slidesNow = () => SLIDES.filter((names) => sectionsOf(names).length).map((names) => names.join("-"));
  const sectionsOf = (names) =>
    names
      .map((name) => document.getElementById(`section-${name}`))
      .filter((section) => section && !section.classList.contains("absent") && !section.hidden);

  const titleOf = (slide) =>
    sectionsOf(slide.split("-"))
      .map((section) => section.querySelector("h2").textContent)
      .join(", ");

  const widthOfScreen = () => document.documentElement.clientWidth;
  const isSmall = () => widthOfScreen() < WIDTHS[0] || innerHeight < SHORTEST;

  // The height for a slide.
  const room = () => {
    const below = document.getElementById("tour").offsetHeight || root.offsetHeight;
    return innerHeight - document.getElementById("transport").offsetHeight - below - MARGIN;
  };

  // Some drawings take their size after the others, and do not grow in proportion.
  new ResizeObserver(() => {
    const excess = main.getBoundingClientRect().height / room();
    if (data.current?.slide && excess > 1 && !isSmall()) main.style.zoom = String(Number(main.style.zoom) / excess);
  }).observe(main);

  let fitted = null; // the slide and the screen that the size was chosen for
  let listed = ""; // the slides that can be picked
  return (state) => {
    const { slide } = state;
    const isAmongItsButtons = root.contains(document.activeElement);
    document.body.classList.toggle("presenting", Boolean(slide));
    root.hidden = !slide;
    const names = slide?.split("-") ?? [];
    for (const section of main.querySelectorAll("section"))
      section.classList.toggle("off", Boolean(slide) && !names.includes(section.id.replace("section-", "")));
    const key = slide ? [slide, widthOfScreen(), innerHeight, state.allDigits, state.place.l, state.tour].join() : null;
    if (!slide) {
      main.style.width = main.style.zoom = "";
    } else {
      const slides = slidesNow();
      count.textContent = `${slides.indexOf(slide) + 1} of ${slides.length}`;
      if (listed !== (listed = slides.join()))
        pick.replaceChildren(...slides.map((one) => html("option", { value: one }, titleOf(one))));
      pick.value = slide;
    }
    if (key === fitted) return;
    const turned = fitted?.split(",")[0] !== slide;
    fitted = key;
    if (!slide) {
      if (isAmongItsButtons) document.getElementById("start-slides").focus();
      return update({});
    }
    if (isSmall()) showWhole();
    else fit();
    if (turned) main.querySelector("section:not(.off) h2")?.focus({ preventScroll: true });
  };

  function showWhole() {
    main.style.width = main.style.zoom = "";
    update({});
    scrollTo(0, 0);
  }

  // Choose the width at which the slide can be enlarged most. No part of it may lie outside the screen.
  function fit() {
    let best = { zoom: 0, width: WIDTHS[0] };
    const measure = (width) => {
      main.style.zoom = "1";
      main.style.width = `${width}px`;
      update({});
      return Math.min((widthOfScreen() - MARGIN) / width, room() / main.offsetHeight);
    };
    for (const width of WIDTHS) {
      const zoom = measure(width);
      if (zoom > best.zoom) best = { zoom, width };
    }
    measure(best.width);
    main.style.zoom = String(Math.min(LARGEST, best.zoom));
    scrollTo(0, 0);
  }
}
