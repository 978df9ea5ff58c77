// Building blocks: elements, the chapter's variables in MathML, numbers, and listboxes for the arrow keys.

const NAMESPACES = { svg: "http://www.w3.org/2000/svg", math: "http://www.w3.org/1998/Math/MathML" };

function create(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

export const html = (name, attributes, ...children) => create(document.createElement(name), attributes, children);
export const svg = (name, attributes, ...children) =>
  create(document.createElementNS(NAMESPACES.svg, name), attributes, children);
export const mathml = (name, attributes, ...children) =>
  create(document.createElementNS(NAMESPACES.math, name), attributes, children);

const DIGITS = 3; // significant digits, unless all are shown
let allDigits = false;

// Show all digits of every number from the next rendering on, or three.
export function setAllDigits(all) {
  allDigits = all;
  document.body.classList.toggle("all-digits", all);
}

// Format a number with its sign: with three significant digits, or with all. 0 has no sign.
export function number(value) {
  const size = Math.abs(value);
  const isWhole = Number.isInteger(size) && size < 1000;
  const text = isWhole ? String(size) : allDigits ? long(size) : short(size);
  return `${value < 0 ? "−" : value > 0 ? "+" : ""}${withMinus(text)}`;
}

// The same without the plus sign.
export const unsigned = (value) => number(value).replace("+", "");

function short(size, digits = DIGITS) {
  const [text, power] = size.toExponential(digits - 1).split("e");
  return !power || (power >= -3 && power < digits) ? size.toPrecision(digits) : `${text}e${Number(power)}`;
}

const long = (size) => (size < 1e-3 ? size.toExponential() : String(size));

const withMinus = (text) => text.replaceAll("-", "−");

// A change of z, a or C below 1e-12 may be only rounding, and counts as 0.
export const clean = (value) => (Math.abs(value) < 1e-12 ? 0 : value);
export const ratio = (numerator, denominator) => (clean(denominator) ? number(clean(numerator) / denominator) : "–");

// Format two numbers with the fewest digits that show their difference, at least three. One number if they are equal.
export function distinguishable(before, after) {
  if (before === after) return [unsigned(before)];
  if (allDigits) return [before, after].map(unsigned);
  let digits = DIGITS;
  while (digits < 17 && before.toPrecision(digits) === after.toPrecision(digits)) digits += 1;
  return [before, after].map((value) =>
    withMinus(value === 0 ? "0" : `${value < 0 ? "-" : ""}${short(Math.abs(value), digits)}`),
  );
}

export const counted = (n, noun) => (n === 1 ? `1 ${noun}` : `${n.toLocaleString("en")} ${noun}s`);

// A number on the screen. Its data attributes hold its full precision, and its path in the document of `--json`. A mouse
// that rests on it sees all digits.
export const field = (path, value, format = number) =>
  html(
    "span",
    { class: "number", title: String(value), "data-field": path, "data-value": String(value) },
    format(value),
  );

// A variable of the chapter in its colour: a letter with the layer as superscript and the indices as subscript.
export function variable(letter, layer, ...index) {
  const indexed = index.filter((i) => i !== null && i !== undefined);
  const base = mathml("mi", { class: `is-${letter}` }, letter);
  const below = mathml(
    "mrow",
    {},
    indexed.flatMap((i, n) => [n ? mathml("mo", {}, ",") : null, mathml(indexElement(i), {}, String(i))]),
  );
  const above =
    layer === null
      ? null
      : mathml("mrow", {}, bracket("("), mathml("mn", {}, String(layer)), bracket(")"));
  const name = above && indexed.length ? "msubsup" : above ? "msup" : indexed.length ? "msub" : "mrow";
  return mathml(name, { class: `is-${letter}` }, base, indexed.length ? below : null, above);
}

// Parentheses stay as small as their line.
export const bracket = (sign) => mathml("mo", { stretchy: "false" }, sign);

// A number, a letter that counts, or a word.
const indexElement = (i) => (typeof i === "number" ? "mn" : i.length === 1 ? "mi" : "mtext");

export const operator = (sign) => mathml("mo", {}, sign);
export const identifier = (name) => mathml("mi", {}, name);
export const numeral = (value) => mathml("mn", {}, String(value));
export const partial = (of) => mathml("mrow", {}, operator("∂"), of);
export const fraction = (above, below) => mathml("mfrac", {}, partial(above), partial(below));
export const inlineFraction = (above, below) => formula(partial(above), operator("/"), partial(below));
// σ′. The prime is not a superscript, because most fonts have it small and raised already.
export const sigmaPrime = () =>
  mathml("mrow", {}, identifier("σ"), mathml("mo", { class: "prime", lspace: "0.08em", rspace: "0.08em" }, "′"));
export const formula = (...parts) => mathml("math", {}, mathml("mrow", {}, ...parts));
export const sumOver = (index) =>
  mathml("munder", {}, mathml("mo", { movablelimits: "false" }, "∑"), mathml("mi", {}, index));

// A field for a number. `read` gets what is entered. Without a number the field says so, and keeps its last one.
// Returns the field with its message, and a function that shows a number in it.
export function numberField(attributes, read) {
  const message = html("span", { class: "needs", role: "status" });
  let kept = "";
  const input = html("input", {
    ...attributes,
    type: "number",
    input: () => message.replaceChildren(),
    change: () => {
      const value = input.valueAsNumber;
      if (Number.isFinite(value)) return read(value);
      input.value = kept;
      message.replaceChildren(`needs a number: still ${withMinus(kept)}`);
    },
  });
  return {
    input,
    element: html("span", {}, input, message),
    show(value) {
      if (kept !== String(value)) message.replaceChildren();
      kept = input.value = String(value);
    },
  };
}

// Make `container` a listbox of its `options`: one Tab stop, in which the arrow keys choose an option.
// Returns a function that marks the chosen option.
export function listbox(container, options, columns, choose) {
  container.setAttribute("role", "listbox");
  container.setAttribute("tabindex", "0");
  options.forEach((option, i) => {
    option.setAttribute("role", "option");
    option.addEventListener("click", () => choose(i));
  });
  container.addEventListener("keydown", (event) => {
    const selected = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: columns(),
      ArrowUp: -columns(),
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(options.length - 1, selected + moves[event.key])));
  });
  return (chosen) => {
    options.forEach((option, i) => option.setAttribute("aria-selected", String(i === chosen)));
    if (options[chosen]) container.setAttribute("aria-activedescendant", options[chosen].id);
    else container.removeAttribute("aria-activedescendant");
  };
}

// A colour of the style sheet, for canvases, as the browser computes it for the theme.
const swatch = html("span", { hidden: true });
export function colour(name) {
  if (!swatch.isConnected) document.body.append(swatch);
  swatch.style.color = `var(--${name})`;
  return getComputedStyle(swatch).color;
}
