// The map of similarities: its order, its cells, its file.

import { nameOf, thumbnail } from "./pictures.js";

const DENSE_FROM = 13;
// Above these a number is read better in the other colour: on white, and on black.
const STRONG = 0.67;
const MIDDLING = 0.58;

// Merges the two groups that are most alike on average, until one is left: like texts side by side.
function clustered(similarities) {
  let groups = similarities.map((_, i) => [i]);
  const between = (a, b) =>
    a.reduce((sum, i) => sum + b.reduce((part, j) => part + similarities[i][j], 0), 0) /
    (a.length * b.length);
  while (groups.length > 1) {
    let best = [-Infinity, 0, 1];
    groups.forEach((a, i) => groups.slice(i + 1).forEach((b, k) => {
      const value = between(a, b);
      if (value > best[0]) best = [value, i, i + 1 + k];
    }));
    const [, i, j] = best;
    const merged = [...groups[i], ...groups[j]];
    groups = groups.filter((_, k) => k !== i && k !== j);
    groups.splice(i, 0, merged);
  }
  return groups[0];
}

export function orderOf(similarities, kind) {
  return kind === "alike" ? clustered(similarities) : similarities.map((_, i) => i);
}

function label(scope, text, item) {
  const element = document.createElement("th");
  element.scope = scope;
  element.textContent = text;
  element.title = nameOf(item);
  if (typeof item !== "string") element.append(" ", thumbnail(item));
  return element;
}

function cell(texts, value, i, j) {
  const element = document.createElement("td");
  const share = Math.min(1, Math.max(0, value));
  element.textContent = value.toFixed(2);
  element.style.setProperty("--share", share.toFixed(3));
  element.classList.toggle("strong", share > STRONG);
  element.classList.toggle("middling", share > MIDDLING && share <= STRONG);
  element.dataset.cell = `${i},${j}`;
  element.tabIndex = -1;
  element.setAttribute("role", "gridcell");
  element.setAttribute("aria-label", `${i + 1} and ${j + 1}: ${value.toFixed(2)}`);
  element.title = `${value.toFixed(3)}\n${texts[i]}\n${texts[j]}`;
  return element;
}

export function draw(map, items, similarities, order) {
  const texts = items.map(nameOf);
  map.replaceChildren();
  map.classList.toggle("dense", texts.length >= DENSE_FROM);
  const head = map.createTHead().insertRow();
  head.append(document.createElement("th"), ...order.map((i) => label("col", `${i + 1}`, items[i])));
  const body = map.createTBody();
  for (const i of order) {
    const line = body.insertRow();
    line.append(label("row", `${i + 1}. ${texts[i]}`, items[i]));
    line.append(...order.map((j) => cell(texts, similarities[i][j], i, j)));
  }
  const first = map.querySelectorAll("td")[1];
  if (first) first.tabIndex = 0;
}

// Fades the edge behind which there are more columns.
export function fade(scroll) {
  const rest = scroll.scrollWidth - scroll.clientWidth - scroll.scrollLeft;
  scroll.classList.toggle("more", rest > 1);
}

export function moveTo(map, target) {
  if (!target) return;
  map.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
  target.tabIndex = 0;
  target.focus();
}

// The cell that an arrow key, Home or End leads to from a cell; undefined for other keys.
export function neighbour(target, key) {
  const line = target.parentElement;
  const column = target.cellIndex;
  if (key === "ArrowLeft") return column > 1 ? target.previousElementSibling : null;
  if (key === "ArrowRight") return target.nextElementSibling;
  if (key === "ArrowUp") return line.previousElementSibling?.cells[column] ?? null;
  if (key === "ArrowDown") return line.nextElementSibling?.cells[column] ?? null;
  if (key === "Home") return line.cells[1];
  if (key === "End") return line.cells[line.cells.length - 1];
  return undefined;
}

const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

export function asCsv(texts, similarities, order) {
  const lines = [["", ...order.map((i) => texts[i])]];
  for (const i of order) lines.push([texts[i], ...order.map((j) => String(similarities[i][j]))]);
  return lines.map((line) => line.map(quoted).join(",")).join("\r\n") + "\r\n";
}
