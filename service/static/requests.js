// Requests to the service, one piece of work at a time, which can be cancelled.

import { nameOf, valueOf } from "./pictures.js";

// A matrix is requested in so many blocks of rows at most: each adds to the map and the progress.
const MOST_BLOCKS = 10;

let running = null;

export const cancel = () => running?.abort();

// What the browser says of a service that is gone ("Failed to fetch") tells nobody what to do.
const unanswered = (error) => error.name === "AbortError" ? error :
  new Error("The service does not answer: see that it runs and that you reach it, then try again.");

// For text/html the service has the browser ask its user for a key where there is no valid one.
const ACCEPT = "application/json, text/html;q=0.1";
const NO_KEY = "The service takes the key no longer, or got none: try again, and give a valid one " +
  "as the password, with any user name.";

// As a proxy's page for signing in, or another program on the port.
const NO_SERVICE = "What answered is not the service: see what stands between you and it, such as " +
  "a proxy, load the page anew, then try again.";

// What is wrong, with the settings named as the page names them.
function refusal(answer, status) {
  const message = answer?.error?.message;
  if (typeof message !== "string") return `The service answered ${status}; try again.`;
  return message.replaceAll("n_trajectories", "Continuations of a text")
    .replaceAll("max_tokens", "Tokens of a continuation");
}

async function post(body, signal) {
  // What cannot be asked at all is no silence of the service, so the browser's own words stand.
  const request = new Request("v1/similarity", {
    method: "POST",
    headers: { accept: ACCEPT, "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });
  const response = await fetch(request).catch((error) => { throw unanswered(error); });
  const answer = await response.json().catch((error) => {
    if (response.ok || error.name === "AbortError") throw unanswered(error);
    return {};
  });
  if (response.status === 401) throw new Error(NO_KEY);
  if (!response.ok) throw new Error(refusal(answer, response.status));
  if (typeof answer?.scale !== "string") throw new Error(NO_SERVICE);
  return answer;
}

// Gives `work` a function that sends a request; earlier work is cancelled. Returns null where this
// is cancelled too.
export async function run(work) {
  running?.abort();
  const mine = (running = new AbortController());
  try {
    return await work((body) => post(body, mine.signal));
  } catch (error) {
    if (running !== mine) return null;
    throw error;
  } finally {
    if (running === mine) running = null;
  }
}

export const isRunning = () => running !== null;

// An error about a block of rows, as it is about the texts of the page, which cannot cut them.
function inWords(error, start, items) {
  if (error.name === "AbortError") return error;
  return new Error(error.message
    .replace(/^(rows|columns)\[(\d+)\](\.image)?/, (_, side, number) => {
      const at = Number(number) + (side === "rows" ? start : 0);
      return typeof items[at] === "string" ? `Text ${at + 1}` : nameOf(items[at]);
    })
    .replace(", or have it cut (truncate)", ""));
}

// All similarities of the texts, by blocks: the new rows with all texts so far. The score of two
// texts is the same in both orders and in any block.
export async function matrixOf(items, settings, send, onBlock) {
  const texts = items.map(valueOf);
  const similarities = texts.map(() => []);
  const size = Math.max(2, Math.ceil(texts.length / MOST_BLOCKS));
  const warnings = new Set();
  let answer = null;
  for (let start = 0; start < texts.length; start += size) {
    const end = Math.min(texts.length, start + size);
    const rows = texts.slice(start, end);
    const block = send({ rows, columns: texts.slice(0, end), ...settings });
    answer = await block.catch((error) => { throw inWords(error, start, items); });
    answer.similarities.forEach((row, k) => row.forEach((value, j) => {
      similarities[start + k][j] = value;
      similarities[j][start + k] = value;
    }));
    for (const warning of answer.warnings ?? []) warnings.add(warning);
    onBlock(end);
  }
  return { model: answer.model, scale: answer.scale, similarities, warnings: [...warnings] };
}
