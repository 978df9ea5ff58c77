// Gradient descent by hand: steps on the example or on many images, the way back, and the course of cost and accuracy.

import { mountChart } from "../parts/chart.js";
import {
  counted,
  distinguishable,
  formula,
  html,
  identifier,
  mathml,
  number,
  numberField,
  operator,
  unsigned,
  variable,
} from "../parts/dom.js";
import { liveSentence } from "../parts/live.js";
import { named } from "../mathematics/place.js";

const SPEEDS = [1, 2, 5, 10, 20, 60]; // steps a second
const FASTEST_FALL = 0.5; // share of the predicted fall; with less, the step was not short

// The buttons of the bar that stays in sight.
export function mountTransport(root, { motion, player }, update) {
  const stopFirst = (act) => () => {
    player.stop();
    act();
    update({});
  };
  const buttons = {
    reset: button(
      "reset",
      "↺",
      "reset",
      stopFirst(() => motion.begin(motion.moment)),
    ),
    back: button(
      "back",
      "◀",
      "back",
      stopFirst(() => motion.back()),
    ),
    step: button("step", "▸", "one step", () => player.start(1)),
    ten: button("ten", "▸▸", "ten", () => player.start(10)),
    play: button("play", "▶", "play", () => {
      if (player.plays) player.stop();
      else return player.start(Infinity);
      update({});
    }),
  };
  const where = html("span", { class: "where", role: "status" });
  const result = liveSentence("span", { class: "result" });
  root.append(
    html("div", { class: "buttons", role: "group", "aria-label": "gradient descent" }, Object.values(buttons)),
    html("p", {}, where, result.element), // after the buttons, which must not move under the pointer
  );
  return () => {
    document.body.classList.toggle("moving", player.isBusy);
    const focused = document.activeElement;
    buttons.back.disabled = !motion.kept.length;
    buttons.reset.disabled = !motion.kept.length && !motion.steps;
    if (focused?.disabled && root.contains(focused)) buttons.step.focus();
    setText(buttons.play.firstChild, player.plays ? "❚❚" : "▶");
    setText(buttons.play.lastChild, player.plays ? "pause" : "play");
    const taken = [
      ...(motion.steps ? [`+ ${counted(motion.steps, "step")}`] : []),
      ...(motion.edits ? [`+ ${counted(motion.edits, "change")} by hand`] : []),
    ];
    setText(where, [motion.moment.name, ...taken].join(" "));
    result.set(resultOf(motion.change));
  };
}

// What the last steps did to C, in a few words.
function resultOf(change) {
  if (change?.kind !== "steps") return "";
  if (!Number.isFinite(change.after)) return ": {C} is no longer a number";
  return `: {C} ${distinguishable(change.C, change.after).join(" → ")}`;
}

const button = (id, sign, name, click) =>
  html(
    "button",
    { type: "button", id, click },
    html("span", { class: "icon", "aria-hidden": "true" }, sign),
    html("span", {}, name),
  );

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function mountDownhill(root, data, update) {
  const { motion, player } = data;
  const from = html(
    "select",
    {
      id: "moment",
      change: () => {
        player.stop();
        motion.begin(data.moments.find(({ key }) => key === from.value));
        update({});
      },
    },
    data.moments.filter(({ step }) => step === null).map(({ key, name }) => html("option", { value: key }, name)),
    html("option", { value: "", disabled: true, hidden: true }, "a snapshot"),
  );
  const over = choices(data).map(([value, name]) =>
    html(
      "label",
      {},
      html("input", { type: "radio", name: "over", value, change: () => update({ over: value }) }),
      ` ${name}`,
    ),
  );
  const rate = numberField({ id: "rate", min: 0, step: "any" }, (value) => {
    motion.rate = value;
    update({});
  });
  const speed = html(
    "select",
    { id: "speed", change: () => (player.perSecond = Number(speed.value)) },
    SPEEDS.map((n) => html("option", { value: n }, counted(n, "step"))),
  );
  const faster = (by) => () => {
    player.perSecond = SPEEDS[Math.max(0, Math.min(SPEEDS.length - 1, SPEEDS.indexOf(player.perSecond) + by))];
    update({});
  };
  const sentence = html("p", { class: "effect" });
  const weight = html("p", { class: "effect" });
  const charts = html("div", { class: "charts" });
  root.append(
    html(
      "div",
      { class: "settings screen-only" },
      html("label", {}, "begin from ", from),
      html("label", {}, "learning rate ", formula(identifier("η")), " ", rate.element),
      html("fieldset", { class: "over" }, html("legend", {}, "step on"), over),
      html(
        "span",
        { class: "speed" },
        html("label", {}, speed, " a second "),
        html("button", { type: "button", id: "slower", click: faster(-1) }, "slower"),
        html("button", { type: "button", id: "faster", click: faster(1) }, "faster"),
      ),
    ),
    sentence,
    weight,
    charts,
  );
  const seen = `the page’s ${counted(data.examples.length, "example")}`;
  const held = `${counted(data.heldOut.length, "example")} it never steps on`;
  const series = [
    { name: seen, colour: "C", dash: false },
    ...(data.heldOut.length ? [{ name: held, colour: "text", dash: true }] : []),
  ];
  const cost = mountChart(charts, { title: "cost C, averaged", series, xName: "step", yName: "C", format: unsigned });
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  const accuracy = data.digits
    ? mountChart(charts, {
        title: "accuracy",
        series: series.map((line) => ({ ...line, colour: line.dash ? "text" : "w" })),
        xName: "step",
        yName: "accuracy",
        formatTick: (share) => `${100 * share}%`,
        yRange: [0, 1],
        format: percent,
      })
    : null;
  return (state) => {
    from.value = motion.moment.step === null ? motion.moment.key : "";
    for (const label of over) label.firstChild.checked = label.firstChild.value === state.over;
    if (document.activeElement !== rate.input) rate.show(motion.rate);
    speed.value = String(player.perSecond);
    sentence.replaceChildren(...effectText(motion, state));
    weight.replaceChildren(...parameterText(motion, state));
    const { course } = motion;
    charts.hidden = !course;
    if (!course) return;
    const { x, lines } = course;
    const shown = (...names) => names.slice(0, series.length).map((name) => lines[name]);
    cost({ x, lines: shown("cost", "heldCost"), cursor: null, theme: state.theme });
    accuracy?.({ x, lines: shown("accuracy", "heldAccuracy"), cursor: null, theme: state.theme });
  };
}

// What a step can be taken on: {value: name}.
function choices({ batch, examples }) {
  return [
    ["example", "this example"],
    ...(batch.length > 1 ? [["batch", `the batch of ${batch.length}`]] : []),
    ...(batch.length < examples.length ? [["all", `all ${examples.length} of the page`]] : []),
  ];
}

// The examples that a step is taken on.
export const examplesOf = ({ over, own }, { batch, examples }) => ({ example: [own], batch, all: examples })[over];

const gradientSquared = () =>
  mathml(
    "msup",
    {},
    mathml("mrow", {}, operator("‖"), operator("∇"), variable("C", null), operator("‖")),
    mathml("mn", {}, "2"),
  );

// What the last steps did to C, beside what the slope predicted.
function effectText({ change, rate }, state) {
  if (!change)
    return [
      "Each step moves every weight and every bias by ",
      formula(
        operator("−"),
        identifier("η"),
        operator("∂"),
        identifier("C"),
        operator("/"),
        operator("∂"),
        identifier("w"),
      ),
      ". Take one, and watch the numbers on the whole page.",
    ];
  if (change.kind === "edit") return ["You set ", named(change.place), " by hand."];
  const { n, C, after, predicted, examples } = change;
  const what =
    examples.length > 1
      ? `averaged over ${examples.length} examples`
      : examples[0].index === "own"
        ? "for your own example"
        : `for example ${examples[0].index}`;
  if (!Number.isFinite(after))
    return ["The cost is no longer a number: η is far too large. Go back, and try a smaller η."];
  const [from, to] = distinguishable(C, after);
  const moved =
    after === C
      ? `stayed at ${from}`
      : `${after < C ? "fell" : "rose"} from ${from} to ${to}, by ${unsigned(Math.abs(after - C))}`;
  return [
    `${n === 1 ? "One step" : `${n} steps`}: `,
    formula(variable("C", null)),
    `, ${what}, ${moved}. The slope${n === 1 ? "" : "s on the way"} predicted `,
    formula(operator("−"), identifier("η"), gradientSquared()),
    ` = ${number(predicted)}. `,
    after > C
      ? "The step was too long for the slope to hold. Try a smaller η."
      : after - C > FASTEST_FALL * predicted
        ? "The slope flattened on the way, because the step was long."
        : "",
  ];
}

// How the chosen parameter moved.
function parameterText({ change }, { place, before, value }) {
  if (change?.kind !== "steps" || !before) return [];
  const [from, to] = distinguishable(before.value, value);
  return [
    named(place),
    to === undefined
      ? ` stayed ${from}: its derivative was 0.`
      : ` moved from ${from} to ${to}, by ${number(value - before.value)}.`,
  ];
}
