// What every part of the page stands on: elements and the API. Whatever comes from the API becomes text, never markup.
const $ = (id) => document.getElementById(id);
const BASE = location.origin + location.pathname.replace(/\/*$/, "/"); // The API lies under a path: /v1/
const AUTH = document.body.dataset.auth;
const SECRET = AUTH === "jwt" ? "token" : "key"; // What the reader enters.
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
const mono = (text) => value(text, "mono");

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // What did not change is not announced again.
}

const storedKey = () => sessionStorage.getItem(KEY);

class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    Object.assign(this, { status, retryAfter });
  }
}

/** The JSON that a route answers. Throws ApiError for any answer but a success, and for none. With `sent` it is a POST. */
async function api(path, parameters, signal, sent) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, text]) => text));
  const headers = { accept: "application/json" };
  if (AUTH === "jwt") headers.authorization = `Bearer ${storedKey()}`;
  else headers["x-api-key"] = storedKey();
  const options = { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" };
  if (sent) {
    headers["content-type"] = "application/json";
    Object.assign(options, { method: "POST", body: JSON.stringify(sent) });
  }
  let response;
  try {
    response = await fetch(`${BASE}${path}${sent ? "" : `?${query}`}`, options);
  } catch (error) {
    throw signal?.aborted ? error : new ApiError("The API could not be reached.");
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const request = body?.requestId ? ` (request ${body.requestId})` : "";
  const message = plainCause(body?.errorMessage ?? "the answer is not the API's");
  const text = `${response.status} ${body?.errorType ?? "Error"}: ${message}${request}`;
  // Of the 403s only the gateway's own is about the key: the function's say what its role may not do. A 401 is about the token.
  if (response.status !== 429) throw new ApiError(text, ["Forbidden", "Unauthorized"].includes(body?.errorType) ? 403 : 0);
  const seconds = Number.parseInt(response.headers.get("retry-after"), 10) || 5;
  throw new ApiError(`Too many requests: try again in ${count(seconds, "second")}. ${text}`, 429, seconds);
}
