// Why a pair has its score, by the method that made it.

const GROUPS = {
  profile: "profile (the words that may follow after one prompt)",
  examples: "examples (the same after a prompt with worked examples)",
  trigrams: "trigrams (the texts' own words)",
  trajectories: "trajectories (the likelihoods of general continuations)",
};

function element(name, className, ...content) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...content);
  return made;
}

const signed = (value, digits = 1) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(digits);

// One bar a text; `longest` is the value that fills the track.
function bar(side, value, longest, told) {
  const fill = element("div", `fill ${side}`);
  fill.style.setProperty("--share", (Math.max(0, value) / longest || 0).toFixed(4));
  return element(
    "div", "bar",
    element("span", `key ${side}`, side.toUpperCase()),
    element("div", "track", fill),
    element("span", "value", told),
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

function impliedWords(implied) {
  const all = Object.values(implied).flat().flatMap((one) => one.beyond_usual);
  const longest = Math.max(...all, 0);
  return [
    element("p", "hint", "Words of the part profile alone; the share of each is tiny. ×: how many " +
      "times likelier than usual, and than the average token, a word is as the summary of A and " +
      "of B. A bar is its logarithm."),
    element(
      "div", "columns",
      column("Only A", implied.first, longest),
      column("Both imply", implied.both, longest),
      column("Only B", implied.second, longest),
    ),
  ];
}

function sharesOf({ cosine, shares }) {
  const parts = Object.entries(shares).map(
    ([name, value]) => `${signed(value, 2)} from ${GROUPS[name] ?? name}`,
  );
  return element("p", "", `The cosine is ${cosine.toFixed(2)}: ${parts.join(", ")}.`);
}

function overlap(words) {
  if (!words.length) return [];
  const items = words.map(({ word: text, share }) =>
    element("li", "", element("span", "words", text), ` ${signed(share, 3)}`));
  return [element("h3", "", "Own words of the texts, with their share of the cosine"),
    element("ul", "chips", ...items)];
}

// Of general text: how each is moved away from its usual likelihood.
function reference({ text, log_likelihoods: found, usual }, longest) {
  const bars = found.map((value, k) =>
    bar("ab"[k], Math.abs(value - usual), longest, `${signed(value - usual)} nats`));
  return element("li", "", element("span", "words", `…${text}`), ...bars);
}

function references(continuations) {
  if (!continuations.length) return [];
  const moves = continuations.flatMap((one) => one.log_likelihoods.map((v) => Math.abs(v - one.usual)));
  const longest = Math.max(...moves);
  return [
    element("p", "hint", "General continuations that weigh most, and how far each text moves their " +
      "likelihood per token from the usual."),
    element("ul", "", ...continuations.map((one) => reference(one, longest))),
  ];
}

function sampled({ text, source, log_likelihoods: found }, longest) {
  const bars = found.map((value, k) =>
    bar("ab"[k], Math.exp(value), longest, `${value.toFixed(2)} nats`));
  const from = element("span", "from", `  after ${source === 0 ? "A" : "B"}`);
  return element("li", "", element("span", "words", `…${text}`), from, ...bars);
}

function trajectories(continuations) {
  const all = continuations.flatMap((one) => one.log_likelihoods.map(Math.exp));
  const longest = Math.max(...all);
  return [
    element("p", "hint", "Continuations whose likelihoods differ most. A bar is the likelihood per " +
      "token after A or after B; the number is its logarithm in nats."),
    element("ul", "", ...continuations.map((one) => sampled(one, longest))),
  ];
}

export function partsOf(explanation) {
  if (explanation.method === "trajectories") return trajectories(explanation.continuations);
  return [
    sharesOf(explanation),
    ...(explanation.implied ? impliedWords(explanation.implied) : []),
    ...(explanation.note ? [element("p", "hint", explanation.note)] : []),
    ...overlap(explanation.overlap),
    ...references(explanation.continuations),
  ];
}
