// A sum that unfolds into its terms: the strongest ten first, then all. A click on a term chooses its parameter.

import { counted, formula, html, unsigned } from "../parts/dom.js";
import { liveNumber, liveText } from "../parts/live.js";

const STRONGEST = 10;

// `kind` says what the terms are:
//   symbol(i)    the term in symbols, as MathML
//   pattern      the texts before the numbers of a term, such as ["", " × ", " = "]; the last number is the term's value
//   click(i)     chooses what the term stands for
//   isChosen(i)  whether the term belongs to the chosen parameter
//   ending       the texts and formulas before the numbers of the last line
// `show` gets the numbers of every term and of the last line. With `keepsOrder` no row changes its place.
export function mountTerms(kind) {
  const list = html("ol", { class: "summands" });
  const others = liveText();
  const all = html("button", { type: "button", "data-key": "all-terms", click: () => showAll() });
  const more = html("p", { class: "more" }, others.element, " ", all);
  const totals = kind.ending.map(() => liveNumber());
  const ending = html(
    "p",
    { class: "total" },
    kind.ending.map((before, n) => [before, totals[n].element]),
  );
  const rows = [];
  let isAll = false;
  let order = [];
  let latest = null;

  function showAll() {
    isAll = !isAll;
    show(...latest);
  }

  function makeRow() {
    const numbers = kind.pattern.map(() => liveNumber());
    const symbol = html("span", { class: "in-symbols" });
    const fill = html("span", { class: "fill" });
    const button = html(
      "button",
      { type: "button", class: "summand", "data-key": `summand-${rows.length}`, click: () => kind.click(row.i) },
      symbol,
      html(
        "span",
        { class: "in-numbers" },
        numbers.map((one, n) => [kind.pattern[n], one.element]),
      ),
      html("span", { class: "bar" }, fill),
    );
    const row = { element: html("li", {}, button), i: null, numbers, symbol, fill, button };
    rows.push(row);
    return row;
  }

  function show(terms, sums, keepsOrder) {
    latest = [terms, sums, keepsOrder];
    const value = (i) => terms[i].at(-1);
    if (!keepsOrder || order.length !== terms.length)
      order = terms.map((_, i) => i).sort((p, q) => Math.abs(value(q)) - Math.abs(value(p)));
    const shown = isAll ? order : order.slice(0, STRONGEST);
    const most = Math.abs(value(order[0])) || 1;
    shown.forEach((i, n) => {
      const row = rows[n] ?? makeRow();
      if (row.i !== i) {
        row.i = i;
        row.symbol.replaceChildren(formula(kind.symbol(i)));
        row.button.setAttribute("aria-current", String(kind.isChosen(i)));
      }
      row.numbers.forEach((one, m) => one.set(terms[i][m]));
      const share = Math.max(-1, Math.min(1, value(i) / most));
      row.button.classList.toggle("negative", share < 0);
      row.fill.style.width = `${50 * Math.abs(share)}%`;
      row.fill.style.left = `${share < 0 ? 50 - 50 * Math.abs(share) : 50}%`;
    });
    if (list.childElementCount !== shown.length)
      list.replaceChildren(...rows.slice(0, shown.length).map((row) => row.element));
    const hidden = order.slice(shown.length);
    const rest = hidden.reduce((sum, i) => sum + value(i), 0);
    others.set(hidden.length ? `The other ${counted(hidden.length, "term")} add up to ${unsigned(rest)}.` : "");
    all.textContent = isAll ? `show the ${STRONGEST} strongest` : `show all ${terms.length}`;
    more.hidden = terms.length <= STRONGEST;
    totals.forEach((one, n) => one.set(sums[n]));
  }

  return { element: html("div", { class: "terms" }, list, more, ending), show };
}
