// What every part of the page stands on: elements, times, and the API. Whatever comes from the API becomes text, never markup.
const $ = (id) => document.getElementById(id);
const BASE = location.origin + location.pathname.replace(/\/*$/, "/"); // The API lies under a path: /v1/
const KEY = `ecs-updater-key ${BASE}`; // One for each API of an origin.

/** An element with attributes and children. Strings become text; null is left out. */
function el(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, text] of Object.entries(attributes ?? {})) element.setAttribute(key, text);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** A value from outside: isolated, so that its writing direction stays its own. */
const value = (text, kind = "") => el("bdi", { class: kind }, String(text ?? "–"));
const muted = (...children) => el("div", { class: "muted" }, ...children);
const mono = (text) => value(text, "mono");

const STROKES = {
  good: "M3 8.5 6.5 12 13 4.5",
  bad: "M4 4l8 8M12 4l-8 8",
  moving: "M14 8a6 6 0 1 1-6-6",
  warn: "M8 3v6M8 12.5v.5",
  back: "M6 3 2.5 6.5 6 10M3 6.5h6.5a3.5 3.5 0 0 1 0 7H7",
  idle: "M3 8h10",
};

/** A word with a mark before it. The shape of the mark differs too, not only its colour. */
function badge(kind, word) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", STROKES[kind]);
  svg.append(path);
  return el("span", { class: `badge ${kind}` }, svg, value(word));
}

const TIME = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/** A moment in the reader's zone, with the exact one in UTC as its title. */
function time(text) {
  const moment = new Date(text ?? NaN);
  if (Number.isNaN(moment.valueOf())) return value(text);
  return el("time", { datetime: moment.toISOString(), title: moment.toISOString() }, TIME.format(moment));
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // What did not change is not announced again.
}

const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

const storedKey = () => sessionStorage.getItem(KEY);

class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    Object.assign(this, { status, retryAfter });
  }
}

/** The JSON that a route answers. Throws ApiError for any answer but a success, and for none. */
async function api(path, parameters, signal) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, text]) => text));
  const headers = { accept: "application/json", "x-api-key": storedKey() };
  let response;
  try {
    const options = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
    response = await fetch(`${BASE}${path}?${query}`, options);
  } catch (error) {
    throw signal.aborted ? error : new ApiError("The API could not be reached.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const request = body?.requestId ? ` (request ${body.requestId})` : "";
  const text = `${response.status} ${body?.errorType ?? "Error"}: ${body?.errorMessage ?? "the answer is not the API's"}${request}`;
  // Of the 403s only the gateway's own is about the key: the function's say what its role may not do.
  if (response.status !== 429) throw new ApiError(text, body?.errorType === "Forbidden" ? 403 : 0);
  const seconds = Number.parseInt(response.headers.get("retry-after"), 10) || 5;
  throw new ApiError(`Too many requests: try again in ${count(seconds, "second")}. ${text}`, 429, seconds);
}
