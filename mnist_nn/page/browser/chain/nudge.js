// The nudge: the changes Δw → Δz → Δa → ΔC, and each ratio of changes beside the derivative that it approximates.

import { clean, distinguishable, formula, fraction, html, identifier, mathml, number, ratio } from "../parts/dom.js";
import { variablesOf } from "./equations.js";
import { liveNumber, liveText } from "../parts/live.js";
import { letterOf, named } from "../mathematics/place.js";

const SIZES = [0, 1e-6, 0.001, 0.01, 0.1, 1];

export function mountNudge(root, data, update) {
  const slider = html("input", {
    type: "range",
    id: "nudge",
    min: -1,
    max: 1,
    step: 0.01,
    input: () => update({ nudgeBy: Number(slider.value) }),
  });
  const sizes = SIZES.map((size) =>
    html(
      "button",
      { type: "button", "aria-label": `nudge by ${size}`, click: () => update({ nudgeBy: size }) },
      String(size),
    ),
  );
  const label = html("label", { for: "nudge" });
  const body = html("tbody", {});
  const headings = ["change", "ratio of the changes", "derivative"];
  const head = html(
    "tr",
    {},
    headings.map((text) => html("th", { scope: "col" }, text)),
  );
  const table = html("table", { class: "nudged" }, html("thead", {}, head), body);
  const sentence = html("p", {});
  root.append(
    html("div", { class: "slide" }, label, slider, html("span", { class: "screen-only" }, sizes)),
    table,
    sentence,
  );
  let built = null;

  function build(state) {
    const p = letterOf(state.place);
    const v = variablesOf(state);
    const setters = [];
    const traced = (name, n) =>
      data.current.isTraced && n.parameter === 0.01 ? `${p === "w" ? "weight" : "bias"}.nudge.${name}` : null;
    const equals = (symbol, live) => html("td", {}, html("span", { class: "pair" }, formula(symbol), live));
    const delta = (of) => mathml("mrow", {}, identifier("Δ"), of);
    const change = (of, name, value) => {
      const live = liveNumber(number);
      setters.push(({ nudge: n }) => live.set(value(n), null, traced(name, n)));
      return equals(delta(of()), live.element);
    };
    const quotient = (of, by, value) => {
      const live = liveText();
      setters.push(({ nudge: n }) => live.set(ratio(...value(n))));
      return equals(mathml("mfrac", {}, delta(of()), delta(by())), live.element);
    };
    const derivative = (of, by, value) => {
      const live = liveText();
      setters.push(({ derivative: d }) => live.set(number(value(d))));
      return equals(fraction(of(), by()), live.element);
    };
    const row = (...cells) => html("tr", {}, cells);
    body.replaceChildren(
      row(
        change(v.p, `d${p}`, (n) => n.parameter),
        html("td", {}),
        html("td", {}),
      ),
      row(
        change(v.z, "dz", (n) => n.dz),
        quotient(v.z, v.p, (n) => [n.dz, n.parameter]),
        derivative(v.z, v.p, (d) => d.dz),
      ),
      row(
        change(v.a, "da", (n) => n.da),
        quotient(v.a, v.z, (n) => [n.da, n.dz]),
        derivative(v.a, v.z, (d) => d.da_dz),
      ),
      row(
        change(v.C, "dC", (n) => n.dC),
        quotient(v.C, v.a, (n) => [n.dC, n.da]),
        derivative(v.C, v.a, (d) => d.dC_da),
      ),
      row(
        html("td", {}, html("b", {}, "in total")),
        quotient(v.C, v.p, (n) => [n.dC, n.parameter]),
        derivative(v.C, v.p, (d) => d.product),
      ),
    );
    const by = liveText("b");
    label.replaceChildren("nudge ", named(state.place), " by ", by.element);
    setters.push(({ nudge: n }) => {
      const size = Math.abs(n.parameter);
      by.set(size === 0 ? "0" : `${n.parameter < 0 ? "−" : "+"}${size}`);
    });
    const effect = liveText();
    const question = ["Move the slider. How much does ", formula(v.C()), " change?"];
    const answer = ["Changing ", named(state.place), effect.element];
    let shown = null;
    setters.push(({ nudge: n, value, C }) => {
      const moved =
        clean(n.dC) === 0
          ? "leaves the cost unchanged"
          : `${n.dC < 0 ? "lowers" : "raises"} the cost from ${distinguishable(C, C + n.dC).join(" to ")}`;
      slider.value = String(n.parameter);
      slider.setAttribute("aria-valuetext", `${n.parameter}, which ${moved}`);
      effect.set(` from ${distinguishable(value, value + n.parameter).join(" to ")} ${moved}.`);
      const parts = n.parameter === 0 ? question : answer;
      if (parts !== shown) sentence.replaceChildren(...parts);
      shown = parts;
    });
    return setters;
  }

  return (state) => {
    if (root.closest("[hidden]")) return; // while the user guesses
    const { l, j, k } = state.place;
    const key = [l, j, k, state.C_index, state.allDigits].join();
    if (built?.key !== key) built = { key, setters: build(state) };
    for (const set of built.setters) set(state);
  };
}
