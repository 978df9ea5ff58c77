// The chain rule for the chosen parameter: the three factors and their product, and the equation above each derivative.

import {
  formula,
  fraction,
  html,
  identifier,
  mathml,
  numeral,
  number,
  operator,
  partial,
  sigmaPrime,
  sumOver,
  variable,
} from "./dom.js";
import { liveNumber, liveSentence, liveText, signOf, sizeOf } from "./live.js";
import { meaningOf } from "./meaning.js";
import { pathsOf } from "./network.js";
import { letterOf, named, strongestInto, symbolOf } from "./place.js";
import { mountSlope } from "./slope.js";
import { mountTerms } from "./terms.js";
import { pathUp } from "./upward.js";

// Functions that return the variables of the chain as MathML. Each call makes a new element.
export function variablesOf(state) {
  const { l, j, k } = state.place;
  return {
    p: () => symbolOf(state.place),
    below: () => (k === null ? numeral(1) : variable("a", l - 1, k)),
    z: () => variable("z", l, j),
    a: () => variable("a", l, j),
    y: () => variable("y", null, j),
    C: () => variable("C", null, state.C_index),
  };
}

// Parentheses stay as small as their line.
const bracket = (sign) => mathml("mo", { stretchy: "false" }, sign);
const parenthesized = (...parts) => mathml("mrow", {}, bracket("("), ...parts, bracket(")"));
const minus = () => operator("−");

// ∂C/∂a_j of an output neuron as a formula.
function outputSlope({ costName }, a, y) {
  if (costName === "squared_error") return mathml("mrow", {}, numeral(2), parenthesized(a(), minus(), y()));
  return mathml(
    "mrow",
    {},
    parenthesized(a(), minus(), y()),
    operator("/"),
    parenthesized(a(), parenthesized(numeral(1), minus(), a())),
  );
}

// The term of an output neuron in C as a formula.
function outputCost({ costName }, a, y) {
  if (costName === "squared_error")
    return mathml("mrow", {}, bracket("("), a(), minus(), y(), mathml("msup", {}, bracket(")"), numeral(2)));
  const logarithm = (of) => mathml("mrow", {}, operator("ln"), of);
  return mathml(
    "mrow",
    {},
    minus(),
    y(),
    logarithm(a()),
    minus(),
    parenthesized(numeral(1), minus(), y()),
    logarithm(parenthesized(numeral(1), minus(), a())),
  );
}

// Σ over all i but one, in one line of text.
const sumExcept = (index, one) =>
  mathml(
    "msub",
    {},
    mathml("mo", { largeop: "false" }, "∑"),
    mathml("mrow", {}, identifier(index), one === null ? null : [operator("≠"), numeral(one)]),
  );

// A column of an equation: a symbol, with its number below. `live` is what `liveNumber` returns.
const column = (symbol, live = null, between = null) =>
  html(
    "span",
    { class: "term" },
    html("span", { class: "symbol" }, symbol && formula(symbol)),
    between === null ? null : html("span", { class: "between" }, between && formula(between)),
    html("span", { class: "now" }, live?.element ?? null),
    live?.earlier ?? html("span", { class: "earlier" }),
  );

// A column with an operator, between symbols and between numbers.
const operatorColumn = (above, below = above, hasBetween = false) =>
  html(
    "span",
    { class: "term" },
    html("span", { class: "symbol", "aria-hidden": "true" }, above),
    hasBetween ? html("span", { class: "between" }) : null,
    html("span", { class: "now" }, below),
    html("span", { class: "earlier" }),
  );

// The columns of the chosen parameter stand out among the other terms.
function foreground(element) {
  element.classList.add("chosen");
  return element;
}

export function mountChain(root, data, update) {
  const { network } = data;
  const view = html("div", { class: "chain" });
  root.append(view);
  const unfolded = new Set(); // names of the sums whose terms are shown
  let built = null;

  // A parameter now, or before a training step: `s` is either state.
  function parameterIn(s, place) {
    const { l, j, k } = data.current.place;
    if (place.l === l && place.j === j && place.k === k) return s.value;
    if (s === data.current) return network.parameter(place);
    const view = place.k === null ? network.b[place.l] : network.w[place.l];
    const start = (view.byteOffset - network.w[1].byteOffset) / view.BYTES_PER_ELEMENT;
    const index = start + (place.k === null ? place.j : place.j * network.sizes[place.l - 1] + place.k);
    return data.motion.before[index];
  }

  function build(state) {
    const { l, j, k } = state.place;
    const { L, sizes } = network;
    const v = variablesOf(state);
    const p = letterOf(state.place);
    const setters = [];
    const traced = state.isTraced ? (name) => `${p === "w" ? "weight" : "bias"}.${name}` : () => null;

    // A number that shows of(state), and of(state.before) as the earlier one.
    function shows(of, format, path = null) {
      const live = liveNumber(format);
      setters.push((s) => live.set(of(s), s.before ? of(s.before) : null, path));
      return live;
    }
    function signs(of) {
      const live = liveText();
      setters.push((s) => live.set(signOf(of(s))));
      return live.element;
    }
    // A column with its sign before it, for every summand but the first.
    const added = (of, symbol) => [operatorColumn("+", signs(of)), column(symbol, shows(of, sizeOf))];

    // The rest of a sum, as a button that unfolds its terms in a panel below. Returns the columns and the panel.
    function unfolding(name, of, symbol, terms, values, isFirst = false, hasBetween = false) {
      const panel = html("div", { class: "unfolded", id: `terms-${name}` });
      const live = shows(of, isFirst ? undefined : sizeOf);
      const set = () => {
        panel.hidden = !unfolded.has(name);
        button.setAttribute("aria-expanded", String(unfolded.has(name)));
        if (panel.hidden) return;
        if (!panel.firstChild) panel.append(terms.element);
        const now = data.current;
        terms.show(...values(now), now.before !== null && now.before !== undefined);
      };
      const button = html(
        "button",
        {
          type: "button",
          class: "term unfolds",
          "data-key": `unfold-${name}`,
          "aria-controls": panel.id,
          title: "show every term of this sum",
          click: () => {
            if (!unfolded.delete(name)) unfolded.add(name);
            set();
          },
        },
        html("span", { class: "symbol" }, formula(symbol)),
        hasBetween ? html("span", { class: "between" }) : null,
        html("span", { class: "now" }, live.element),
        live.earlier,
      );
      setters.push(set);
      return { columns: isFirst ? [button] : [operatorColumn("+", signs(of), hasBetween), button], panel };
    }

    const sentences = {};
    const why = (name) => (sentences[name] = liveSentence("p", { class: "why" })).element;
    const derivative = (above, below, formulas, of) => {
      const live = shows(of);
      const equation = formula(fraction(above(), below()), ...formulas.flatMap((one) => [operator("="), one]));
      return html("p", { class: "slope" }, equation, " = ", html("b", {}, live.element), " ", live.earlier);
    };

    // z = w a + the other terms + b, above ∂z/∂w = a.
    function sumStep() {
      const n = sizes[l - 1];
      const w = (s) => parameterIn(s, { l, j, k });
      const b = (s) => parameterIn(s, { l, j, k: null });
      const z = (s) => s.passed.z[l][j];
      const own = (s) => (k === null ? 0 : w(s) * s.passed.a[l - 1][k]);
      const others = (s) => z(s) - own(s) - b(s);
      const term = (i) => mathml("mrow", {}, variable("w", l, j, i), variable("a", l - 1, i));
      const parts = [column(v.z(), shows(z)), operatorColumn("=")];
      if (k !== null)
        parts.push(
          foreground(column(v.p(), shows(w))),
          foreground(operatorColumn("", "×")),
          foreground(column(v.below(), shows((s) => s.passed.a[l - 1][k]))),
        );
      let panel = null;
      if (n > 1 || k === null) {
        const terms = mountTerms({
          symbol: term,
          pattern: ["", " × ", " = "],
          click: (i) => update({ place: { l, j, k: i } }),
          isChosen: (i) => i === k,
          ending: [
            html("span", {}, "The terms add up to "),
            html("span", {}, ". With ", formula(variable("b", l, j)), " = "),
            html("span", {}, " the sum is ", formula(v.z()), " = "),
          ],
        });
        const values = (s) => {
          const products = Array.from(s.passed.a[l - 1], (a, i) => {
            const w_ji = network.parameter({ l, j, k: i });
            return [w_ji, a, w_ji * a];
          });
          return [products, [products.reduce((sum, [, , product]) => sum + product, 0), network.b[l][j], z(s)]];
        };
        const sum = mathml("mrow", {}, sumExcept("k", k), variable("w", l, j, "k"), variable("a", l - 1, "k"));
        const rest = unfolding("z", others, sum, terms, values, k === null);
        parts.push(...rest.columns);
        panel = rest.panel;
      }
      const [sign, bias] = added(b, variable("b", l, j));
      parts.push(sign, k === null ? foreground(bias) : bias);
      return step(parts, panel, derivative(v.z, v.p, [v.below()], (s) => s.derivative.dz), why("dz"));
    }

    // a = σ(z), above ∂a/∂z = σ′(z).
    function activationStep() {
      const z = (s) => s.passed.z[l][j];
      const slope = mountSlope(network.activation[l]);
      setters.push((s) => slope.set(z(s), s.passed.a[l][j], s.derivative.da_dz));
      const sigma = mathml("mrow", {}, identifier("σ"), parenthesized(v.z()));
      const value = shows(z);
      const parts = [
        column(v.a(), shows((s) => s.passed.a[l][j])),
        operatorColumn("="),
        html(
          "span",
          { class: "term" },
          html("span", { class: "symbol" }, formula(sigma)),
          html("span", { class: "now" }, formula(identifier("σ")), "(", value.element, ")"),
          value.earlier,
        ),
        slope.element,
      ];
      const prime = mathml("mrow", {}, sigmaPrime(), parenthesized(v.z()));
      return step(parts, null, derivative(v.a, v.z, [prime], (s) => s.derivative.da_dz), why("da_dz"));
    }

    // C = the neuron's own term + the other terms, above ∂C/∂a.
    function costStep() {
      const squared = network.costName === "squared_error";
      const a_of = (i) => () => variable("a", L, i);
      const y_of = (i) => () => variable("y", null, i);
      const y = (i) => data.current.y[i];
      const termOf = (s, i) => network.cost.C(s.passed.z[L][i], s.passed.a[L][i], y(i));
      const own = (s) => termOf(s, j);
      const parts = [column(v.C(), shows((s) => s.C)), operatorColumn("=")];
      if (squared) {
        const [a, wanted] = [shows((s) => s.passed.a[L][j]), shows(() => y(j))];
        parts.push(
          html(
            "span",
            { class: "term chosen" },
            html("span", { class: "symbol" }, formula(outputCost(network, a_of(j), y_of(j)))),
            html("span", { class: "now" }, "(", a.element, " − ", wanted.element, ")²"),
            a.earlier,
          ),
        );
      } else parts.push(foreground(column(outputCost(network, a_of(j), y_of(j)), shows(own))));
      let panel = null;
      if (sizes[L] > 1) {
        const terms = mountTerms({
          symbol: (i) => outputCost(network, a_of(i), y_of(i)),
          pattern: squared ? ["(", " − ", ")² = "] : [" = "],
          click: (i) => update({ place: { l, j: i, k } }),
          isChosen: (i) => i === j,
          ending: [html("span", {}, "The terms add up to ", formula(v.C()), " = ")],
        });
        const values = (s) => {
          const costs = Array.from(s.passed.a[L], (a, i) => (squared ? [a, y(i), termOf(s, i)] : [termOf(s, i)]));
          return [costs, [costs.reduce((sum, numbers) => sum + numbers.at(-1), 0)]];
        };
        const symbol = mathml("mrow", {}, sumExcept("j", j), squared ? outputCost(network, a_of("j"), y_of("j")) : operator("⋯"));
        const rest = unfolding("C", (s) => s.C - own(s), symbol, terms, values);
        parts.push(...rest.columns);
        panel = rest.panel;
      }
      return step(parts, panel, derivative(v.C, v.a, [outputSlope(network, v.a, v.y)], (s) => s.derivative.dC_da), why("dC_da"));
    }

    // ∂C/∂a of a hidden neuron: a sum over the paths through the next layer. The ∂C/∂a at the end of the strongest path is
    // such a sum itself, until the path reaches the output.
    function pathsStep(above) {
      const [first, ...deeper] = levels(l, j, above);
      return html("li", { class: "step" }, first.equation, first.panel, why("dC_da"), deeper.map(deeperLevel));
    }

    // A deeper sum, which unfolds below the sum that it belongs to.
    function deeperLevel({ equation, panel, isOpen }) {
      const box = html("div", { class: "deeper" }, equation, panel);
      setters.push(() => (box.hidden = !isOpen()));
      return box;
    }

    function levels(layer, n, above) {
      if (!above.length) return [];
      const [{ j: i }, ...further] = above;
      const next = layer + 1;
      const isLast = next === L;
      const name = `paths-${layer}`;
      const a = () => variable("a", layer, n);
      const [z_i, a_i] = [() => variable("z", next, i), () => variable("a", next, i)];
      const place = { l: next, j: i, k: n };
      const product = (s) => parameterIn(s, place) * s.back.dC_dz[next][i];
      const total = (s) => s.back.dC_da[layer][n];
      const times = () => operatorColumn("·", "×", true);
      const last = isLast
        ? column(fraction(v.C(), a_i()), shows((s) => s.back.dC_da[next][i]), outputSlope(network, a_i, () => variable("y", null, i)))
        : deeperButton(name, fraction(v.C(), a_i()), shows((s) => s.back.dC_da[next][i]));
      const parts = [
        column(fraction(v.C(), a()), shows(total), ""),
        operatorColumn("=", "=", true),
        column(fraction(z_i(), a()), shows((s) => parameterIn(s, place)), variable("w", next, i, n)),
        times(),
        column(fraction(a_i(), z_i()), shows((s) => s.back.da_dz[next][i]), mathml("mrow", {}, sigmaPrime(), parenthesized(z_i()))),
        times(),
        last,
      ];
      let panel = null;
      if (sizes[next] > 1) {
        const terms = mountTerms({
          symbol: (m) => mathml("mrow", {}, identifier("j"), operator("="), numeral(m)),
          pattern: ["", " × ", " × ", " = "],
          click: (m) => update({ place: { l: next, j: m, k: n } }),
          isChosen: () => false,
          ending: [html("span", {}, "The shares add up to ", formula(partial(v.C()), operator("/"), partial(a())), " = ")],
        });
        const values = (s) => {
          const shares = pathsOf(network, s.back, layer, n);
          const numbers = shares.map(({ w, da_dz, dC_da, product }) => [w, da_dz, dC_da, product]);
          return [numbers, [shares.reduce((sum, { product }) => sum + product, 0)]];
        };
        const symbol = mathml("mrow", {}, sumExcept("j", i), operator("⋯"));
        const rest = unfolding(name, (s) => total(s) - product(s), symbol, terms, values, false, true);
        parts.push(...rest.columns);
        panel = rest.panel;
      }
      const isOpen = () => layer === l || unfolded.has(`deeper-paths-${layer - 1}`);
      const level = { equation: html("div", { class: "equation" }, parts), panel, isOpen };
      return [level, ...levels(next, i, further)];
    }

    // ∂C/∂a at the end of a path, as a button that unfolds the sum over the paths through the layer above.
    function deeperButton(name, symbol, live) {
      const key = `deeper-${name}`;
      const button = html(
        "button",
        {
          type: "button",
          class: "term unfolds",
          "data-key": key,
          title: "unfold this derivative: a sum over the paths through the next layer",
          click: () => {
            if (!unfolded.delete(key)) unfolded.add(key);
            render(data.current);
          },
        },
        html("span", { class: "symbol" }, formula(symbol)),
        html("span", { class: "between" }, formula(sumExcept("j", null), operator("⋯"))),
        html("span", { class: "now" }, live.element),
        live.earlier,
      );
      setters.push(() => button.setAttribute("aria-expanded", String(unfolded.has(key))));
      return button;
    }

    const step = (parts, panel, slope, sentence) =>
      html(
        "li",
        { class: "step" },
        html("div", { class: "equation" }, parts),
        panel,
        html("div", { class: "explained" }, slope, sentence),
      );

    const above = pathUp(state, network, { l, j });
    const factor = (symbols, of, name, sign, format) => {
      const live = shows(of, format, traced(name));
      return [
        sign ? html("span", { class: "sign", "aria-hidden": "true" }, sign) : null,
        html(
          "span",
          { class: "factor" },
          html("span", { class: "symbol" }, formula(...symbols)),
          html("span", { class: "value" }, live.element),
          live.earlier,
        ),
      ];
    };
    const value = shows((s) => s.value, number, traced("value"));
    view.replaceChildren(
      html(
        "p",
        { class: "names" },
        named(state.place),
        " = ",
        value.element,
        value.earlier,
        k === null ? `, the bias of neuron ${j} of layer ${l}` : `, from neuron ${k} of layer ${l - 1} to neuron ${j} of layer ${l}`,
      ),
      html(
        "div",
        { class: "rule" },
        factor([fraction(v.C(), v.p())], (s) => s.derivative.product, `dC_d${p}`, ""),
        factor([fraction(v.z(), v.p())], (s) => s.derivative.dz, `dz_d${p}`, "="),
        factor([fraction(v.a(), v.z())], (s) => s.derivative.da_dz, "da_dz", "×"),
        factor(upToCost(v, network, l, j, above), (s) => s.derivative.dC_da, "dC_da", "×"),
      ),
      why("product"),
      html("ol", { class: "steps" }, sumStep(), activationStep(), l === L ? costStep() : pathsStep(above)),
    );
    return (s) => {
      view.classList.toggle("with-earlier", Boolean(s.before));
      for (const set of setters) set(s);
      const meaning = meaningOf(s, data);
      for (const name of Object.keys(sentences)) sentences[name].set(meaning[name]);
    };
  }

  function render(state) {
    if (root.closest("[hidden]")) return; // while the user guesses
    const { l, j, k } = state.place;
    const key = [l, j, k, state.C_index, state.isTraced, state.allDigits, ...pathUp(state, network, { l, j }).map((step) => step.j)].join();
    if (built?.key !== key) built = { key, set: build(state) };
    built.set(state);
  }
  return render;
}

// ∂C/∂a in symbols: of a hidden neuron as a sum over the next layer. If the next layer has one neuron, the sum is one
// product, which goes on up to the cost.
function upToCost(v, network, l, j, above) {
  if (l === network.L) return [fraction(v.C(), v.a())];
  const isOne = network.sizes[l + 1] === 1;
  const i = isOne ? 0 : "j";
  const next = { z: () => variable("z", l + 1, i), a: () => variable("a", l + 1, i), C: v.C };
  const product = [fraction(next.z(), v.a()), operator("·"), fraction(next.a(), next.z()), operator("·")];
  if (isOne) return [...product, ...upToCost(next, network, l + 1, 0, above)];
  return [sumOver("j"), ...product, fraction(v.C(), next.a())];
}
