// Texts of a file that the user has: one a line, or a column of CSV, TSV or JSON lines.

const NAMES = ["text", "sentence", "content", "texts", "sentences"];

// RFC 4180: quotes around a field, doubled inside.
function fields(content, separator) {
  const rows = [[]];
  let field = "";
  let inside = false;
  for (let at = 0; at < content.length; at += 1) {
    const letter = content[at];
    if (inside && letter === '"' && content[at + 1] === '"') {
      field += '"';
      at += 1;
    } else if (letter === '"' && (inside || field === "")) {
      inside = !inside;
    } else if (!inside && letter === separator) {
      rows.at(-1).push(field);
      field = "";
    } else if (!inside && letter === "\n") {
      rows.at(-1).push(field);
      field = "";
      rows.push([]);
    } else {
      field += letter;
    }
  }
  rows.at(-1).push(field);
  return rows;
}

function columnOf(rows) {
  const names = rows[0].map((name) => name.trim().toLowerCase());
  const at = NAMES.map((name) => names.indexOf(name)).find((place) => place >= 0);
  return at === undefined ? rows.map((row) => row[0]) : rows.slice(1).map((row) => row[at]);
}

function ofJson(line, number) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`Line ${number} is not JSON.`);
  }
  const text = typeof value === "string" ? value : NAMES.map((name) => value?.[name]).find(Boolean);
  if (typeof text !== "string") throw new Error(`Line ${number} has no field "text".`);
  return text;
}

export async function textsOf(file) {
  const content = (await file.text()).replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  const kind = file.name.split(".").at(-1).toLowerCase();
  const lines = content.split("\n");
  let found = lines;
  if (kind === "csv" || kind === "tsv") found = columnOf(fields(content, kind === "csv" ? "," : "\t"));
  if (kind === "jsonl" || kind === "ndjson") {
    found = lines.flatMap((line, i) => (line.trim() ? [ofJson(line, i + 1)] : []));
  }
  return found.map((text) => (text ?? "").replace(/\s+/g, " ").trim()).filter(Boolean);
}
