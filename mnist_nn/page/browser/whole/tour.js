// A tour of the page that follows the chapter "Backpropagation calculus", with this network's numbers. At each stop the
// viewer does something.

import {
  counted,
  formula,
  fraction,
  html,
  identifier,
  mathml,
  number,
  numeral,
  operator,
  sumOver,
  unsigned,
  variable,
} from "../parts/dom.js";
import { strongestInto } from "../mathematics/place.js";

const C_of = (state) => variable("C", null, state.C_index);

// Each stop: its title, the slide and the section that it shows, its text, what to do, and whether that is done, given the
// state now and the state when the stop was reached. Some stops set something up when they are reached.
function stopsOf(data) {
  const { network, motion, moments } = data;
  const { L, sizes } = network;
  const a = (state) => variable("a", state.place.l, state.place.j);
  const z = (state) => variable("z", state.place.l, state.place.j);
  const w = (state) => variable(state.place.k === null ? "b" : "w", state.place.l, state.place.j, state.place.k);
  const outermost = (state) => ({ place: strongestInto(state, L, state.place.l === L ? state.place.j : 0) });
  const hasMany = data.examples.length > 1;
  const stops = [
    {
      title: "A network",
      at: ["digit-layers", "layers"],
      text: () => [
        `This network has ${sizes
          .slice(1)
          .reduce((sum, n, l) => sum + n * sizes[l], 0)
          .toLocaleString(
            "en",
          )} weights, in layers of ${sizes.join("–")} neurons. The chapter begins with one neuron in each layer. Every connection here works like the one there.`,
      ],
      task: hasMany ? "Choose another example in section 1." : "Change an input in section 1.",
      done: (now, then) => now.x !== then.x,
    },
    {
      title: "The cost of one example",
      at: ["digit-layers", "digit"],
      text: (state) => [
        "The cost adds up how far each output is from what it should be: ",
        formula(C_of(state), operator("="), ...costFormula(data)),
        ` = ${unsigned(state.C)}.`,
      ],
      task: data.digits
        ? "Choose another desired digit. Does the cost rise?"
        : "Change a desired output. Does the cost rise?",
      done: (now, then) => now.y !== then.y,
    },
    {
      title: "The weighted sum",
      at: ["layers-chain", "layers"],
      begin: (state) => (state.example === null ? {} : { example: state.example }),
      text: (state) => [
        "A neuron adds up what comes in, ",
        formula(
          z(state),
          operator("="),
          sumOver("k"),
          variable("w", null, "k"),
          variable("a", null, "k"),
          operator("+"),
          variable("b", null),
        ),
        ", and bends the sum: ",
        formula(a(state), operator("="), identifier("σ"), operator("("), z(state), operator(")")),
        ` = ${unsigned(state.passed.a[state.place.l][state.place.j])}.`,
      ],
      task: "Click a neuron. Then unfold its sum in section 3.",
      done: (now, then) => now.place !== then.place,
    },
    {
      title: "A tiny nudge",
      at: ["nudge-tree", "nudge"],
      begin: (state) => ({ ...outermost(state), nudgeBy: 0 }),
      text: (state) => [
        "How sensitive is the cost to the weight ",
        formula(w(state)),
        "? Think of ",
        formula(operator("∂"), w(state)),
        " as a tiny nudge. It nudges ",
        formula(z(state)),
        ", which nudges ",
        formula(a(state)),
        ", which nudges the cost.",
      ],
      task: "Nudge the weight by 0.01, and follow the chain.",
      done: (now) => now.nudgeBy !== 0,
    },
    {
      title: "The chain rule",
      at: ["layers-chain", "chain"],
      begin: () => ({ nudgeBy: 0 }),
      text: (state) => [
        "Three ratios multiply to the one we want: ",
        formula(
          fraction(C_of(state), w(state)),
          operator("="),
          fraction(z(state), w(state)),
          fraction(a(state), z(state)),
          fraction(C_of(state), a(state)),
        ),
        ` = ${[state.derivative.dz, state.derivative.da_dz, state.derivative.dC_da].map(number).join(" × ")} = ${number(state.derivative.product)}.`,
      ],
      task: "Find a weight that starts at a neuron which is nearly off. What happens to the product?",
      done: (now, then) => now.place !== then.place && now.place.k !== null && Math.abs(now.derivative.dz) < 0.1,
    },
    {
      title: "The bias",
      at: ["layers-chain", "chain"],
      text: (state) => [
        "The bias is simpler. ",
        formula(fraction(z(state), variable("b", state.place.l, state.place.j)), operator("="), numeral(1)),
        ": a nudge of the bias reaches ",
        formula(z(state)),
        " whole.",
      ],
      task: "Tick “bias”, under the network.",
      done: (now) => now.place.k === null,
    },
    {
      title: "The average over the examples",
      at: ["average", "average"],
      begin: outermost,
      text: () => [
        "One example asks for one change, another for the opposite. The gradient takes the average: ",
        formula(
          fraction(variable("C", null), variable("w", null)),
          operator("="),
          mathml("mfrac", {}, numeral(1), identifier("n")),
          sumOver("k"),
          fraction(variable("C", null, "k"), variable("w", null)),
        ),
        ".",
      ],
      task: "Click a bar, and look at the images that ask for this.",
      done: (now, then) => now.x !== then.x,
    },
    {
      title: "Backwards",
      at: ["digit-layers", "layers"],
      text: (state) => [
        "We cannot set an activation, but we can ask what it should be: ",
        formula(
          fraction(C_of(state), variable("a", null)),
          operator("="),
          variable("w", null),
          identifier("σ"),
          operator("′"),
          operator("("),
          variable("z", null),
          operator(")"),
          fraction(C_of(state), variable("a", null, "next")),
        ),
        ". Each layer hands this to the layer before. That is backpropagation.",
      ],
      task: "Switch the drawing to “backward”.",
      done: (now) => now.direction === "backward",
    },
    {
      title: "Several paths",
      at: ["paths", "paths"],
      begin: outermost,
      text: () => [
        "With more neurons in a layer, an activation reaches the cost along several paths. The derivative adds them up: ",
        formula(
          sumOver("j"),
          fraction(variable("z", null, "j"), variable("a", null, "k")),
          fraction(variable("a", null, "j"), variable("z", null, "j")),
          fraction(variable("C", null), variable("a", null, "j")),
        ),
        ".",
      ],
      task: "Click a path, and go back a layer.",
      done: (now, then) => now.place.l < then.place.l,
    },
    {
      title: "One step downhill",
      at: ["downhill", "downhill"],
      text: () => [
        "All these derivatives together are ",
        formula(operator("∇"), variable("C", null)),
        ". A step moves every weight and bias a little against it.",
      ],
      task: "Take one step. Did the cost fall as much as the slope predicted?",
      done: (now, then) => now.version !== then.version && motion.steps > 0,
    },
    {
      title: "Learning",
      at: ["downhill", "downhill"],
      text: () => ["Repeat that, and the network learns. Begin with a network that knows nothing."],
      task: "Begin from another state, step on many examples, and play.",
      done: () => motion.moment !== moments[0] && motion.steps >= 10,
    },
    {
      title: "The training, replayed",
      at: ["replay-weights", "replay"],
      text: () => ["This is how the weights of the run became what they are."],
      task: "Replay the training, and watch the weights of the first layer.",
      done: () => motion.moment.step !== null,
    },
  ];
  return stops.filter(({ title }) => {
    if (title === "Several paths") return L > 1;
    if (title === "The average over the examples") return data.batch.length > 1;
    if (title === "The training, replayed") return moments.some(({ step }) => step !== null);
    return true;
  });
}

function costFormula({ network }) {
  const term = [variable("a", null, "j"), operator("−"), variable("y", null, "j")];
  if (network.costName === "squared_error")
    return [sumOver("j"), mathml("msup", {}, mathml("mrow", {}, operator("("), ...term, operator(")")), numeral(2))];
  return [
    operator("−"),
    sumOver("j"),
    variable("y", null, "j"),
    identifier("ln"),
    variable("a", null, "j"),
    operator("+"),
    operator("("),
    numeral(1),
    operator("−"),
    variable("y", null, "j"),
    operator(")"),
    identifier("ln"),
    operator("("),
    numeral(1),
    operator("−"),
    variable("a", null, "j"),
    operator(")"),
  ];
}

export function mountTour(root, data, update) {
  const stops = stopsOf(data);
  const title = html("h2", { tabindex: "-1" });
  const text = html("p", {});
  const task = html("p", { class: "task", "aria-live": "polite" });
  const back = html("button", { type: "button", id: "tour-back", click: () => go(-1) }, "◀ back");
  const next = html("button", { type: "button", id: "tour-next", click: () => go(1) });
  const end = html("button", { type: "button", id: "tour-end", click: () => update({ tour: null }) }, "end (Esc)");
  root.append(title, text, task, html("p", { class: "buttons" }, back, next, end));
  let reached = null; // the stop, and the state in which it was reached
  let isDone = false;
  addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && data.current.tour !== null && !data.current.slide) update({ tour: null });
  });

  function go(by) {
    const to = data.current.tour + by;
    update({ tour: to < stops.length ? Math.max(0, to) : null });
  }

  function reach(state) {
    const stop = stops[state.tour];
    reached = { tour: state.tour, state };
    isDone = false;
    update({ ...(stop.begin?.(state) ?? {}), ...(state.slide ? { slide: stop.at[0] } : {}) });
    reached = { tour: state.tour, state: data.current };
    if (!state.slide) document.getElementById(`section-${stop.at[1]}`).scrollIntoView({ block: "start" });
    title.focus({ preventScroll: true });
  }

  return (state) => {
    const stop = stops[state.tour];
    root.hidden = !stop;
    document.body.classList.toggle("touring", Boolean(stop));
    for (const section of document.querySelectorAll("main > section"))
      section.classList.toggle("toured", section.id === `section-${stop?.at[1]}`);
    if (!stop) {
      if (reached) document.getElementById("start-tour").focus({ preventScroll: true });
      return (reached = null);
    }
    if (reached?.tour !== state.tour) return reach(state);
    isDone ||= stop.done(state, reached.state);
    title.textContent = `${state.tour + 1} of ${stops.length} · ${stop.title}`;
    text.replaceChildren(...stop.text(state));
    task.replaceChildren(html("b", {}, isDone ? "✓ done: " : "your turn: "), stop.task);
    back.disabled = state.tour === 0;
    next.textContent = state.tour + 1 === stops.length ? "finish" : isDone ? "next ▶" : "skip ▶";
  };
}
