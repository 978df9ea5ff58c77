// "Guess the sign first": everything that reveals the sign of the derivative is hidden until the user has guessed.

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

  function guessSign(sign) {
    const { derivative, guess } = data.current;
    const right = Math.sign(derivative.product) === sign;
    update({ guess: { ...guess, made: sign, asked: guess.asked + 1, right: guess.right + Number(right) } });
  }

  // Ask about a random weight into the last layer, for a random example. There the three factors can be worked out by hand.
  function askAnother() {
    const pick = (n) => Math.floor(Math.random() * n);
    const example = pick(data.examples.length);
    const l = data.network.L;
    const j = data.digits && Math.random() < 0.5 ? data.examples[example].label : pick(data.network.sizes[l]); // y = 1 in more than half of the questions
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
          `You know: ${known}.${l < data.network.L ? strongestPathText(state, data) : ""} If ${nameOf(place)} is raised a little, does the cost ${state.C_name} rise or fall?`,
        ),
        html(
          "p",
          {},
          html(
            "button",
            { type: "button", id: "guess-rises", "data-key": "guess", click: () => guessSign(1) },
            `it rises: ∂C/∂${p} > 0`,
          ),
          " ",
          html(
            "button",
            { type: "button", id: "guess-falls", "data-key": "guess-falls", click: () => guessSign(-1) },
            `it falls: ∂C/∂${p} < 0`,
          ),
          " ",
          html("button", { type: "button", id: "guess-stays", click: () => guessSign(0) }, "it stays the same: 0"),
        ),
      );
      return;
    }
    const right = Math.sign(d.product) === guess.made;
    const verdict = right ? "✓ Right." : "✗ Wrong.";
    question.replaceChildren(
      html(
        "p",
        {},
        html("b", { id: "guess-verdict" }, verdict),
        ` ∂z/∂${p} = ${number(d.dz)}, σ′ = ${number(d.da_dz)} and ∂C/∂a = ${number(d.dC_da)} multiply to ${number(d.product)}: ${reasonForSign(state, data)}`,
      ),
      html(
        "p",
        {},
        html("span", { id: "score" }, `${guess.right} of ${guess.asked} right. `),
        html("button", { type: "button", id: "another", "data-key": "guess", click: askAnother }, "another question"),
      ),
    );
  };
}

// For a hidden neuron: a sentence about the path with the largest effect on the cost.
function strongestPathText({ place: { l, j }, passed, back, y }, data) {
  const [path] = pathsOf(data.network, back, l, j).sort((p, q) => Math.abs(q.product) - Math.abs(p.product));
  const target = l + 1 === data.network.L ? ` and y[${path.j}] = ${y[path.j]}` : "";
  return ` Its strongest path goes through ${nameOf({ l: l + 1, j: path.j, k: j })} = ${number(path.w)} to a(${l + 1})[${path.j}] = ${number(passed.a[l + 1][path.j])}${target}.`;
}

// The factor that decides the sign, as a sentence.
function reasonForSign({ place, passed, y, derivative: d }, data) {
  const { l, j } = place;
  if (d.product === 0) return "one factor is 0, so the product is 0.";
  const source = place.k !== null && d.dz < 0 ? "the activation in the previous layer is negative, which flips the sign; " : "";
  if (l < data.network.L) return `${source}σ′ is never negative, so the sum over the paths decides.`;
  return `${source}σ′ is never negative, and a is ${passed.a[l][j] > y[j] ? "larger" : "smaller"} than y.`;
}
