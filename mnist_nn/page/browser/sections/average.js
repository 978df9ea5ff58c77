// The derivatives of the batch as a histogram, their average, and the step that training would take.

import {
  distinguishable,
  field,
  formula,
  html,
  inlineFraction,
  mathml,
  number,
  operator,
  unsigned,
  variable,
} from "../parts/dom.js";
import { histogram } from "../mathematics/network.js";
import { letterOf, named, nameOf, symbolOf } from "../mathematics/place.js";
import { paintPicture, readAs } from "./digit.js";

export function mountAverage(root, data, update) {
  const own = html("p", {});
  const mean = html("p", {});
  const bars = html("ol", { class: "histogram" });
  const summary = html("p", {});
  const step = html("p", {});
  const members = html("div", { class: "members" });
  const values = html("div", { hidden: true });
  root.append(own, mean, bars, members, summary, step, values);
  let opened = {}; // the bin whose examples are listed: its weight and its lower edge

  return (state) => {
    const { perExample, place } = state;
    const p = letterOf(place);
    const traced = state.isTraced ? (name) => `${p === "w" ? "weight" : "bias"}.${name}` : () => null;
    const m = perExample.length;
    const average = perExample.reduce((sum, value) => sum + value, 0) / m;
    const spread = Math.sqrt(perExample.reduce((sum, value) => sum + (value - average) ** 2, 0) / m);
    const bins = histogram(perExample);
    const most = Math.max(...bins.map((bin) => bin.members.length));
    const here = state.isOwn ? -1 : data.batch.findIndex(({ n }) => n === state.example);
    const isOutside = here < 0; // of the batch
    const of = (index) => inlineFraction(variable("C", null, index), symbolOf(place));
    for (const element of [bars, members, summary]) element.hidden = m === 1;
    own.hidden = !isOutside;
    own.replaceChildren(
      of(state.C_index),
      " = ",
      html("b", {}, field(null, state.derivative.product)),
      ` for ${state.isOwn ? "your own example" : "this example"}, which is not in the batch.`,
    );
    mean.hidden = isOutside && m === 1;
    mean.replaceChildren(
      of(null),
      " = ",
      ...(m === 1 ? [of(state.C_index)] : [`(1/${m}) `, formula(mathml("mo", {}, "∑")), " ", of("i")]),
      " = ",
      html("b", {}, field(traced(`mean_dC_d${p}`), average)),
      m === 1
        ? ": the batch is this example alone."
        : ` over the ${m} examples of the batch, spread (s.d.) ${unsigned(spread)}`,
    );
    values.replaceChildren(
      ...(state.isTraced ? perExample.map((value, i) => field(traced(`per_example.${i}`), value)) : []),
    );
    const isOpen = (bin) => opened.of === nameOf(place) && opened.low === bin.low;
    bars.replaceChildren(
      ...bins.map((bin, n) => html("li", {}, drawBin(bin, n, most, bin.members.includes(here), isOpen(bin)))),
    );
    members.replaceChildren(...(bins.find(isOpen)?.members ?? []).map((i) => memberButton(i, i === here)));
    const down = perExample.filter((value) => value > 0).length;
    const up = perExample.filter((value) => value < 0).length;
    const sizes = perExample.reduce((sum, value) => sum + Math.abs(value), 0);
    summary.replaceChildren(
      `${down} of ${m} examples push `,
      formula(variable(p, null)),
      ` down, ${up} push it up${m > down + up ? `, ${m - down - up} do not change it` : ""}; ${Math.round(100 * (1 - Math.abs(average * m) / (sizes || 1)))}% of their size cancels.${down !== up && Math.sign(down - up) !== Math.sign(average) ? " A few large derivatives decide the sign." : ""}`,
    );
    const change = -data.motion.rate * (isOutside ? state.derivative.product : average);
    const [before, after] = distinguishable(state.value, state.value + change);
    step.replaceChildren(
      `A plain step on ${isOutside ? "this example alone" : "the batch"}, with η = ${unsigned(data.motion.rate)}, changes `,
      named(place),
      " by ",
      formula(operator("−"), mathml("mi", {}, "η")),
      " ",
      of(isOutside ? state.C_index : null),
      " = ",
      html("b", {}, field(null, change)),
      after === undefined ? `, so it stays ${before}.` : `, from ${before} to ${after}.`,
    );
  };

  function drawBin(bin, n, most, isHere, isOpen) {
    const edges = `${edge(bin.low)} to ${edge(bin.high)}`;
    const labels = labelsOf(bin.members.map((i) => data.examples[data.batch[i].n].label));
    const fill = html("span", { class: "fill" });
    fill.style.width = `${(100 * bin.members.length) / most}%`;
    return html(
      "button",
      {
        type: "button",
        class: "bin",
        "data-key": `bin-${n}`,
        "aria-expanded": String(isOpen),
        disabled: bin.members.length === 0,
        click: () => {
          opened = { of: nameOf(data.current.place), low: bin.low };
          update({ example: data.batch[bin.members[0]].n });
        },
      },
      html("span", { class: "edges" }, edges),
      html("span", { class: "count" }, String(bin.members.length)),
      html("span", { class: "length" }, fill),
      html("span", { class: "labels" }, data.digits ? labels : "", isHere ? html("b", {}, " ◀ this one") : ""),
    );
  }

  function memberButton(i, isHere) {
    const { n } = data.batch[i];
    const example = data.examples[n];
    const label = `example ${example.index}${data.digits ? `: ${readAs(example)}` : ""}`;
    const choose = {
      type: "button",
      class: "member",
      "data-key": `member-${i}`,
      "aria-pressed": String(isHere),
      "aria-label": label,
      click: () => update({ example: n }),
    };
    if (!data.side) return html("button", choose, String(example.index));
    const canvas = html("canvas", {});
    paintPicture(canvas, example.pixels, data.side);
    return html("button", choose, canvas);
  }
}

const edge = (value) => (value === 0 ? "0" : (value < 0 ? "−" : "+") + String(Number(Math.abs(value).toPrecision(3))));

// The labels in a bin, such as "all 8 are label 4", or its most frequent labels.
function labelsOf(labels) {
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  if (counts.size === 0) return "";
  if (counts.size === 1)
    return labels.length === 1 ? `label ${labels[0]}` : `all ${labels.length} are label ${labels[0]}`;
  const most = [...counts]
    .sort((p, q) => q[1] - p[1])
    .slice(0, 3)
    .map(([label]) => label);
  return `labels ${most.join(", ")}${counts.size > 3 ? ", …" : ""}`;
}
