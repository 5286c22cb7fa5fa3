// The page's words: verdicts, causes, times and images.
const count = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;

/** A constant of the API in words; any other text as it is. */
const words = (text) =>
  /^[A-Z]+(_[A-Z]+)*$/.test(text) ? text[0] + text.slice(1).toLowerCase().replaceAll("_", " ") : text;

/** An error's message without the prefix for programs, such as `[ERROR][stage]`. */
const plainCause = (text) => text.replace(/^\[ERROR\]\[\w+\] (?:(?:FAILED|ROLLED_BACK|ROLLBACK_FAILED|STOPPED|SUPERSEDED): )?/, "");

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

// Of each verdict: its kind, and the count that it belongs to. Those of a count need attention.
const VERDICTS = new Map([
  ["SUCCEEDED", ["good"]],
  ["NO_CHANGE", ["idle"]],
  ["IN_PROGRESS", ["moving"]],
  ["SUPERSEDED", ["idle"]],
  ["NOT_DEPLOYED", ["bad", "refused"]],
  ["FAILED", ["bad", "failed"]],
  ["ROLLED_BACK", ["back", "rolled-back"]],
  ["ROLLBACK_FAILED", ["bad", "failed"]],
  ["TIMED_OUT", ["warn", "incomplete"]],
  ["STOPPED", ["warn", "incomplete"]],
  ["INTERRUPTED", ["warn", "incomplete"]],
  ["NOT_STARTED", ["warn", "incomplete"]],
]);

const isOpen = (update) => update.state !== "ENDED";
const problemOf = (update) => (isOpen(update) ? undefined : VERDICTS.get(update.verdict)?.[1]);

/** The hook that an update's deployment awaits; undefined without one, and after an answer. */
function awaitedHook(update) {
  const hook = update.rollout?.hook;
  const isAnswered = (update.approvals ?? []).some(({ hookId, confirmed }) => confirmed && hookId === hook?.id);
  return isOpen(update) && hook?.awaits === "approval" && !isAnswered ? hook : undefined;
}

/** The kind and the word of an update's verdict, or of its progress. */
function verdictOf(update) {
  const { state, verdict } = update;
  if (awaitedHook(update)) return ["warn", "Awaiting approval"];
  if (state === "ROLLING_BACK") return ["moving", "Rolling back"];
  if (state !== "ENDED") return ["moving", "In progress"];
  return [VERDICTS.get(verdict)?.[0] ?? "idle", verdict === "NOT_DEPLOYED" ? "Refused" : words(verdict ?? "ENDED")];
}

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** Milliseconds in the largest unit, and with two `parts` in the next one: 1 min 29 s. */
function duration(milliseconds, parts) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const first = UNITS.findIndex(([size]) => seconds >= size);
  if (first < 0) return "under 1 s";
  const numbers = UNITS.slice(first, first + parts).map(([size, unit], index) => {
    const rest = index ? seconds % UNITS[first][0] : seconds;
    return [Math.floor(rest / size), unit];
  });
  return numbers.filter(([number]) => number).map((each) => each.join(" ")).join(" ");
}

/** A moment as the time since then, with the full one as its title. */
function time(text) {
  const moment = new Date(text ?? NaN);
  if (Number.isNaN(moment.valueOf())) return value(text);
  const iso = moment.toISOString();
  return el("time", { datetime: iso, title: `${FULL.format(moment)} (${iso})`, "data-since": iso });
}

/** How long an update took, after `word`, or takes until now; null if that is not known. */
function took({ state, begunAt, endedAt }, word) {
  const milliseconds = Date.parse(endedAt) - Date.parse(begunAt);
  if (milliseconds >= 0) return el("span", null, word + duration(milliseconds, 2));
  return state !== "ENDED" && Date.parse(begunAt) ? el("span", { "data-since": begunAt }) : null;
}

/** Brings the times since a moment up to date. */
function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    const milliseconds = Date.now() - Date.parse(each.dataset.since);
    setText(each, each.localName === "time" ? `${duration(milliseconds, 1)} ago` : `for ${duration(milliseconds, 2)}`);
  }
}

const imagesOf = (side) => Object.entries(side?.images ?? {});
const tagsOf = (side) => (side?.tags ?? []).map((tag) => [tag.key, tag.value]);

/** Repository and version of an image. The repository without its registry's host, a digest cut short. */
function parts(image) {
  const [, name, version = ""] = image.match(/^(?:[^/]*[.:][^/]*\/)?(.*?)([:@][^/]*)?$/s);
  return [name, version.replace(/(sha256:\w{12})\w+/, "$1…").slice(1)];
}

const versionOf = (name, version, kind) => el("bdi", { class: "mono image" }, el("span", { class: kind }, name), version);

/** An image without its registry; the version stands out. */
function imageText(image) {
  const [name, version] = parts(image);
  return version ? versionOf(`${name}:`, version, "muted") : versionOf(name, "", "");
}

/** The new image; before it of the old one only what differs. */
function imageChange(old, image) {
  if (!old) return [imageText(image)];
  const [name, version] = parts(old);
  const [newName, newVersion] = parts(image);
  if (name !== newName || !version || !newVersion) return [imageText(old), " → ", imageText(image)];
  return [versionOf(`${name}:`, `${version} → ${newVersion}`, "muted repository")];
}

const SETTINGS = new Map([
  ["environment", "Variable"],
  ["secret", "Secret"],
  ["command", "Command"],
  ["cpu", "CPU"],
  ["memory", "Memory"],
]);

/** The name of a change in words, such as "Variable LOG_LEVEL of app". */
function changeName(what) {
  const [kind, owner, ...name] = what.split(".");
  if (kind === "task" && SETTINGS.has(owner)) return `${SETTINGS.get(owner)} of the task`;
  if (SETTINGS.has(kind) && owner) return [SETTINGS.get(kind), ...(name.length ? [name.join(".")] : []), "of", owner].join(" ");
  if (kind === "field") return `Field ${what.slice("field.".length)}`;
  const words = what.replaceAll(".", ": ").replace(/([a-z])([A-Z])/g, (_, end, begin) => `${end} ${begin.toLowerCase()}`);
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

/** What differs between two maps: name, old value, new value; undefined where there is none. */
function differences(before, after) {
  const [old, fresh] = [new Map(before), new Map(after)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])].filter((name) => old.get(name) !== fresh.get(name));
  return names.sort().map((name) => [name, old.get(name), fresh.get(name)]);
}
