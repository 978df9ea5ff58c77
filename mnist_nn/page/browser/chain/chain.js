// The chain rule for the chosen parameter: the product of the three factors, and the steps that they come from.

import { formula, fraction, html, number } from "../parts/dom.js";
import { together, upToCost, variablesOf } from "./equations.js";
import { letterOf, named } from "../mathematics/place.js";
import { Sheet } from "../parts/sheet.js";
import { activationStep, costStep, pathsStep, sumStep } from "./steps.js";
import { pathUp } from "./upward.js";

export function mountChain(root, data, update) {
  const { network } = data;
  const view = html("div", { class: "chain" });
  root.append(view);
  const unfolded = new Set(); // names of what is unfolded
  let built = null; // a sheet, and what it is built for

  function build(state, above) {
    const { place } = state;
    const { l, j, k } = place;
    const v = variablesOf(state);
    const p = letterOf(place);
    const sheet = new Sheet(data, unfolded);
    const traced = (name) => (state.isTraced ? `${p === "w" ? "weight" : "bias"}.${name}` : null);

    // One fraction of the product, with its number below.
    function factor(sign, symbols, name, path) {
      const live = sheet.number((s) => s.derivative[name], undefined, traced(path));
      return together(
        sign ? html("span", { class: "sign" }, sign) : null,
        html(
          "span",
          { class: "factor" },
          html("span", { class: "symbol" }, formula(...symbols)),
          html("span", { class: "value" }, live.element),
          live.earlier,
        ),
      );
    }

    const value = sheet.number((s) => s.value, number, traced("value"));
    const ends =
      k === null
        ? `, the bias of neuron ${j} of layer ${l}`
        : `, from neuron ${k} of layer ${l - 1} to neuron ${j} of layer ${l}`;
    const third =
      l === network.L
        ? costStep(sheet, place, v, data, update)
        : pathsStep(sheet, place, v, above, data, update, render);
    view.replaceChildren(
      html("p", { class: "names" }, named(place), " = ", value.element, ends),
      html(
        "div",
        { class: "rule" },
        factor("", [fraction(v.C(), v.p())], "product", `dC_d${p}`),
        factor("=", [fraction(v.z(), v.p())], "dz", `dz_d${p}`),
        factor("×", [fraction(v.a(), v.z())], "da_dz", "da_dz"),
        factor("×", upToCost(v, network, l, j), "dC_da", "dC_da"),
      ),
      sheet.meaning("product"),
      html(
        "ol",
        { class: "steps" },
        sumStep(sheet, place, v, data, update),
        activationStep(sheet, place, v, data),
        third,
      ),
    );
    return sheet;
  }

  function render(state) {
    if (root.closest("[hidden]")) return; // while the user guesses
    const { l, j, k } = state.place;
    const above = pathUp(state, network, { l, j });
    const path = above.map((neuron) => neuron.j);
    const key = [l, j, k, state.C_index, state.isTraced, state.allDigits, ...path].join();
    if (built?.key !== key) built = { key, sheet: build(state, above) };
    view.classList.toggle("with-earlier", Boolean(state.before));
    built.sheet.set(state);
  }
  return render;
}
