// ∂C/∂a of a neuron as the sum over its paths through the next layer. A click on a path walks the chain back one layer.

import {
  counted,
  field,
  formula,
  fraction,
  html,
  identifier,
  number,
  numeral,
  operator,
  sumOver,
  variable,
} from "./dom.js";
import { pathsOf } from "./network.js";
import { strongestInto, summedNeuron } from "./place.js";

const SHOWN = 10; // paths, unless all are shown

export function mountPaths(root, data, update) {
  const { network } = data;
  const L = network.L;
  const route = html("p", { class: "route" });
  const title = html("div", { class: "sum" });
  const list = html("ol", { class: "paths" });
  const total = html("p", {});
  const all = html("button", {
    type: "button",
    id: "all-paths",
    click: () => update({ allPaths: !data.current.allPaths }),
  });
  const hint = html("p", { class: "hint" });
  root.append(route, title, list, total, all, hint);

  // Go back one layer. The neuron j of the clicked path joins the route. If the walk leaves a hidden neuron, it joins, too.
  function walk(neuron, j) {
    const { place, route: walked } = data.current;
    const isOutput = place.l === L;
    const next = isOutput
      ? { l: neuron.l, j: neuron.n }
      : { l: place.l - 1, j: place.k ?? strongestInto(data.current, place.l, place.j).k };
    if (next.l < 1) return;
    const chosenBefore = walked.find((step) => step.l === neuron.l + 1);
    update({
      place: strongestInto(data.current, next.l, next.j),
      route: [
        ...walked.filter((step) => step.l > neuron.l + 1),
        { l: neuron.l + 1, j, from: chosenBefore?.from ?? place },
        ...(isOutput ? [] : [{ l: neuron.l, j: neuron.n, from: place }]),
      ],
    });
  }

  return (state) => {
    const neuron = summedNeuron(state.place, L);
    root.classList.toggle("empty", !neuron);
    if (!neuron) {
      title.replaceChildren("A bias of the last layer has only one path to the cost: the three factors above.");
      for (const element of [route, list, total, hint]) element.replaceChildren();
      all.hidden = true;
      return;
    }
    const { l, n } = neuron;
    const paths = pathsOf(network, state.back, l, n);
    const ranked = [...paths].sort((p, q) => Math.abs(q.product) - Math.abs(p.product));
    const shown = state.allPaths ? ranked : ranked.slice(0, SHOWN);
    const most = Math.abs(ranked[0].product) || 1;
    const traced = state.isTraced ? (name) => `${l === state.place.l ? "paths" : "route.0"}.${name}` : () => null;
    const C = () => variable("C", null, state.C_index);
    const a = () => variable("a", l, n);
    const z_j = () => variable("z", l + 1, "j");
    const a_j = () => variable("a", l + 1, "j");
    drawRoute(route, state, neuron, update);
    title.replaceChildren(
      formula(
        fraction(C(), a()),
        operator("="),
        sumOver("j"),
        fraction(z_j(), a()),
        fraction(a_j(), z_j()),
        fraction(C(), a_j()),
      ),
    );
    list.replaceChildren(
      ...shown.map((path, rank) =>
        html(
          "li",
          {},
          html(
            "button",
            {
              type: "button",
              class: path.product < 0 ? "path negative" : "path positive",
              "data-j": path.j,
              "data-key": `path-${rank}`,
              click: () => walk(neuron, path.j),
            },
            html("span", { class: "through" }, formula(identifier("j"), operator("="), numeral(path.j))),
            html("span", { class: "product" }, field(traced(`terms.${path.j}.product`), path.product)),
            signedBar(path.product / most),
            html(
              "span",
              { class: "factors" },
              field(traced(`terms.${path.j}.w`), path.w),
              " × ",
              field(traced(`terms.${path.j}.da_dz`), path.da_dz),
              " × ",
              field(traced(`terms.${path.j}.dC_da`), path.dC_da),
            ),
          ),
        ),
      ),
    );
    const sum = paths.reduce((so_far, path) => so_far + path.product, 0);
    total.replaceChildren(
      `sum over ${counted(paths.length, "path")}: `,
      html("b", {}, field(traced("sum"), sum)),
      shown.length < paths.length
        ? `, of which ${number(ranked.slice(SHOWN).reduce((so_far, path) => so_far + path.product, 0))} through the ${paths.length - SHOWN} not shown`
        : "",
    );
    all.hidden = paths.length <= SHOWN;
    all.replaceChildren(state.allPaths ? `show the ${SHOWN} strongest` : `show all ${paths.length}`);
    hint.replaceChildren(
      state.place.l > 1
        ? "Click a path to follow the chain back to the previous layer."
        : "This is the first layer: the chain has reached the input.",
    );
  };
}

// A bar to the left of the middle for a negative share, to the right for a positive one.
function signedBar(share) {
  const bar = html("span", { class: "bar" });
  const fill = html("span", { class: "fill" });
  fill.style.width = `${50 * Math.abs(share)}%`;
  fill.style.left = `${share < 0 ? 50 - 50 * Math.abs(share) : 50}%`;
  bar.append(fill);
  return bar;
}

// The route walked so far, from the cost back. Clicking a step returns to it.
function drawRoute(element, state, neuron, update) {
  const a = (l, j) => formula(variable("a", l, j));
  const back = (step) => update({ place: step.from, route: state.route.filter(({ l }) => l > step.l) });
  element.replaceChildren(
    formula(variable("C", null, state.C_index)),
    ...state.route.flatMap((step) => [
      " ← ",
      html("button", { type: "button", "data-key": `route-${step.l}`, click: () => back(step) }, a(step.l, step.j)),
    ]),
    " ← ",
    a(neuron.l, neuron.n),
  );
}
