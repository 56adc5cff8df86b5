// The page at /: texts in, a heat map out, and for each cell why its score is what it is.
// Text is only ever put in by textContent and append: nothing that is typed can become markup.

import "./address.js";
import { isBlank } from "./blank.js";
import { partsOf } from "./explanation.js";
import { asCsv, draw, fade, moveTo, neighbour, orderOf } from "./heatmap.js";
import { isPicture, nameOf, pictures, put, takePictures, valueOf } from "./pictures.js";
import { cancel, isRunning, matrixOf, run } from "./requests.js";
import { choose, forget, takeTexts } from "./taking.js";

const MOST_TEXTS = 50;
const MOST_PARTS = 8;
const $ = (id) => document.getElementById(id);

// The map that is shown: texts, settings, similarities, order.
let shown = null;

// The model that reads texts alone, once that is known; null until then.
let blind = null;
const refuse = ({ name }) =>
  say(`${name}: ${blind} reads texts alone; serve a vision-language model`, true);

// Lines of text, then pictures.
const items = () => [...texts(), ...pictures()];
const texts = () => $("texts").value.split("\n").map((line) => line.trim())
  .filter((line) => !isBlank(line));

function settings() {
  const preset = $("preset").value;
  if (preset !== "paper") return { preset };
  return {
    preset,
    n_trajectories: Number($("n").value),
    max_tokens: Number($("m").value),
    prompt: $("prompt").value,
    distance: $("distance").value,
  };
}

// What is said of similarities, by their scale, in the words of the command line.
const scales = {
  judgements: "calibrated: as people judge pairs",
  "general text": "calibrated on general text: 0 is as unrelated sentences are",
  "own texts": "calibrated on own texts: 0 is as unrelated texts of your own are",
  none: "uncalibrated: use it to rank, not as a degree",
};

// What was said beside the work that runs, as of a file: it stays until other work begins.
let beside = null;
function say(message, wrong = false) {
  beside = isRunning() ? { message, wrong } : null;
  $("status").textContent = message;
  $("status").classList.toggle("wrong", wrong);
}

function sayOfWork(message, wrong = false) {
  $("status").textContent = beside ? `${beside.message} ${message}` : message;
  $("status").classList.toggle("wrong", wrong || (beside?.wrong ?? false));
}

// Works with the seconds shown, a bar and a way to cancel; an error clears what it would replace.
async function working(doing, clear, work) {
  beside = null;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const progress = $("progress");
  let done = "";
  const timer = setInterval(() => sayOfWork(`${doing} … ${done}${seconds().toFixed(1)} s`), 100);
  const advance = (count, all) => {
    progress.hidden = count >= all;
    progress.value = count / all;
    done = `${count} of ${all} texts, `;
  };
  $("cancel").hidden = false;
  try {
    const result = await run((send) => work(send, advance));
    if (result) {
      const said = [`${result.model}, ${seconds().toFixed(1)} s`, scales[result.scale]];
      sayOfWork([...said, ...(result.warnings ?? [])].join("; "));
    }
    return result;
  } catch (error) {
    clear();
    const left = error.name === "AbortError";
    sayOfWork(left ? "Cancelled." : error.message, !left);
    return null;
  } finally {
    clearInterval(timer);
    $("cancel").hidden = !isRunning();
    progress.hidden ||= !isRunning();
  }
}

// Whether what is shown is of other texts than those that are given now.
function isOld() {
  const now = items();
  return shown !== null &&
    (now.length !== shown.rows.length || now.some((item, i) => item !== shown.rows[i]));
}

// What is shown is pale where it is old.
function stale(is = isOld()) {
  for (const id of ["result", "detail"]) $(id).classList.toggle("stale", is);
}

function hideResult() {
  shown = null;
  $("result").hidden = true;
  $("detail").hidden = true;
}

async function compare() {
  const rows = items();
  if (rows.length < 2 || rows.length > MOST_TEXTS) {
    hideResult();
    say(`Give 2 to ${MOST_TEXTS} texts, one on each line, or pictures; there are ${rows.length}.`, true);
    return;
  }
  const [picture] = pictures();
  if (blind && picture) {
    hideResult();
    refuse(picture);
    return;
  }
  const chosen = settings();
  stale(true);
  const answer = await working("Comparing", hideResult, (send, advance) =>
    matrixOf(rows, chosen, send, (count) => advance(count, rows.length)));
  if (!isRunning()) stale(false);
  if (!answer) return;
  shown = { rows, settings: chosen, similarities: answer.similarities };
  $("detail").hidden = true;
  redraw();
  stale();
}

function redraw() {
  shown.order = orderOf(shown.similarities, $("order").value);
  draw($("map"), shown.rows, shown.similarities, shown.order);
  $("result").hidden = false;
  fade($("scroll"));
}

async function explain(target) {
  const [i, j] = target.dataset.cell.split(",").map(Number);
  $("map").querySelector(".chosen")?.classList.remove("chosen");
  target.classList.add("chosen");
  const pair = [shown.rows[i], shown.rows[j]];
  const body = { pairs: [pair.map(valueOf)], explain: true, top: MOST_PARTS, ...shown.settings };
  const hide = () => { $("detail").hidden = true; };
  const answer = await working("Explaining", hide, (send) => send(body));
  if (answer) show(pair, answer);
}

// Distances that are differences of mean log-likelihoods; all others have no unit.
const IN_NATS = ["l1", "l2", "linf"];

function show([a, b], { scale, results: [{ similarity, distance, explanation }] }) {
  put($("text-a"), a);
  put($("text-b"), b);
  $("numbers").textContent =
    `By the preset ${shown.settings.preset}: similarity ${similarity.toFixed(4)} ` +
    `(${scales[scale]}), distance ${distance.toFixed(4)}` +
    `${IN_NATS.includes(shown.settings.distance) ? " nats per token" : ""}.`;
  $("parts").replaceChildren(...partsOf(explanation, MOST_PARTS));
  $("detail").hidden = false;
  $("detail").scrollIntoView({ block: "nearest" });
}

// Where the service is, also behind a proxy that has it below a path.
const address = new URL(".", location.href).href.replace(/\/$/, "");

// In single quotes a shell reads everything as it stands but the quote itself.
const inShell = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function asCurl() {
  const body = JSON.stringify({ rows: items().map(valueOf), ...settings() });
  return `curl -s ${inShell(`${address}/v1/similarity`)} -H 'content-type: application/json' \\\n` +
    `  -H "authorization: Bearer $TRAJSIM_KEY" \\\n  -d ${inShell(body)}\n`;
}

function asPython() {
  const named = Object.entries(settings())
    .map(([name, value]) => `        ${name}=${JSON.stringify(value)},\n`).join("");
  const list = items().map((item) => `    ${JSON.stringify(valueOf(item))},\n`).join("");
  return `# Needs: pip install "PATH_OR_GIT_URL[client]", of trajsim\n` +
    `import os\n\nfrom service.client import Client\n\ntexts = [\n${list}]\n` +
    `with Client(${JSON.stringify(address)}, api_key=os.environ.get("TRAJSIM_KEY")) as client:\n` +
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

// Pictures are added to those there are; a file of texts takes the place of the lines.
async function take(files) {
  const shots = files.filter(isPicture);
  const [file, another] = files.filter((one) => !isPicture(one));
  if (blind && shots.length) {
    refuse(shots[0]);
    return;
  }
  try {
    if (another) throw new Error("give one file of texts at a time.");
    if (shots.length) {
      await takePictures(shots, $("pictures"));
      say(`${pictures().length} picture${pictures().length === 1 ? "" : "s"}.`);
    }
    if (!file) return;
    const { message, wrong } = await takeTexts(file, MOST_TEXTS);
    say(message, wrong);
  } catch (error) {
    say(file ? `${file.name}: ${error.message}` : error.message, true);
  } finally {
    stale();
  }
}

function chooseColumn() {
  const result = choose();
  if (result) say(result.message, result.wrong);
  stale();
}

async function upload() {
  await take([...$("file").files]);
  $("file").value = "";
}

function download() {
  const content = asCsv(shown.rows.map(nameOf), shown.similarities, shown.order);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/csv" }));
  link.download = "similarities.csv";
  link.click();
  URL.revokeObjectURL(link.href);
}

function showSettings() {
  $("sampling").hidden = $("preset").value !== "paper";
}

async function describe() {
  const response = await fetch("v1/models");
  if (!response.ok) return;
  const [model] = (await response.json()).data;
  $("model").textContent = `Model: ${model.id}.`;
  blind = model.images ? null : model.id;
  $("n").max = model.limits.trajectories;
  $("m").max = model.limits.continuation_tokens;
  for (const option of [...$("preset").options]) {
    if (!model.presets.includes(option.value)) option.remove();
  }
  $("preset").value = model.preset;
  showSettings();
}

$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  compare();
});
$("map").addEventListener("click", (event) => {
  const target = event.target.closest("[data-cell]");
  if (!target) return;
  moveTo($("map"), target);
  explain(target);
});
$("map").addEventListener("keydown", (event) => {
  const target = event.target.closest("[data-cell]");
  if (!target) return;
  const next = neighbour(target, event.key);
  if (next !== undefined) moveTo($("map"), next);
  else if (event.key === "Enter" || event.key === " ") explain(target);
  else return;
  event.preventDefault();
});
$("scroll").addEventListener("scroll", () => fade($("scroll")));
addEventListener("resize", () => fade($("scroll")));
$("preset").addEventListener("change", showSettings);
$("order").addEventListener("change", redraw);
$("file").addEventListener("change", upload);
$("table").addEventListener("change", chooseColumn);
// Texts that were changed by hand are not replaced by another column.
$("texts").addEventListener("input", () => {
  forget();
  stale();
});
// Anywhere on the page: elsewhere than here the browser would leave it for the file.
document.addEventListener("dragover", (event) => {
  if (event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  event.preventDefault();
  take([...event.dataTransfer.files]);
});
$("upload").addEventListener("click", () => $("file").click());
$("download").addEventListener("click", download);
$("cancel").addEventListener("click", cancel);
$("curl").addEventListener("click", () => copy(asCurl()));
$("python").addEventListener("click", () => copy(asPython()));
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) $("form").requestSubmit();
  if (event.key === "Escape") cancel();
});
// A browser keeps no text over a reload of a page that is not to be stored; this tab does.
addEventListener("pagehide", () => sessionStorage.setItem("texts", $("texts").value));
describe();
$("texts").value = sessionStorage.getItem("texts") ?? $("texts").value;
