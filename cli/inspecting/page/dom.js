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

// Format a number with its sign in nine columns: with six decimals, seven digits, or an exponent.
export function number(value) {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : "+";
  if (size === 0 || (size >= 1e-3 && size < 1)) return sign + size.toFixed(6);
  if (size >= 1 && size < 1e6) return sign + size.toPrecision(7);
  const [digits, power] = size.toExponential(2).split("e");
  return `${sign}${digits}e${power[0].replace("-", "−")}${power.slice(1).padStart(2, "0")}`;
}

// A change of z, a or C below 1e-12 may be only rounding, and counts as 0.
export const clean = (value) => (Math.abs(value) < 1e-12 ? 0 : value);
export const ratio = (numerator, denominator) => (clean(denominator) ? number(clean(numerator) / denominator) : "–");

// Format two numbers with the fewest digits that show their difference, at least seven.
export function distinguishable(before, after) {
  let digits = 7;
  while (digits < 17 && before.toPrecision(digits) === after.toPrecision(digits)) digits += 1;
  return [before.toPrecision(digits), after.toPrecision(digits)];
}

export const counted = (n, noun) => (n === 1 ? `1 ${noun}` : `${n.toLocaleString("en")} ${noun}s`);

// A number on the screen. Its data attributes hold its full precision, and its path in the document of `--json`.
export const field = (path, value) =>
  html("span", { class: "number", "data-field": path, "data-value": String(value) }, number(value));

// A variable of the chapter in its colour: a letter with the layer as superscript and the indices as subscript.
export function variable(letter, layer, ...index) {
  const indexed = index.filter((i) => i !== null && i !== undefined);
  const base = mathml("mi", { class: `is-${letter}` }, letter);
  const below = mathml(
    "mrow",
    {},
    indexed.flatMap((i, n) => [n ? mathml("mo", {}, ",") : null, mathml("mn", {}, String(i))]),
  );
  const above =
    layer === null
      ? null
      : mathml("mrow", {}, mathml("mo", {}, "("), mathml("mn", {}, String(layer)), mathml("mo", {}, ")"));
  const name = above && indexed.length ? "msubsup" : above ? "msup" : indexed.length ? "msub" : "mrow";
  return mathml(name, { class: `is-${letter}` }, base, indexed.length ? below : null, above);
}

export const operator = (sign) => mathml("mo", {}, sign);
export const identifier = (name) => mathml("mi", {}, name);
export const numeral = (value) => mathml("mn", {}, String(value));
export const partial = (of) => mathml("mrow", {}, operator("∂"), of);
export const fraction = (above, below) => mathml("mfrac", {}, partial(above), partial(below));
export const formula = (...parts) => mathml("math", {}, mathml("mrow", {}, ...parts));
export const sumOver = (index) =>
  mathml("munder", {}, mathml("mo", { movablelimits: "false" }, "∑"), mathml("mi", {}, index));

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

// A colour of the style sheet, for canvases.
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
