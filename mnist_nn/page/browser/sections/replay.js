// The training as it was: its snapshots on a time line, and its curves from metrics.csv with a cursor at the snapshot.

import { mountChart } from "../parts/chart.js";
import { html, unsigned } from "../parts/dom.js";

const PAUSE = 700; // milliseconds between two snapshots while they play

export function mountReplay(root, data, update) {
  const { motion } = data;
  const snapshots = data.moments.filter(({ step }) => step !== null);
  const isAbsent = !snapshots.length && !data.metrics;
  root.closest("section").classList.toggle("absent", isAbsent);
  if (isAbsent) return () => {};
  const curves = html("div", { class: "charts" });
  const line = snapshots.length ? mountTimeLine(root, snapshots, data, update) : () => {};
  if (!snapshots.length)
    root.append(
      html(
        "p",
        {},
        "This run kept no snapshots. To replay a training here, train with ",
        html("code", {}, "--set training.snapshots=16"),
        ".",
      ),
    );
  root.append(curves);
  const charts = data.metrics ? mountCurves(curves, data.metrics) : [];
  return (state) => {
    line(state);
    for (const chart of charts) chart(motion.moment.step, state.theme);
  };
}

function mountTimeLine(root, snapshots, data, update) {
  const { motion, player } = data;
  const last = snapshots.length - 1;
  const slider = html("input", {
    type: "range",
    id: "time",
    min: 0,
    max: last,
    step: 1,
    "aria-label": "time line of the training",
    input: () => {
      clearTimeout(timer);
      timer = 0;
      show(Number(slider.value));
    },
  });
  const play = html("button", { type: "button", id: "replay-play", click: () => (timer ? stop() : start()) });
  const label = html("output", { class: "moment", for: "time" });
  let timer = 0;
  function show(i) {
    player.stop();
    motion.begin(snapshots[i]);
    update({});
  }
  function stop() {
    clearTimeout(timer);
    timer = 0;
    update({});
  }
  function start() {
    const at = snapshots.indexOf(motion.moment);
    advance(at < 0 || at === last ? 0 : at + 1);
  }
  function advance(i) {
    timer = i < last ? setTimeout(() => advance(i + 1), PAUSE) : 0;
    show(i);
  }
  root.append(
    html(
      "p",
      { class: "hint" },
      `The run kept ${snapshots.length} states of the network, more of them at the start, where most happens. Every section shows the chosen one. On this page they are rounded to 16 bits: by at most 1/65,534 of the largest weight of their layer.`,
    ),
    html("div", { class: "time" }, play, slider),
    html("p", {}, label),
  );
  return () => {
    const at = snapshots.indexOf(motion.moment);
    if (timer && at < 0) stop();
    play.replaceChildren(timer ? "❚❚ pause" : "▶ replay the training");
    root.closest("section").dataset.at = timer ? "playing" : String(at);
    slider.value = String(at < 0 ? last : at);
    slider.classList.toggle("elsewhere", at < 0);
    const name = at < 0 ? `${motion.moment.name}, which is not on the time line` : motion.moment.name.replace("snapshot: ", "");
    slider.setAttribute("aria-valuetext", name);
    label.replaceChildren(name);
  };
}

// The curves of the whole training. Each takes the step of the cursor, or null.
function mountCurves(root, metrics) {
  const isHeldOut = metrics.validation_cost.some((value) => value !== null);
  const series = (colour) => [
    { name: "training examples", colour, dash: false },
    ...(isHeldOut ? [{ name: "validation examples", colour: "text", dash: true }] : []),
  ];
  const percent = (share) => `${(100 * share).toFixed(1)}%`;
  return [
    ["cost", { title: "cost C of the training", series: series("C"), yName: "C", format: unsigned }],
    [
      "accuracy",
      {
        title: "accuracy of the training",
        series: series("w"),
        yName: "accuracy",
        format: percent,
        formatTick: (share) => `${100 * share}%`,
      },
    ],
  ].map(([name, options]) => {
    const chart = mountChart(root, { ...options, xName: "step" });
    const lines = [`train_${name}`, ...(isHeldOut ? [`validation_${name}`] : [])].map((column) => metrics[column]);
    return (cursor, theme) => chart({ x: metrics.step, lines, cursor, theme });
  });
}
