// Files as users have them, read as the command line reads them: lines of text, or a table of
// columns. CSV, TSV and JSON lines are known by the ending of the file's name.

import { isBlank } from "./blank.js";
import { csvRows, isLiteral, tsvRows } from "./csv.js";

const KINDS = {
  csv: "csv", tsv: "tsv", tab: "tsv", jsonl: "jsonl", ndjson: "jsonl", txt: "text", text: "text",
};
const LITERAL = "a quotation mark is a character here, so give CSV";
// What must not be taken for text.
const OTHERS = ["json", "parquet", "npy", "xlsx", "xls", "ods", "docx", "pdf", "gz", "xz", "zip"];

function kindOf(name) {
  const ending = name.includes(".") ? name.split(".").at(-1).toLowerCase() : "";
  if (OTHERS.includes(ending)) {
    throw new Error(`.${ending} is not read here; save it as .txt, .csv, .tsv or .jsonl.`);
  }
  return KINDS[ending] ?? "text";
}

async function contentOf(file) {
  const bytes = await file.arrayBuffer();
  let content = null;
  try {
    content = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The error is thrown below.
  }
  // UTF-16 has bytes of zero, and so have archives.
  if (content === null || content.includes("\0")) {
    throw new Error("it is no text in UTF-8; save it as UTF-8.");
  }
  // Where the first line ends with a carriage return alone, as on old Macs, so do all.
  const [begin] = content.split(/(?<=\n)/, 1);
  return content.replaceAll(/\r[^\n]/.test(begin) ? /\r\n?/g : /\r+\n|\r+$/g, "\n");
}

// The lines that are not blank, with their numbers from 1.
const linesOf = (content) => content.split("\n").map((text, i) => ({ text, line: i + 1 }))
  .filter(({ text }) => !isBlank(text));

// The rows of TSV without quotation marks.
const literalRows = (content) => linesOf(content).map(({ text, line }) =>
  ({ line, fields: text.split("\t"), fault: null }));

function tableOf(rows, literal = false) {
  const names = (rows[0]?.fields ?? []).map((name) => name?.trim());
  for (const { line, fields, fault } of rows) {
    if (fault) throw new Error(`line ${line}: ${fault}.`);
    if (fields.length > names.length) {
      throw new Error(`line ${line} has ${fields.length} fields and the first line ` +
        `${names.length}; ${literal ? LITERAL : "quote a field that has what parts fields"}, ` +
        "or give JSON lines.");
    }
  }
  return { names, rows, header: true, literal };
}

function jsonOf({ text, line }) {
  try {
    return { line, value: JSON.parse(text) };
  } catch {
    throw new Error(`line ${line} is not JSON.`);
  }
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// Texts, or objects whose fields are columns.
function ofJsonLines(content) {
  const values = linesOf(content).map(jsonOf);
  if (values.length && values.every(({ value }) => isObject(value))) {
    const names = [...new Set(values.flatMap(({ value }) => Object.keys(value)))];
    const rows = values.map(({ line, value }) => ({ line, fields: names.map((name) => value[name]) }));
    return { names, rows, header: false };
  }
  const other = values.find(({ value }) => typeof value !== "string");
  if (other) throw new Error(`line ${other.line}: want a text on each line, or an object on each.`);
  return { texts: values.map(({ value }) => value) };
}

// Gives { texts }, or a table: { names, rows }, and whether the first row is the `header`.
export async function read(file) {
  const kind = kindOf(file.name);
  const content = await contentOf(file);
  if (kind === "csv") return tableOf(csvRows(content));
  if (kind === "tsv") {
    const literal = isLiteral(content);
    return tableOf(literal ? literalRows(content) : tsvRows(content), literal);
  }
  return kind === "jsonl" ? ofJsonLines(content) : { texts: content.split("\n") };
}
