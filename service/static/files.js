// Files as users have them, read as the command line reads them: lines of text, or a table of
// columns. CSV, TSV and JSON lines are known by the ending of the file's name.

import { isBlank } from "./blank.js";
import { checkText } from "./columns.js";
import { csvRows, isLiteral, tsvRows } from "./csv.js";

const KINDS = {
  csv: "csv", tsv: "tsv", tab: "tsv", jsonl: "jsonl", ndjson: "jsonl", txt: "text", text: "text",
};
const LITERAL = "a quotation mark is a character here, so give CSV";
// What must not be taken for text.
const OTHERS = ["json", "parquet", "npy", "xlsx", "xls", "ods", "docx", "pdf", "gz", "xz", "zip"];

// What a file begins with that is no text in UTF-8, and what to do.
const MARKS = [
  [[0xff, 0xfe, 0x00, 0x00], "begins with the mark of UTF-32; save it as UTF-8"],
  [[0x00, 0x00, 0xfe, 0xff], "begins with the mark of UTF-32; save it as UTF-8"],
  [[0xff, 0xfe], "begins with the mark of UTF-16; save it as UTF-8"],
  [[0xfe, 0xff], "begins with the mark of UTF-16; save it as UTF-8"],
  [[0x1f, 0x8b], "is compressed by gzip; unpack it"],
  [[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00], "is compressed by xz; unpack it"],
  [[0x28, 0xb5, 0x2f, 0xfd], "is compressed by zstd; unpack it"],
  [[0x42, 0x5a, 0x68], "is compressed by bzip2; unpack it"],
  [[0x04, 0x22, 0x4d, 0x18], "is compressed by lz4; unpack it"],
  [[0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c], "is an archive of 7-Zip; unpack it"],
  [[0x50, 0x41, 0x52, 0x31, 0x15], "is a file of Parquet; save it as CSV in UTF-8"],
  [[0x41, 0x52, 0x52, 0x4f, 0x57, 0x31, 0x00, 0x00], "is a file of Arrow; save it as CSV in UTF-8"],
  [[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59], "is an array of NumPy; save it as CSV in UTF-8"],
  [[0x53, 0x51, 0x4c, 0x69, 0x74, 0x65, 0x20, 0x66, 0x6f, 0x72, 0x6d, 0x61, 0x74, 0x20, 0x33, 0x00],
    "is a database of SQLite; save a table of it as CSV in UTF-8"],
  [[0x25, 0x50, 0x44, 0x46, 0x2d], "is a PDF; save it as text in UTF-8"],
  [[0xd0, 0xcf, 0x11, 0xe0], "is a file of Office; save it as CSV in UTF-8"],
  [[0x50, 0x4b, 0x03, 0x04], "is a ZIP archive, as spreadsheets are; save it as CSV in UTF-8"],
];

function kindOf(name) {
  const ending = name.includes(".") ? name.split(".").at(-1).toLowerCase() : "";
  if (OTHERS.includes(ending)) {
    throw new Error(`.${ending} is not read here; save it as .txt, .csv, .tsv or .jsonl.`);
  }
  return KINDS[ending] ?? "text";
}

// Why a file that begins so is no text in UTF-8, or null.
function noText(bytes) {
  const found = MARKS.find(([mark]) => mark.every((byte, i) => bytes[i] === byte));
  if (found) return found[1];
  const end = bytes.indexOf(0x0a);
  return bytes.subarray(0, end < 0 ? bytes.length : end).includes(0) ?
    "has bytes of zero in its first line, as UTF-16 and UTF-32 have; save it as UTF-8" : null;
}

function decoded(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("it is no text in UTF-8; save it as UTF-8.");
  }
}

async function contentOf(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const why = noText(bytes);
  if (why) throw new Error(`it ${why}.`);
  const content = withFeeds(decoded(bytes));
  const at = content.indexOf("\0");
  if (at < 0) return content;
  const line = content.slice(0, at).split("\n").length;
  throw new Error(`line ${line} has a NUL character; take it out.`);
}

// With a line feed alone at the end of each line.
function withFeeds(content) {
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

// Names without the blanks around them, unless two would be alike.
function withoutBlanks(given) {
  const short = given.map((name) => name?.trim());
  const counts = new Map();
  for (const name of short) counts.set(name, (counts.get(name) ?? 0) + 1);
  return short.map((name, i) => (counts.get(name) > 1 ? given[i] : name));
}

function tableOf(rows, literal = false) {
  // A column without a name is called by its number, whatever blanks it has.
  const names = withoutBlanks(rows[0]?.fields ?? []).map((name) => (name?.trim() ? name : ""));
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

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function valueOf(text) {
  const value = JSON.parse(text);
  if (!isObject(value)) return value;
  const names = withoutBlanks(Object.keys(value));
  return Object.fromEntries(Object.values(value).map((one, i) => [names[i], one]));
}

function jsonOf({ text, line }) {
  try {
    return { line, value: valueOf(text) };
  } catch {
    throw new Error(`line ${line} is not JSON.`);
  }
}

// Texts, or objects whose fields are columns; a text between them stands alone in its row.
function ofJsonLines(content) {
  const values = linesOf(content).map(jsonOf);
  const objects = values.map(({ value }) => value).filter(isObject);
  if (!objects.length) {
    for (const { line, value } of values) checkText(line, value);
    return { texts: values.map(({ value }) => value) };
  }
  const names = [...new Set(objects.flatMap((one) => Object.keys(one)))];
  const rows = values.map(({ line, value }) => (isObject(value) ?
    { line, fields: names.map((name) => value[name]) } : { line, fields: [], alone: value }));
  return { names, rows, header: false };
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
