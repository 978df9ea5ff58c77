// "Guess the sign first": everything that reveals the sign of the derivative is hidden until the user has guessed.

import { formula, html, inlineFraction, number, operator, sigmaPrime, variable } from "../parts/dom.js";
import { pathsOf } from "../mathematics/network.js";
import { named, strongestInto, symbolOf } from "../mathematics/place.js";

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
    for (const element of document.querySelectorAll("[data-reveals]")) element.hidden = state.hides;
    if (state.isBlank) {
      question.replaceChildren("Draw a digit, or pick an image. A cost needs an example.");
      return;
    }
    if (!guess.on) {
      question.replaceChildren();
      return;
    }
    const { l, j, k } = place;
    const C = () => variable("C", null, state.C_index);
    const slope = () => inlineFraction(C(), symbolOf(place));
    if (state.hides) {
      const known = [
        ...(k === null ? [] : [equals("a", l - 1, k, state.passed.a[l - 1][k]), ", "]),
        equals("z", l, j, state.passed.z[l][j]),
        ", ",
        equals("a", l, j, state.passed.a[l][j]),
        ...(l === data.network.L ? [", ", equals("y", null, j, state.y[j])] : []),
      ];
      question.replaceChildren(
        html(
          "p",
          {},
          "You know: ",
          known,
          ".",
          l < data.network.L ? strongestPathText(state, data) : "",
          " If ",
          named(place),
          " is raised a little, does the cost ",
          formula(C()),
          " rise or fall?",
        ),
        html(
          "p",
          {},
          html(
            "button",
            { type: "button", id: "guess-rises", "data-key": "guess", click: () => guessSign(1) },
            "it rises: ",
            slope(),
            " > 0",
          ),
          " ",
          html(
            "button",
            { type: "button", id: "guess-falls", "data-key": "guess-falls", click: () => guessSign(-1) },
            "it falls: ",
            slope(),
            " < 0",
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
        " ",
        inlineFraction(variable("z", l, j), symbolOf(place)),
        ` = ${number(d.dz)}, `,
        formula(sigmaPrime(), operator("("), variable("z", l, j), operator(")")),
        ` = ${number(d.da_dz)} and `,
        inlineFraction(C(), variable("a", l, j)),
        ` = ${number(d.dC_da)} multiply to ${number(d.product)}: `,
        reasonForSign(state, data),
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

const equals = (letter, l, j, value) => [formula(variable(letter, l, j)), ` = ${number(value)}`];

// For a hidden neuron: a sentence about the path with the largest effect on the cost.
function strongestPathText({ place: { l, j }, passed, back, y }, data) {
  const [path] = pathsOf(data.network, back, l, j).sort((p, q) => Math.abs(q.product) - Math.abs(p.product));
  return [
    " Its strongest path goes through ",
    named({ l: l + 1, j: path.j, k: j }),
    ` = ${number(path.w)} to `,
    equals("a", l + 1, path.j, passed.a[l + 1][path.j]),
    l + 1 === data.network.L ? [" and ", equals("y", null, path.j, y[path.j])] : "",
    ".",
  ];
}

// The factor that decides the sign, as a sentence.
function reasonForSign({ place, passed, y, derivative: d }, data) {
  const { l, j } = place;
  if (d.product === 0) return "one factor is 0, so the product is 0.";
  const source =
    place.k !== null && d.dz < 0 ? "the activation in the previous layer is negative, which flips the sign; " : "";
  if (l < data.network.L)
    return [source, formula(sigmaPrime()), " is never negative, so the sum over the paths decides."];
  const than = passed.a[l][j] > y[j] ? "larger" : "smaller";
  return [
    source,
    formula(sigmaPrime()),
    " is never negative, and ",
    formula(variable("a", l, j)),
    ` is ${than} than `,
    formula(variable("y", null, j)),
    ".",
  ];
}
