// The column of a table that has the texts: by its name, the only one, or the user's choice.

import { isBlank } from "./blank.js";

const NAMES = ["text", "sentence", "content", "document", "body", "input"];
const PAIRS = [
  ["text1", "text2"], ["sentence1", "sentence2"], ["text_1", "text_2"],
  ["sentence_1", "sentence_2"], ["first", "second"], ["s1", "s2"], ["question1", "question2"],
  ["premise", "hypothesis"],
];

// The place of the one column of texts, or null where the user has to choose.
export function columnOf({ names }) {
  if (names.length === 1) return 0;
  const plain = names.map((name) => name.toLowerCase());
  const place = NAMES.map((name) => plain.indexOf(name)).find((at) => at >= 0);
  return place === undefined || plain.lastIndexOf(plain[place]) > place ? null : place;
}

// What stands for a name may be a text, where a file has no line of names.
const MOST_LETTERS = 40;
const short = (name) => (name.length > MOST_LETTERS ? `${name.slice(0, MOST_LETTERS)}…` : name);
const hasLetters = (name) => Boolean(name?.trim());
const named = (name, at) => (hasLetters(name) ? `“${short(name)}”` : `number ${at + 1}, which has no name`);

// The message about a table whose column of texts is not known.
export function question({ names }) {
  const all = names.map(named);
  const list = `${all.slice(0, -1).join(", ")} and ${all.at(-1)}`;
  const plain = names.map((name) => name.toLowerCase());
  const hasPairs = PAIRS.some((pair) => pair.every((name) => plain.includes(name)));
  return `has the columns ${list}. Choose the one to take.` +
    (hasPairs ? " To score its pairs row by row, use trajsim batch." : "");
}

// What the texts of a column are said to be from.
export function sourceOf({ names, header }, at, hasNames) {
  const isNamed = !header || hasNames;
  if (names.length === 1) return `its only column${isNamed ? `, ${named(names[0], 0)}` : ""}`;
  return `the column ${isNamed ? named(names[at], at) : at + 1}`;
}

// Fills the list of columns to choose from; `at` is null where none is chosen yet.
export function offer(select, { names }, at, hasNames) {
  const label = (name, i) => (hasNames && hasLetters(name) ? short(name) :
    `${i + 1}${hasLetters(name) ? `: ${short(name)}` : ""}`);
  select.replaceChildren(...names.map((name, i) => new Option(label(name, i), i)));
  if (at === null) select.prepend(new Option("choose a column", ""));
  select.value = at ?? "";
}

// Refuses what is no text that can be compared, as JSON may have it, in a column or alone.
export function checkText(line, value, name = null) {
  if (typeof value !== "string") {
    throw new Error(`line ${line}: ` +
      (name === null ? "want a text or an object with one." : `${name} is no text.`));
  }
  if (value.includes("\0")) throw new Error(`line ${line} has a NUL character; take it out.`);
  if (/\p{Surrogate}/u.test(value)) {
    throw new Error(`line ${line} is not valid Unicode (a lone surrogate); encode it as UTF-8.`);
  }
}

// The texts of a column, and how many rows have none.
export function textsIn({ names, rows, header }, at, hasNames) {
  const below = header && hasNames ? rows.slice(1) : rows;
  const values = below.map(({ line, fields, alone }) => {
    const isAlone = alone !== undefined;
    const value = isAlone ? alone : fields[at] ?? "";
    checkText(line, value, isAlone ? null : names[at]);
    return value;
  });
  const texts = values.filter((text) => !isBlank(text));
  return { texts, blank: values.length - texts.length };
}
