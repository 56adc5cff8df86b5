// Why a pair has its score, by the method that made it.

// What a part of a vector compares, in the words of the command line.
const PARTS = {
  profile: "words that may follow as its summary",
  examples: "the same, after worked examples",
  trigrams: "the texts' own words",
  trajectories: "likelihoods of general continuations",
};

function element(name, className, ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// A line end has a sign of its own, as a continuation may begin with one.
const onOneLine = (text) => text.replaceAll("\n", "↵");

// One bar a text; `longest` is the value that fills the track.
function bar(side, value, longest, label) {
  const fill = element("div", `fill ${side}`);
  fill.style.setProperty("--share", (Math.max(0, value) / longest || 0).toFixed(4));
  return element(
    "div", "bar",
    element("span", `key ${side}`, side.toUpperCase()),
    element("div", "track", fill),
    element("span", "value", label),
  );
}

// How many times likelier, of a difference in nats, as the command line writes it.
function times(nats) {
  const ratio = Math.exp(Math.min(nats, 700));
  if (ratio < 10) return `×${ratio.toFixed(1)}`;
  if (ratio < 1e6) return `×${Number(ratio.toPrecision(2)).toLocaleString("en")}`;
  const short = (value) => Number(value.toPrecision(2)).toString();
  return ratio < 1e9 ? `×${short(ratio / 1e6)} million` : `×${short(ratio / 1e9)} billion`;
}

function word({ word: text, beyond_usual: beyond }, longest) {
  const bars = beyond.map((value, k) => bar("ab"[k], value, longest, times(value)));
  return element("li", "", element("span", "words", text), ...bars);
}

function column(title, words, longest) {
  const list = element("ul", "", ...words.map((one) => word(one, longest)));
  const none = element("p", "hint", "No word stands out.");
  return element("section", "column", element("h3", "", title), words.length ? list : none);
}

function impliedWords(implied, most) {
  const all = Object.values(implied).flat().flatMap((one) => one.beyond_usual);
  const longest = Math.max(...all, 0);
  return [
    element("p", "hint", "Words that may follow a text as its summary, of the part profile alone. " +
      "The share of each is tiny. ×: how many times likelier than usual a word is there, and than " +
      "the average token; a bar is its logarithm. Opposites may be among them. A column has " +
      `${most} words at most. Where both imply them, the greatest number stands first, by the ` +
      "lesser of the two; else the word in which the texts differ most."),
    element(
      "div", "columns",
      column("More after A", implied.first, longest),
      column("Both imply", implied.both, longest),
      column("More after B", implied.second, longest),
    ),
  ];
}

const row = (kind, ...cells) =>
  element("tr", "", ...cells.map((cell, at) => element(kind, at < 2 ? "" : "number", cell)));

// The cosine as the sum of its parts: of each, its weight times its own cosine.
function sharesOf({ cosine, shares, weights }) {
  const parts = Object.entries(shares).map(([name, share]) => row(
    "td", name, PARTS[name] ?? "", weights[name].toFixed(4),
    (share / weights[name] || 0).toFixed(4), signed(share, 4),
  ));
  return element("table", "parts",
    element("thead", "", row("th", "part", "compares", "weight", "× cosine", "= share")),
    element("tbody", "", ...parts, row("td", "all", "", "", "", signed(cosine, 4))));
}

// Which of the texts have a word, by how often either has it.
const keysOf = (counts) => ["a", "b"].filter((_, k) => counts[k] > 0)
  .map((side) => element("span", `key ${side}`, side.toUpperCase()));

function overlap(words, most) {
  if (!words.length) return [];
  const items = words.map(({ word: text, share, counts }) =>
    element("li", "", element("span", "words", text), ` ${signed(share, 4)} `, ...keysOf(counts)));
  return [
    element("h3", "", "Own words"),
    element("p", "hint", "Words of the texts, compared by pieces of three letters, with their share " +
      "of the cosine and the texts that have them. A word of one text has a share where the other " +
      `has such pieces. The largest share stands first, above 0 or below; ${most} words at most.`),
    element("ul", "chips", ...items),
  ];
}

// Of general text: how each is moved away from its usual likelihood.
function reference({ text, log_likelihoods: found, usual }, longest) {
  const bars = found.map((value, k) =>
    bar("ab"[k], Math.abs(value - usual), longest, `${signed(value - usual)} nats`));
  return element("li", "", element("span", "words", `…${onOneLine(text)}`), ...bars);
}

function references(continuations, most) {
  if (!continuations.length) return [];
  const moves = continuations.flatMap((one) => one.log_likelihoods.map((v) => Math.abs(v - one.usual)));
  const longest = Math.max(...moves);
  return [
    element("p", "hint", "General continuations by the size of their share of the cosine, the " +
      `largest first; ${most} at most. A bar is how far a text moves the likelihood per token from ` +
      "the usual."),
    element("ul", "", ...continuations.map((one) => reference(one, longest))),
  ];
}

function sampled({ text, source, counts, ended, log_likelihoods: found }, longest) {
  const bars = found.map((value, k) =>
    bar("ab"[k], Math.exp(value), longest, `${signed(value, 2)} nats`));
  const words = element("span", "words", `…${onOneLine(text)}${ended ? "" : " …"}`);
  const end = ended ? ", ended by the model" : "";
  const after = counts.every(Boolean) ? "both" : "AB"[source];
  const times = counts[0] + counts[1] > 1 ? ` ${counts[0] + counts[1]} times` : "";
  const from = element("span", "from", `  sampled after ${after}${times}${end}`);
  return element("li", "", words, from, ...bars);
}

function trajectories(continuations, most) {
  const all = continuations.flatMap((one) => one.log_likelihoods.map(Math.exp));
  const longest = Math.max(...all);
  return [
    element("p", "hint", "Continuations whose likelihoods differ most, the largest difference " +
      `first; ${most} at most. A bar is the likelihood per token after A or after B; the number is ` +
      "its logarithm in nats. One ends in … where it was cut."),
    element("ul", "", ...continuations.map((one) => sampled(one, longest))),
  ];
}

// At most `most` of each kind, as many as were requested.
export function partsOf(explanation, most) {
  if (explanation.method === "trajectories") return trajectories(explanation.continuations, most);
  return [
    sharesOf(explanation),
    ...(explanation.implied ? impliedWords(explanation.implied, most) : []),
    ...(explanation.note ? [element("p", "hint", explanation.note)] : []),
    ...overlap(explanation.overlap, most),
    ...references(explanation.continuations, most),
  ];
}
