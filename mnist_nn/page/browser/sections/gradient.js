// The whole ∇C of a small network: every parameter, which can be changed, and its entry with all factors. Clicking an entry
// takes it apart in section 3.

import { field, formula, html, inlineFraction, numberField, operator, variable } from "../parts/dom.js";
import { cancels, derivativeOf, dzOf } from "../mathematics/network.js";
import { nameOf, named, symbolOf } from "../mathematics/place.js";

export function mountGradient(root, data, update) {
  const listed = data.trace.gradient; // undefined unless the network is small
  root.closest("section").classList.toggle("absent", !listed);
  if (!listed) return () => {};
  const title = html("p", {});
  const rows = listed.map(({ layer, j, k }, n) => {
    const place = { l: layer, j, k };
    const value = numberField({ step: "any", "aria-label": nameOf(place) }, (entered) => {
      data.motion.edit(place, entered);
      update({});
    });
    const entry = html("button", {
      type: "button",
      class: "entry",
      "data-key": `entry-${n}`,
      click: () => update({ place }),
    });
    return { place, value, entry, row: html("li", {}, html("label", {}, named(place), " ", value.element), entry) };
  });
  root.append(
    title,
    html(
      "ol",
      { class: "entries" },
      rows.map(({ row }) => row),
    ),
  );
  return (state) => {
    const C = () => variable("C", null, state.C_index);
    title.replaceChildren(
      "Change any weight or bias. Beside it is its entry of ",
      formula(operator("∇"), C()),
      ", with every factor. Click an entry to take it apart.",
    );
    rows.forEach(({ place, value, entry }, n) => {
      const traced = state.isTracedExample ? (name) => `gradient.${n}.${name}` : () => null;
      const factors = factorsOf(state, data.network, place).flatMap((factor, i) => [
        i ? " × " : " = ",
        field(traced(`factors.${i}.value`), factor),
      ]);
      const product = derivativeOf(state.passed, state.back, place);
      value.show(data.network.parameter(place));
      entry.replaceChildren(
        inlineFraction(C(), symbolOf(place)),
        ...factors,
        " = ",
        html("b", {}, field(traced("product"), product)),
      );
    });
  };
}

// The factors of an entry, from the parameter up to the cost, or up to the first ∂C/∂a that is a sum over several paths.
function factorsOf({ passed, back }, network, place) {
  let { l, j } = place;
  const factors = [dzOf(passed, place)];
  while (!cancels(network, l)) {
    factors.push(back.da_dz[l][j]);
    if (l === network.L || network.sizes[l + 1] > 1) return [...factors, back.dC_da[l][j]];
    factors.push(network.parameter({ l: l + 1, j: 0, k: j }));
    l += 1;
    j = 0;
  }
  return [...factors, back.dC_dz[l][j]];
}
