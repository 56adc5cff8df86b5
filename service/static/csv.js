// CSV as spreadsheets write it (RFC 4180), read as strictly as the command line reads it.

import { isBlank } from "./blank.js";

// What may part fields. Spreadsheets write semicolons where numbers have a decimal comma.
const SIGNS = [",", ";", "\t"];
// The line by which Excel is told what parts fields; it is none of the table.
const DECLARED = /^"?sep=(.)"?(\n|$)/i;
const QUOTED = /"([^"]*(?:""[^"]*)*)"/y;
const BARE = new Map(SIGNS.map((sign) => [sign, new RegExp(`[^${sign}\\n]*`, "y")]));
const LENIENT = new Map(SIGNS.map((sign) =>
  [sign, new RegExp(`(?:"[^"]*(?:""[^"]*)*(?:"|$))?[^${sign}\\n]*`, "y")]));
const MORE = "more follows the quotation mark that ends a field; double one that is of the text";
const UNCLOSED = "a quotation mark is not closed";
// Of a file of TSV, so many characters show whether it has quotation marks.
const SAMPLE_CHARACTERS = 2 ** 20;
const CARRIAGE = "a carriage return stands outside quotation marks; end lines with line feeds";

// The field at a place: its value, where it ends, and what is wrong with it.
function fieldAt(content, at, sign) {
  const isQuoted = content[at] === '"';
  const pattern = isQuoted ? QUOTED : BARE.get(sign);
  pattern.lastIndex = at;
  const match = pattern.exec(content);
  if (!match) return { end: content.length, fault: UNCLOSED };
  const end = at + match[0].length;
  if (!isQuoted) {
    return { value: match[0], end, fault: match[0].includes("\r") ? CARRIAGE : null };
  }
  const isEnd = end === content.length || content[end] === sign || content[end] === "\n";
  const fault = content[end] === "\r" ? CARRIAGE : MORE;
  return { value: match[1].replaceAll('""', '"'), end, fault: isEnd ? null : fault };
}

// Where a row that is no CSV ends: as if its mistakes were letters, so that none of its lines is
// taken for a row.
function endOfRow(content, at, sign) {
  const field = LENIENT.get(sign);
  for (let end = at; ; end += 1) {
    field.lastIndex = end;
    end += field.exec(content)[0].length;
    if (content[end] !== sign) return end;
  }
}

function endOfLine(content, at) {
  const end = content.indexOf("\n", at);
  return end < 0 ? content.length : end;
}

// Rows with the number of their first line; one that is no CSV has a fault.
function rowsBy(sign, content, line = 1) {
  const rows = [];
  for (let at = 0; at < content.length; at += 1) {
    const begin = at;
    const row = { line, fields: [], fault: null };
    for (let more = true; more;) {
      const { value, end, fault } = fieldAt(content, at, sign);
      row.fields.push(value);
      row.fault = fault;
      more = !fault && content[end] === sign;
      at = more ? end + 1 : end;
    }
    if (row.fault) at = endOfRow(content, begin, sign);
    const source = content.slice(begin, at);
    if (!isBlank(source)) rows.push(row);
    line += source.split("\n").length;
  }
  return rows;
}

// The mean number of fields of the rows below the first. One with more than that counts as 0, and
// so does one that is no CSV.
function meanFields([first, ...others]) {
  const width = first.fields.length;
  const count = ({ fault, fields }) => (fault || fields.length > width ? 0 : fields.length);
  return others.length ? others.map(count).reduce((a, b) => a + b) / others.length : width;
}

// How well a sign parts rows: first whether the header and all others have equally many fields.
function fit(rows) {
  const fields = meanFields(rows);
  return [Number(fields === rows[0].fields.length), fields];
}

function isWorse([even, fields], [otherEven, otherFields]) {
  return even === otherEven ? fields < otherFields : even < otherEven;
}

// The rows as the first line says that they are parted, or as the sign parts them that fits best. Of equals it is the last, as the name of a column
// has a comma more often than a semicolon.
export function csvRows(content) {
  const [begin, declared] = DECLARED.exec(content) ?? [];
  if (SIGNS.includes(declared)) return rowsBy(declared, content.slice(begin.length), 2);
  if (declared) {
    throw new Error(`its first line says that "${declared}" parts fields, and commas, semicolons ` +
      "and tabs are read; write it with one of those, and without that line.");
  }
  const all = SIGNS.map((sign) => rowsBy(sign, content)).filter((rows) => rows.length);
  const parted = all.filter(([first]) => !first.fault);
  const several = parted.filter(([first]) => first.fields.length > 1);
  const [start, ...others] = several.map((rows) => ({ rows, fit: fit(rows) }));
  const best = others.reduce((best, one) => (isWorse(one.fit, best.fit) ? best : one), start);
  return best?.rows ?? parted[0] ?? all[0] ?? [];
}

export const tsvRows = (content) => rowsBy("\t", content);

// Whether TSV has no quotation marks: a field of its first lines begins with one, and does not end
// as CSV wants. One that goes on beyond those lines shows nothing.
export function isLiteral(content) {
  const sample = content.slice(0, endOfLine(content, SAMPLE_CHARACTERS));
  const isCut = sample.length < content.length;
  return rowsBy("\t", sample).some(({ fault }) =>
    fault && fault !== CARRIAGE && !(fault === UNCLOSED && isCut));
}
