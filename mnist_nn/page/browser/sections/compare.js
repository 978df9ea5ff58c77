// Two runs side by side, A and B: the same example and the same parameter in both networks, with shared scales.

import { mountChart } from "../parts/chart.js";
import {
  clean,
  counted,
  distinguishable,
  formula,
  fraction,
  html,
  identifier,
  inlineFraction,
  mathml,
  number,
  numberField,
  operator,
  sigmaPrime,
  unsigned,
  variable,
} from "../parts/dom.js";
import { mountFindings } from "../network/findings.js";
import { fullColourAt, heatColours, paintHeat } from "./heat.js";
import { liveNumber, liveText } from "../parts/live.js";
import { answerOf } from "../mathematics/network.js";
import { heatMapNeuron, named, symbolOf } from "../mathematics/place.js";

const NAMES = ["A", "B"];
const SATURATED = 0.01; // σ′ below it, as in diagnosis.js
const MOST_POWERS = 12; // of ten, on the scale of the bars
const PICTURE_PAUSE = 100; // milliseconds between two drawings of pictures and curves while the networks move

export function mountCompare(root, data, update) {
  if (!data.other) return () => {};
  root.closest("section").classList.remove("absent");
  const runs = [data, { ...data.other, player: data.player }];
  const table = mountTable(runs, data, update);
  const layers = mountBars(runs);
  const pictures = data.side ? mountNeuronPictures(runs, data) : null;
  const findings = runs.map(mountOneFindings);
  const charts = html("div", { class: "charts" });
  root.append(
    html(
      "div",
      { class: "compare-columns" },
      table.element,
      layers.tables.map((rows, n) => html("div", {}, html("h3", {}, badge(n), " ", runs[n].name), rows)),
      pictures?.elements ?? [],
      findings.map(({ element }) => element),
    ),
    html("p", { class: "hint" }, layers.hint, pictures ? PICTURES_HINT : ""),
    charts,
  );
  const curves = mountBothCurves(charts, runs, data);
  let then = 0; // when pictures and curves were drawn
  return (state) => {
    const states = [state, state.other];
    table.render(states);
    layers.render();
    const now = performance.now();
    if (data.player.isBusy && now - then < PICTURE_PAUSE) return;
    then = now;
    pictures?.render(states);
    for (const { render } of findings) render();
    curves(state);
  };
}

const PICTURES_HINT =
  " In the pictures a stronger colour is a larger absolute value, and a dash marks a negative one. The same colour is the same value in A and in B.";

const badge = (n) => html("b", { class: `compare-badge ${n ? "is-other" : ""}` }, NAMES[n]);

// What stands out in one network, or that nothing does.
function mountOneFindings(run, n) {
  const element = html("div", { class: "compare-findings" });
  const render = mountFindings(element, run);
  if (n === 0) element.querySelector(".findings").setAttribute("aria-live", "off"); // section 2 says them already
  element.prepend(badge(n));
  element.append(html("p", { class: "compare-healthy" }, "nothing stands out in this network"));
  return { element, render };
}

// The table: the settings that differ, where each network stands, what it answers, and the chain rule with its factors.
function mountTable(runs, data, update) {
  const { other } = data;
  const moments = runs.map(() => liveText());
  const rates = runs.map(({ motion }, n) =>
    numberField(
      { id: `rate-${NAMES[n]}`, min: 0, step: "any", "aria-label": `learning rate η of run ${NAMES[n]}` },
      (value) => {
        motion.rate = value;
        update({});
      },
    ),
  );
  const steps = runs.map(() => html("td", {}));
  const stepsName = liveText();
  const reads = runs.map(() => html("span", {}));
  const readsName = liveText();
  const costs = numbersOf(unsigned);
  const parameter = html("th", { scope: "row" });
  const values = numbersOf();
  const C = html("th", { scope: "row" });
  const factors = ["dz", "da_dz", "dC_da", "product"].map((key) => ({
    key,
    name: html("th", { scope: "row" }),
    numbers: numbersOf(),
    ratio: liveText("td", { class: "compare-ratio" }),
  }));
  const row = (name, cells, last = html("td", {})) =>
    html("tr", {}, typeof name === "string" ? html("th", { scope: "row" }, name) : name, cells, last);
  const cellsOf = (lives) => lives.map(({ element }) => html("td", {}, element));
  const stepsRow = row(html("th", { scope: "row" }, stepsName.element), steps);
  const element = html(
    "table",
    { class: "compare-table" },
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        html("td", {}),
        runs.map(({ name }, n) =>
          html("th", { scope: "col" }, badge(n), html("span", { class: "compare-name" }, ` ${name}`)),
        ),
        html("th", { scope: "col", class: "compare-ratio" }, "B / A"),
      ),
    ),
    html(
      "tbody",
      { class: "compare-settings" },
      other.settings.length
        ? other.settings.map(([key, ...both]) =>
            row(
              settingName(key),
              both.map((value) => html("td", {}, html("b", {}, value))),
            ),
          )
        : row("settings", html("td", { colspan: 2 }, "all alike")),
    ),
    html(
      "tbody",
      {},
      row("state", cellsOf(moments)),
      html(
        "tr",
        { class: "screen-only" },
        html("th", { scope: "row" }, "η for steps on this page"),
        rates.map((rate) => html("td", {}, rate.element)),
        html("td", {}),
      ),
      stepsRow,
      data.digits
        ? row(
            html("th", { scope: "row" }, readsName.element),
            reads.map((span) => html("td", {}, span)),
          )
        : "",
      row(C, cellsOf(costs)),
      row(parameter, cellsOf(values)),
    ),
    html(
      "tbody",
      { class: "compare-chain", "data-reveals": true },
      factors.map(({ key, name, numbers, ratio }) => {
        const line = row(name, cellsOf(numbers), ratio.element);
        if (key === "product") line.classList.add("compare-product");
        return line;
      }),
    ),
  );
  let written = null; // the names that stand at the left
  function render(states) {
    const [{ place, C_index }] = states;
    const names = `${C_index} ${Object.values(place)}`;
    if (names !== written) {
      written = names;
      const cost = variable("C", null, C_index);
      const a = variable("a", place.l, place.j);
      const z = variable("z", place.l, place.j);
      C.replaceChildren(formula(cost.cloneNode(true)));
      parameter.replaceChildren(named(place));
      const symbols = [
        [fraction(z.cloneNode(true), symbolOf(place))],
        [operator("×"), fraction(a.cloneNode(true), z), operator("="), sigmaPrime()],
        [operator("×"), fraction(cost.cloneNode(true), a)],
        [operator("="), fraction(cost, symbolOf(place))],
      ];
      factors.forEach(({ name }, i) => name.replaceChildren(formula(...symbols[i])));
    }
    states.forEach((state, n) => {
      const { motion } = runs[n];
      moments[n].set(momentText(runs, n));
      if (document.activeElement !== rates[n].input) rates[n].show(motion.rate);
      costs[n].set(state.C);
      values[n].set(state.value);
      for (const { key, numbers } of factors) numbers[n].set(state.derivative[key]);
      if (!data.digits) return;
      const answer = answerOf(state.passed.a[data.network.L]);
      reads[n].textContent = states[0].isBlank ? "–" : String(answer);
      reads[n].classList.toggle("misread", answer !== answerOf(state.y));
    });
    readsName.set(states[0].isBlank ? "reads" : `reads this ${answerOf(states[0].y)} as`);
    for (const { key, ratio } of factors) ratio.set(ratioText(...states.map(({ derivative }) => derivative[key])));
    const changes = runs.map(({ motion }) => (motion.change?.kind === "steps" ? motion.change : null));
    stepsRow.hidden = changes.includes(null);
    if (stepsRow.hidden) return;
    const { n, examples } = changes[0];
    stepsName.set(`the last ${n === 1 ? "step" : `${n} steps`}, on ${counted(examples.length, "example")}`);
    changes.forEach((change, i) => steps[i].replaceChildren(...stepsText(change)));
  }
  return { element, render };
}

const numbersOf = (format = number) => NAMES.map(() => liveNumber(format));

// training.learning_rate: the section is quiet, because the key says enough.
function settingName(key) {
  const [name, ...sections] = key.split(".").reverse();
  return html(
    "th",
    { scope: "row" },
    html("span", { class: "compare-quiet" }, sections.map((part) => [`${part}.`, html("wbr")]).reverse()),
    name,
  );
}

// Which state of its training a network shows, and the steps taken since.
function momentText(runs, n) {
  const { motion, moments } = runs[n];
  const lacks = n && runs[0].motion.moment.step !== null && !moments.some(({ step }) => step !== null);
  const taken = [
    ...(motion.steps ? [`+ ${counted(motion.steps, "step")}`] : []),
    ...(motion.edits ? [`+ ${counted(motion.edits, "change")} by hand`] : []),
  ];
  return [motion.moment.name, ...(lacks ? ["(this run kept no snapshots)"] : []), ...taken].join(" ");
}

function ratioText(a, b) {
  return clean(a) && Number.isFinite(b / a) ? `×${unsigned(b / a)}` : "–";
}

// What the last steps did to C, beside what the slope predicted.
function stepsText({ C, after, predicted }) {
  if (!Number.isFinite(after)) return ["C is no longer a number: η is far too large"];
  const [from, to] = distinguishable(C, after);
  if (to === undefined) return [`C stayed at ${from}`];
  return [
    html(
      "b",
      { class: after > C ? "compare-rose" : null },
      `${after > C ? "▲ " : "▼ "}C ${after < C ? "fell" : "rose"} by ${unsigned(Math.abs(after - C))}`,
    ),
    html("span", { class: "compare-quiet" }, ` from ${from} to ${to}; the slope predicted ${number(predicted)}`),
  ];
}

// For each run a table with the layers as rows, the last one on top, as the gradient goes. The bars of both runs have the
// same scales.
function mountBars(runs) {
  const { L } = runs[0].network;
  const mostSlope = Math.max(...runs.flatMap(({ network }) => network.activation.slice(1).map(largestSlope)));
  const head = () => [
    html("th", { scope: "col" }, "layer"),
    html("th", { scope: "col" }, "rms ", inlineFraction(variable("C", null), variable("z", null))),
    html("th", { scope: "col" }, "saturated"),
    html("th", { scope: "col" }, "mean ", formula(sigmaPrime())),
  ];
  const parts = runs.map((_, n) => {
    const rows = [];
    for (let l = L; l >= 1; l--) rows.push(mountRow(l, n));
    const ends = [0, 1].map(() => html("span", {}));
    const table = html(
      "table",
      { class: `compare-layers ${n ? "is-other" : ""}` },
      html("thead", {}, html("tr", {}, head())),
      html(
        "tbody",
        {},
        rows.map(({ element }) => element),
      ),
      html(
        "tfoot",
        { "aria-hidden": "true" },
        html(
          "tr",
          {},
          html("td", {}),
          html("td", {}, html("span", { class: "compare-ends" }, ends)),
          html("td", {}, html("span", { class: "compare-ends" }, html("span", {}, "0"), html("span", {}, "100 %"))),
          html(
            "td",
            {},
            html("span", { class: "compare-ends" }, html("span", {}, "0"), html("span", {}, String(mostSlope))),
          ),
        ),
      ),
    );
    return { rows, ends, table };
  });

  function mountRow(l, n) {
    const numbers = [liveNumber(), liveNumber(shareText), liveNumber()];
    const fills = numbers.map(() => html("span", { class: "fill" }));
    const element = html(
      "tr",
      { "data-layer": l },
      html("th", { scope: "row" }, String(l), l === L ? html("span", { class: "compare-quiet" }, " out") : ""),
      numbers.map((live, i) =>
        html("td", {}, live.element, html("span", { class: i ? "compare-bar" : "compare-bar powers" }, fills[i])),
      ),
    );
    return {
      element,
      set(values, lengths) {
        values.forEach((value, i) => numbers[i].set(value));
        lengths.forEach((length, i) => {
          fills[i].style.width = `${100 * length}%`;
          fills[i].hidden = length === 0;
        });
      },
    };
  }

  let powers = null; // [lowest, highest] of the scale of rms ∂C/∂z. It only grows, so that bars can be followed.
  function render() {
    const facts = runs.map(({ network, batch }) => layerFacts(network, batch));
    const found = facts
      .flat()
      .map(({ rms }) => Math.log10(rms))
      .filter(Number.isFinite);
    if (found.length) {
      const high = Math.max(Math.ceil(Math.max(...found)), powers?.[1] ?? -Infinity);
      const low = Math.min(Math.floor(Math.min(...found)), powers?.[0] ?? Infinity, high - 2);
      powers = [Math.max(low, high - MOST_POWERS), high];
    }
    const [low, high] = powers ?? [-2, 0];
    const length = (rms) => Math.max(0, Math.min(1, (Math.log10(rms) - low) / (high - low))) || 0;
    parts.forEach(({ rows, ends, table }, n) => {
      table.style.setProperty("--powers", String(high - low));
      ends.forEach((end, i) => showPower(end, i ? high : low));
      rows.forEach(({ set }, i) => {
        const { rms, saturated, slope } = facts[n][L - 1 - i];
        set([rms, saturated, slope], [length(rms), saturated, Math.min(1, slope / mostSlope) || 0]);
      });
    });
  }

  const showPower = (element, power) => {
    if (element.dataset.power === String(power)) return;
    element.dataset.power = String(power);
    const exponent = mathml("mn", {}, String(power).replace("-", "−"));
    element.replaceChildren(power ? formula(mathml("msup", {}, mathml("mn", {}, "10"), exponent)) : "1");
  };

  const m = runs[0].batch.length;
  const hint = [
    `The bars are over ${counted(m, "example")}, and have the same scales in A and in B. Each line across the bars of rms `,
    inlineFraction(variable("C", null), variable("z", null)),
    " is a factor of 10: if they shrink from the last layer down to layer 1, the gradient vanishes on its way back. A saturated neuron has ",
    formula(sigmaPrime(), operator("<"), mathml("mn", {}, String(SATURATED))),
    ".",
  ];
  return { tables: parts.map(({ table }) => table), render, hint };
}

// The largest value of σ′.
const largestSlope = ({ sigma, sigmaPrime: slope }) => slope(sigma(0)) || 1; // at z = 0; of relu 1

const shareText = (share) => `${(Math.floor(1000 * share + 0.5) / 10).toFixed(1)} %`;

// For each layer, over the examples: the root mean square of ∂C/∂z, the share of σ′ < 0.01, and the mean of σ′.
function layerFacts({ L, sizes }, batch) {
  return sizes.slice(1).map((n, before) => {
    const l = before + 1;
    let [squares, below, sum] = [0, 0, 0];
    for (const { back } of batch) {
      const [dC_dz, da_dz] = [back.dC_dz[l], back.da_dz[l]];
      for (let j = 0; j < n; j++) {
        squares += dC_dz[j] * dC_dz[j];
        below += da_dz[j] < SATURATED;
        sum += da_dz[j];
      }
    }
    const count = n * batch.length;
    return { rms: Math.sqrt(squares / count), saturated: below / count, slope: sum / count };
  });
}

// The neuron's weights and their gradient in both networks. The same colour is the same value in both.
function mountNeuronPictures(runs, data) {
  const { network } = data;
  const pictures = runs.map(() =>
    ["w", "∂C/∂w"].map((of) => {
      const canvas = html("canvas", { class: "compare-heat", role: "img" });
      const symbol = html("span", {});
      const most = liveNumber();
      const caption = html("figcaption", {}, symbol, ": largest ", most.element);
      return { of, canvas, symbol, most, figure: html("figure", { "data-reveals": of !== "w" }, canvas, caption) };
    }),
  );
  const titles = runs.map(() => liveText());
  const elements = pictures.map((pair, n) =>
    html(
      "div",
      {},
      html("p", { class: "compare-neuron" }, badge(n), " ", titles[n].element),
      html(
        "div",
        { class: "compare-pictures" },
        pair.map(({ figure }) => figure),
      ),
    ),
  );
  let [seen, colours] = [null, null];
  function render(states) {
    const [{ place, theme, C_index, C_name }] = states;
    const now = `${theme} ${C_index} ${Object.values(place)}`;
    const isNew = now !== seen;
    if (isNew) colours = heatColours();
    seen = now;
    const owner = heatMapNeuron(place);
    const n = network.sizes[owner.l - 1];
    const across = owner.l === 1 ? data.side : Math.ceil(Math.sqrt(n));
    const shape = { across, down: Math.ceil(n / across) };
    const weights = runs.map(({ network: { w } }) => w[owner.l].subarray(owner.j * n, (owner.j + 1) * n));
    const gradients = states.map(({ passed, back }) => {
      const dC_dz = back.dC_dz[owner.l][owner.j];
      return passed.a[owner.l - 1].map((a) => a * dC_dz);
    });
    [weights, gradients].forEach((both, i) => {
      const most = both.map(largestSize);
      const strong = fullColourAt(Math.max(...most));
      both.forEach((values, run) => {
        const { canvas, symbol, most: shown, of } = pictures[run][i];
        paintHeat(canvas, values, strong, shape, owner.l === place.l ? place.k : null, colours);
        shown.set(most[run]);
        if (!isNew) return;
        const C = variable("C", null, C_index);
        symbol.replaceChildren(i ? inlineFraction(C, variable("w", null)) : formula(variable("w", null)));
        const what = i ? of.replace("C", C_name) : of;
        canvas.setAttribute("aria-label", `${what} of neuron ${owner.j} of layer ${owner.l} in run ${NAMES[run]}`);
      });
    });
    for (const title of titles) title.set(`the ${counted(n, "weight")} into neuron ${owner.j} of layer ${owner.l}`);
  }
  return { elements, render };
}

function largestSize(values) {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i]));
  return most;
}

// The curves of both trainings, with the cursor at the time line's step, and the course of the steps taken on the page.
function mountBothCurves(root, runs, data) {
  const series = NAMES.map((name, n) => ({ name: `${name}: ${runs[n].name}`, colour: `run-${name}`, dash: n === 1 }));
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const recorded = runs.map(({ metrics }) => metrics);
  const isHeldOut = recorded.every((metrics) => !metrics || metrics.validation_cost.some((value) => value !== null));
  const [kind, on] = isHeldOut ? ["validation", "validation examples"] : ["train", "training examples"];
  const charts = recorded.some(Boolean)
    ? [
        ["cost", { title: `cost C of the training, on ${on}`, yName: "C", format: unsigned }],
        [
          "accuracy",
          {
            title: `accuracy of the training, on ${on}`,
            yName: "accuracy",
            format: percent,
            formatTick: (share) => `${100 * share}%`,
          },
        ],
      ].map(([name, options]) => {
        const chart = mountChart(root, { ...options, series, xName: "steps" });
        const lines = recorded.map((metrics) => ({ x: metrics?.step ?? [], y: metrics?.[`${kind}_${name}`] ?? [] }));
        const both = onOneAxis(lines);
        let drawn = null;
        return (cursor, theme) => {
          if (drawn === `${cursor} ${theme}`) return;
          drawn = `${cursor} ${theme}`;
          chart({ ...both, cursor, theme });
        };
      })
    : [];
  const steps = html("div", {});
  root.append(steps);
  const title = `cost C of the page’s ${counted(data.examples.length, "example")}, while you step`;
  const course = mountChart(steps, { title, series, xName: "steps", yName: "C", format: unsigned });
  return ({ theme }) => {
    for (const chart of charts) chart(data.motion.moment.step, theme);
    const courses = runs.map(({ motion }) => motion.course);
    steps.hidden = courses.includes(null);
    if (!steps.hidden)
      course({ ...onOneAxis(courses.map(({ x, lines }) => ({ x, y: lines.cost }))), cursor: null, theme });
  };
}

// Two lines on one x axis. If their x values differ, each line gets values at those of the other, on the straight lines
// between its own points.
function onOneAxis([first, second]) {
  const [one, other] = [first.x, second.x];
  const areAlike = one.length === other.length && one.every((x, i) => x === other[i]);
  if (areAlike) return { x: one, lines: [first.y, second.y] };
  const x = [...new Set([...one, ...other])].sort((a, b) => a - b);
  return { x, lines: [first, second].map((line) => x.map((at) => valueAt(line, at))) };
}

function valueAt({ x, y }, at) {
  const after = x.findIndex((value) => value >= at);
  if (after < 0) return NaN;
  if (x[after] === at) return y[after];
  if (after === 0) return NaN;
  const share = (at - x[after - 1]) / (x[after] - x[after - 1]);
  return y[after - 1] + share * (y[after] - y[after - 1]);
}
