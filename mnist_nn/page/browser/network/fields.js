// Input fields for the chosen parameter, so that every weight and bias can be chosen with the keyboard.

import { html, numberField } from "../parts/dom.js";
import { strongestInto } from "../mathematics/place.js";

export function mountPlace(data, update) {
  const { network } = data;
  const input = (name, label) =>
    numberField({ id: `place-${name}`, min: name === "l" ? 1 : 0, inputmode: "numeric", "aria-label": label }, read);
  const layer = input("l", "layer l");
  const to = input("j", "to neuron j");
  const from = input("k", "from neuron k");
  const bias = html("input", { type: "checkbox", id: "bias", change: read });
  function read() {
    const clamp = ({ input }, least, most) => Math.max(least, Math.min(most, Math.round(input.valueAsNumber)));
    const l = clamp(layer, 1, network.L);
    const j = clamp(to, 0, network.sizes[l] - 1);
    if (bias.checked) update({ place: { l, j, k: null } });
    else if (from.input.value === "") update({ place: strongestInto(data.current, l, j) });
    else update({ place: { l, j, k: clamp(from, 0, network.sizes[l - 1] - 1) } });
  }
  const strongest = html(
    "button",
    {
      type: "button",
      id: "strongest",
      click: () => {
        const { l, j } = data.current.place;
        update({ place: strongestInto(data.current, l, j) });
      },
    },
    "strongest weight into this neuron",
  );
  const element = html(
    "div",
    { class: "place", role: "group", "aria-label": "the chosen parameter" },
    html("label", {}, "layer ", layer.element),
    html("label", {}, "to neuron ", to.element),
    html("label", {}, "from neuron ", from.element),
    html("label", {}, bias, " bias"),
    strongest,
  );
  return {
    element,
    render({ place: { l, j, k } }) {
      layer.show(l);
      layer.input.max = String(network.L);
      to.show(j);
      to.input.max = String(network.sizes[l] - 1);
      if (k !== null) from.show(k); // beside a bias the weight's number stays, to return to
      from.input.max = String(network.sizes[l - 1] - 1);
      from.input.disabled = k === null;
      bias.checked = k === null;
    },
  };
}
