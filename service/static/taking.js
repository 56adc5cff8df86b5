// "Take a file": the texts of a file come in the place of the lines; of a table, those of a column.

import { isBlank } from "./blank.js";
import { columnOf, offer, question, sourceOf, textsIn } from "./columns.js";
import { read } from "./files.js";

const $ = (id) => document.getElementById(id);

// The table that a column can be chosen of, with the name of its file and how many texts fit.
let held = null;

// A text has one line on the page, and keeps there all that ends no line of the page.
const onOneLine = (text) => text.split(/[\r\n]+/).map((line) => line.trim())
  .filter((line) => line !== "").join(" ");
const counted = (count, one) => `${count} ${one}${count === 1 ? "" : "s"}`;

function put(name, found, most, source, blank) {
  const texts = found.map(onOneLine).filter((text) => !isBlank(text));
  if (!texts.length) throw new Error("it has no texts.");
  $("texts").value = texts.slice(0, most).join("\n");
  const from = source ? `${name}, from ${source}` : name;
  const left = blank ? ` ${counted(blank, "row")} without one left out.` : "";
  if (texts.length <= most) return { message: `${counted(texts.length, "text")} of ${from}.${left}` };
  const message = `The first ${most} of ${texts.length} texts of ${from}.${left} ` +
    "For more, use trajsim matrix.";
  return { message, wrong: true };
}

// Takes the chosen column; gives what to say.
function chosen() {
  const { name, table, most } = held;
  const at = Number($("column").value);
  const hasNames = $("named").checked;
  const { texts, blank } = textsIn(table, at, hasNames);
  const marks = table.literal ? ", each quotation mark as a character" : "";
  return put(name, texts, most, `${sourceOf(table, at, hasNames)}${marks}`, blank);
}

export function forget() {
  held = null;
  $("table").hidden = true;
  $("column").required = false;
}

// Takes a file of texts, `most` at most; gives the message to show and whether something is wrong.
export async function takeTexts(file, most) {
  forget();
  const table = await read(file);
  if (table.texts) return put(file.name, table.texts, most);
  if (!table.names.length) throw new Error("it has no texts.");
  const at = columnOf(table);
  held = { name: file.name, table, most };
  $("named").checked = true;
  $("named").parentElement.hidden = !table.header;
  offer($("column"), table, at, true);
  $("column").parentElement.hidden = table.names.length === 1;
  $("table").hidden = table.names.length === 1 && !table.header;
  if (at !== null) return chosen();
  // Nothing is compared until a column is chosen, or the texts are changed by hand.
  $("column").required = true;
  $("column").focus();
  return { message: `${file.name} ${question(table)}` };
}

// Takes another column, or the first line too; gives what to say, or null where none is chosen.
export function choose() {
  const place = $("column").value;
  offer($("column"), held.table, place === "" ? null : Number(place), $("named").checked);
  if (place === "") return null;
  try {
    return chosen();
  } catch (error) {
    return { message: `${held.name}: ${error.message}`, wrong: true };
  }
}
