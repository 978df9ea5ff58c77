// "Guess the sign first": everything that gives the derivative's sign away is hidden until the guess is made.

import { html, number } from "./dom.js";
import { pathsOf } from "./network.js";
import { letterOf, nameOf, strongestInto } from "./place.js";

export function mountGuess(root, data, update) {
  const mode = html("input", {
    type: "checkbox",
    id: "guessing",
    change: () => update({ guess: { ...data.current.guess, on: mode.checked, made: null } }),
  });
  const question = html("div", { class: "question", "aria-live": "polite" });
  root.append(html("label", { class: "screen-only" }, mode, " guess the sign first"), question);

  function make(sign) {
    const { derivative, guess } = data.current;
    const right = Math.sign(derivative.product) === sign;
    update({ guess: { ...guess, made: sign, asked: guess.asked + 1, right: guess.right + Number(right) } });
  }

  // Some other weight into the last layer, for some example: there the three factors can be thought through.
  function another() {
    const pick = (n) => Math.floor(Math.random() * n);
    const example = pick(data.examples.length);
    const l = data.network.L;
    const j = data.digits && Math.random() < 0.5 ? data.examples[example].label : pick(data.network.sizes[l]); // half of them with y = 1
    update({ example });
    update({ place: strongestInto(data.current, l, j), guess: { ...data.current.guess, made: null } });
  }

  return (state) => {
    const { guess, place, derivative: d } = state;
    mode.checked = guess.on;
    const hides = guess.on && guess.made === null;
    for (const element of document.querySelectorAll("[data-reveals]")) element.hidden = hides;
    if (!guess.on) {
      question.replaceChildren();
      return;
    }
    const p = letterOf(place);
    if (hides) {
      const { l, j, k } = place;
      const known = [
        ...(k === null ? [] : [`a(${l - 1})[${k}] = ${number(state.passed.a[l - 1][k])}`]),
        `z(${l})[${j}] = ${number(state.passed.z[l][j])}`,
        `a(${l})[${j}] = ${number(state.passed.a[l][j])}`,
        ...(l === data.network.L ? [`y[${j}] = ${state.y[j]}`] : []),
      ].join(", ");
      question.replaceChildren(
        html(
          "p",
          {},
          `You know that ${known}.${l < data.network.L ? strongestWay(state, data) : ""} If ${nameOf(place)} is raised a little, does the cost ${state.C_name} rise or fall?`,
        ),
        html(
          "p",
          {},
          html(
            "button",
            { type: "button", id: "guess-rises", "data-key": "guess", click: () => make(1) },
            `it rises: ∂C/∂${p} > 0`,
          ),
          " ",
          html(
            "button",
            { type: "button", id: "guess-falls", "data-key": "guess-falls", click: () => make(-1) },
            `it falls: ∂C/∂${p} < 0`,
          ),
          " ",
          html("button", { type: "button", id: "guess-stays", click: () => make(0) }, "it stays: 0"),
        ),
      );
      return;
    }
    const right = Math.sign(d.product) === guess.made;
    const verdict = right ? "✓ Right." : "✗ Not so.";
    question.replaceChildren(
      html(
        "p",
        {},
        html("b", { id: "guess-verdict" }, verdict),
        ` ∂z/∂${p} = ${number(d.dz)}, σ′ = ${number(d.da_dz)} and ∂C/∂a = ${number(d.dC_da)} make ${number(d.product)}: ${because(state, data)}`,
      ),
      html(
        "p",
        {},
        html("span", { id: "score" }, `${guess.right} of ${guess.asked} right. `),
        html("button", { type: "button", id: "another", "data-key": "guess", click: another }, "another one"),
      ),
    );
  };
}

// Of a hidden neuron: what is known of the path by which it moves the cost most.
function strongestWay({ place: { l, j }, passed, back, y }, data) {
  const [path] = pathsOf(data.network, back, l, j).sort((p, q) => Math.abs(q.product) - Math.abs(p.product));
  const target = l + 1 === data.network.L ? ` and y[${path.j}] = ${y[path.j]}` : "";
  return ` Its strongest way on is ${nameOf({ l: l + 1, j: path.j, k: j })} = ${number(path.w)} to a(${l + 1})[${path.j}] = ${number(passed.a[l + 1][path.j])}${target}.`;
}

// Which factor decides the sign.
function because({ place, passed, y, derivative: d }, data) {
  const { l, j } = place;
  if (d.product === 0) return "one factor is 0, so nothing gets through.";
  const source = place.k !== null && d.dz < 0 ? "the activation before is negative, which turns the sign; " : "";
  if (l < data.network.L) return `${source}σ′ is never negative, so the sum over the paths decides.`;
  return `${source}σ′ is never negative, and a is too ${passed.a[l][j] > y[j] ? "large" : "small"}.`;
}
