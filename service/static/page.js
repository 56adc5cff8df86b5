// The page at /: texts in, a heat map out, and for each cell what tells its texts apart.
// Text is only ever put in by textContent: nothing that is typed can become markup.

const MOST_TEXTS = 50;
const DENSE_FROM = 13;
const TELLINGS = 8;
const $ = (id) => document.getElementById(id);

let running = null;
let shown = null;

const texts = () => $("texts").value.split("\n").map((line) => line.trim()).filter(Boolean);

// Of continuations: what explains a pair, whichever way the map was made.
function sampling() {
  return {
    n_trajectories: Number($("n").value),
    max_tokens: Number($("m").value),
    prompt: $("prompt").value,
    distance: $("distance").value,
  };
}

function settings() {
  const preset = $("preset").value;
  return preset === "paper" ? { preset, ...sampling() } : { preset };
}

// What is said of similarities, by their scale.
const scales = {
  judgements: "calibrated",
  "general text": "calibrated on general text",
  none: "uncalibrated",
};

function say(message, wrong = false) {
  $("status").textContent = message;
  $("status").classList.toggle("wrong", wrong);
}

async function ask(body, signal) {
  const response = await fetch("/v1/similarity", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

// Runs one request at a time, with the seconds it takes shown, and a way to cancel it.
async function run(body, waiting) {
  running?.abort();
  const mine = (running = new AbortController());
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1000).toFixed(1);
  const timer = setInterval(() => say(`${waiting} … ${seconds()} s`), 100);
  $("cancel").hidden = false;
  try {
    const answer = await ask(body, mine.signal);
    say([`${answer.model}, ${seconds()} s, ${scales[answer.scale]}`, ...(answer.warnings ?? [])].join("; "));
    return answer;
  } catch (error) {
    if (running === mine) say(error.name === "AbortError" ? "Cancelled." : error.message, error.name !== "AbortError");
    return null;
  } finally {
    clearInterval(timer);
    if (running === mine) {
      running = null;
      $("cancel").hidden = true;
    }
  }
}

async function compare() {
  const rows = texts();
  if (rows.length < 2 || rows.length > MOST_TEXTS) {
    say(`Give 2 to ${MOST_TEXTS} texts, one on each line; there are ${rows.length}.`, true);
    return;
  }
  const answer = await run({ rows, ...settings() }, "Comparing");
  if (answer) {
    shown = { rows, sampling: sampling(), similarities: answer.similarities };
    $("detail").hidden = true;
    draw();
  }
}

function range(similarities) {
  const others = similarities.flatMap((row, i) => row.filter((_, j) => i !== j));
  return [Math.min(...others), Math.max(...others)];
}

function draw() {
  const { rows, similarities } = shown;
  const [low, high] = range(similarities);
  const share = (value) => (high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 1);
  const map = $("map");
  map.replaceChildren();
  map.classList.toggle("dense", rows.length >= DENSE_FROM);
  const head = map.createTHead().insertRow();
  head.append(document.createElement("td"), ...rows.map((text, i) => label("col", `${i + 1}`, text)));
  const body = map.createTBody();
  rows.forEach((text, i) => {
    const line = body.insertRow();
    line.append(label("row", `${i + 1}. ${text}`, text));
    similarities[i].forEach((value, j) => line.append(cell(value, share(value), i, j)));
  });
  head.firstChild.replaceWith(document.createElement("th"));
  $("low").textContent = low.toFixed(2);
  $("high").textContent = high.toFixed(2);
  $("result").hidden = false;
}

function label(scope, text, title) {
  const element = document.createElement("th");
  element.scope = scope;
  element.textContent = text;
  element.title = title;
  return element;
}

function cell(value, share, i, j) {
  const element = document.createElement("td");
  element.textContent = value.toFixed(2);
  element.style.setProperty("--share", share.toFixed(3));
  element.classList.toggle("strong", share > 0.5);
  element.dataset.cell = `${i},${j}`;
  element.tabIndex = i === 0 && j === 1 ? 0 : -1;
  element.setAttribute("role", "gridcell");
  element.setAttribute("aria-label", `${i + 1} and ${j + 1}: ${value.toFixed(2)}`);
  element.title = `${value.toFixed(3)}\n${shown.rows[i]}\n${shown.rows[j]}`;
  return element;
}

const cellAt = (i, j) => $("map").querySelector(`[data-cell="${i},${j}"]`);

function moveTo(target) {
  if (!target) return;
  $("map").querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
  target.tabIndex = 0;
  target.focus();
}

const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function onMapKey(event) {
  const at = event.target.dataset?.cell?.split(",").map(Number);
  if (!at) return;
  if (event.key in MOVES) {
    const [down, right] = MOVES[event.key];
    moveTo(cellAt(at[0] + down, at[1] + right));
  } else if (event.key === "Enter" || event.key === " ") {
    explain(event.target);
  } else if (event.key === "Home") {
    moveTo(cellAt(at[0], 0));
  } else if (event.key === "End") {
    moveTo(cellAt(at[0], shown.rows.length - 1));
  } else {
    return;
  }
  event.preventDefault();
}

async function explain(target) {
  const [i, j] = target.dataset.cell.split(",").map(Number);
  $("map").querySelector(".chosen")?.classList.remove("chosen");
  target.classList.add("chosen");
  const pair = [shown.rows[i], shown.rows[j]];
  const body = { pairs: [pair], explain: true, top: TELLINGS, ...shown.sampling };
  const answer = await run(body, "Explaining");
  if (answer) tell(pair, answer.results[0]);
}

function tell([a, b], { similarity, distance, explanation }) {
  $("text-a").textContent = a;
  $("text-b").textContent = b;
  const how = explanation.method === "trajectories" ? "continuations" : "meaning vectors";
  $("numbers").textContent =
    `By ${how}: similarity ${similarity.toFixed(3)}, distance ${distance.toFixed(3)}.`;
  $("tellings").replaceChildren(...partsOf(explanation));
  $("detail").hidden = false;
  $("detail").scrollIntoView({ block: "nearest" });
}

function partsOf(explanation) {
  if (explanation.method === "trajectories") {
    const all = explanation.continuations.flatMap((told) => told.log_likelihoods.map(Math.exp));
    const longest = Math.max(...all);
    return explanation.continuations.map((told) => telling(told, longest));
  }
  return explanation.words.map(({ word, share }) => {
    const item = document.createElement("li");
    item.textContent = `${word}: ${share >= 0 ? "+" : ""}${share.toFixed(3)} of the cosine`;
    return item;
  });
}

function telling(told, longest) {
  const item = document.createElement("li");
  const words = document.createElement("span");
  words.className = "words";
  words.textContent = `…${told.text}`;
  const from = document.createElement("span");
  from.className = "from";
  from.textContent = `  after ${told.source === 0 ? "A" : "B"}`;
  item.append(words, from, ...told.log_likelihoods.map((value, k) => bar("ab"[k], value, longest)));
  return item;
}

function bar(side, value, longest) {
  const line = document.createElement("div");
  line.className = "bar";
  const key = document.createElement("span");
  key.className = `key ${side}`;
  key.textContent = side.toUpperCase();
  const track = document.createElement("div");
  track.className = "track";
  const fill = document.createElement("div");
  fill.className = `fill ${side}`;
  fill.style.setProperty("--share", (Math.exp(value) / longest).toFixed(4));
  track.append(fill);
  const number = document.createElement("span");
  number.textContent = `${value.toFixed(2)} nats`;
  line.append(key, track, number);
  return line;
}

// In single quotes a shell reads everything as it stands but the quote itself.
const inShell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function asCurl() {
  const body = JSON.stringify({ rows: texts(), ...settings() });
  return `curl -s ${location.origin}/v1/similarity -H 'content-type: application/json' \\\n` +
    `  -H "authorization: Bearer $TRAJSIM_API_KEY" \\\n  -d ${inShell(body)}\n`;
}

function asPython() {
  const named = Object.entries(settings())
    .map(([name, value]) => `        ${name}=${JSON.stringify(value)},\n`).join("");
  const list = texts().map((text) => `    ${JSON.stringify(text)},\n`).join("");
  return `import os\n\nfrom service.client import Client\n\ntexts = [\n${list}]\n` +
    `with Client(${JSON.stringify(location.origin)}, api_key=os.environ.get("TRAJSIM_API_KEY")) as client:\n` +
    `    matrix = client.matrix(\n        texts,\n${named}    )\nprint(matrix.similarities)\n`;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say("Copied.");
  } catch {
    // Without HTTPS a browser has no clipboard: let the user take it from here.
    prompt("Copy this:", text);
  }
}

async function describe() {
  const response = await fetch("/v1/models");
  if (!response.ok) return;
  const [model] = (await response.json()).data;
  $("model").textContent = `Model: ${model.id}.`;
  $("n").max = model.limits.trajectories;
  $("m").max = model.limits.continuation_tokens;
  for (const option of [...$("preset").options]) {
    if (!model.presets.includes(option.value)) option.remove();
  }
  $("preset").value = model.preset;
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  compare();
});
$("map").addEventListener("click", (event) => {
  const target = event.target.closest("[data-cell]");
  if (!target) return;
  moveTo(target);
  explain(target);
});
$("map").addEventListener("keydown", onMapKey);
$("cancel").addEventListener("click", () => running?.abort());
$("curl").addEventListener("click", () => copy(asCurl()));
$("python").addEventListener("click", () => copy(asPython()));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
  if (event.key === "Escape") running?.abort();
});
describe();
