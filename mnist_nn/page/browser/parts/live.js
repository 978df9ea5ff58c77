// Text and numbers that are set many times a second while training plays. Setting what is shown already costs nothing.

import { html, identifier, inlineFraction, formula, number, sigmaPrime, unsigned, variable } from "./dom.js";

// An element with a text that can be set.
export function liveText(name = "span", attributes = {}) {
  const text = document.createTextNode("");
  const element = html(name, attributes, text);
  return {
    element,
    set(next) {
      if (text.data !== next) text.data = next;
    },
  };
}

// A number like `field` of dom.js that can be set, and a quiet text with its value before a training step.
export function liveNumber(format = unsigned) {
  const element = html("span", { class: "number" });
  const earlier = html("span", { class: "earlier" });
  const was = [html("span", { class: "was-word" }, "was "), document.createTextNode("")];
  const formatBefore = format === sizeOf ? unsigned : format;
  let [shown, shownPath, shownBefore] = [null, null, null];
  return {
    element,
    earlier,
    set(value, before = null, path = null) {
      if (!Object.is(value, shown)) {
        element.textContent = format(value);
        element.title = element.dataset.value = String(value);
        shown = value;
      }
      if (path !== shownPath) {
        if (path === null) delete element.dataset.field;
        else element.dataset.field = path;
        shownPath = path;
      }
      const hasBefore = Number.isFinite(before ?? NaN);
      if (hasBefore !== earlier.hasChildNodes()) earlier.replaceChildren(...(hasBefore ? was : []));
      if (hasBefore && before !== shownBefore) was[1].data = formatBefore(before);
      shownBefore = before;
    },
  };
}

// The size of a number. Its sign stands before it, as the operator of a sum.
export const sizeOf = (value) => unsigned(Math.abs(value));
export const signOf = (value) => (value < 0 ? "−" : "+");

// An element with a sentence that can be set. In a sentence {z} stands for the typeset symbol z.
export function liveSentence(name, attributes) {
  const element = html(name, attributes);
  let shown = null;
  return {
    element,
    set(sentence) {
      if (sentence === shown) return;
      shown = sentence;
      element.replaceChildren(...sentence.split(/(\{[^}]*\}[.,:]?)/).map(typeset));
    },
  };
}

// A symbol stays on one line with the punctuation after it.
function typeset(part) {
  const [, symbol, punctuation] = /^(\{.*\})(.?)$/.exec(part) ?? [];
  if (!symbol) return part;
  return punctuation ? html("span", { class: "unbroken" }, SYMBOLS[symbol](), punctuation) : SYMBOLS[symbol]();
}

const letter = (name) => () => formula(variable(name, null));
const SYMBOLS = {
  "{z}": letter("z"),
  "{a}": letter("a"),
  "{y}": letter("y"),
  "{C}": letter("C"),
  "{σ}": () => formula(identifier("σ")),
  "{σ′}": () => formula(sigmaPrime()),
  "{∂z/∂w}": () => inlineFraction(variable("z", null), variable("w", null)),
  "{∂C/∂a}": () => inlineFraction(variable("C", null), variable("a", null)),
};

// A change with its sign, or nothing for no change.
export const changeText = (value) => (value === 0 ? "" : `Δ ${number(value)}`);
