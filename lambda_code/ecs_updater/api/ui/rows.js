/** Whether one of the texts has what the reader typed. */
function contains(...texts) {
  const wanted = $("text").value.trim().toLowerCase();
  return texts.some((text) => String(text).toLowerCase().includes(wanted));
}

const imagesOf = (side) => Object.entries(side?.images ?? {});
const imageNames = (side) => imagesOf(side).map(([, image]) => image);
const part = (shown, all, word) => `${shown.length === all.length ? "" : `${shown.length} of `}${count(all.length, word)}`;
const cell = (label, ...children) => el("td", { role: "cell", "data-label": label }, el("div", null, ...children));
const head = (name, below) => el("th", { role: "rowheader", scope: "row" }, value(name), muted(below));
const row = (isMoving, ...cells) => el("tr", { role: "row", class: isMoving ? "moving" : "" }, ...cells);

/** An image, its registry's host less prominent; what follows goes to a line of its own before it is broken. */
function imageText(image) {
  const host = image.match(/^[^/]*[.:][^/]*\//)?.[0] ?? "";
  const name = el("span", { class: "whole" }, image.slice(host.length));
  return el("bdi", { class: "mono" }, el("span", { class: "muted" }, host), name);
}

const imageLine = (container, image, ...more) =>
  el("p", null, container ? muted(value(container)) : null, imageText(image), ...more);

function tagList(tags) {
  const items = (tags ?? []).map((tag) => el("li", null, value(tag.key, "muted"), " ", value(tag.value)));
  if (!items.length) return muted("none");
  const rest = items.length > 6 ? items.splice(5) : [];
  const more = rest.length ? el("details", null, el("summary", null, `${rest.length} more tags`), el("ul", null, rest)) : null;
  return [el("ul", null, items), more];
}

const isMoving = (service) => service.rolloutState === "IN_PROGRESS" || service.runningCount !== service.desiredCount;

function rollout(service) {
  if (service.rolloutState === "IN_PROGRESS") return badge("moving", "In progress");
  if (service.rolloutState === "FAILED") return badge("bad", "Failed");
  if (isMoving(service)) return badge("warn", "Not steady");
  return service.rolloutState === "COMPLETED" ? badge("good", "Completed") : badge("idle", service.rolloutState ?? "Unknown");
}

function serviceRow(service) {
  const { desiredCount: desired, runningCount: running, pendingCount: pending } = service;
  const images = imagesOf(service);
  const where = [service.launchType, ...service.capacityProviders];
  return row(isMoving(service),
    head(service.serviceName, mono(service.taskDefinition)),
    cell("Cluster", value(service.clusterName), muted(value(where.join(", ")))),
    cell("Tasks", `${running} of ${desired} running`, pending ? muted(`${pending} pending`) : null),
    cell("Rollout", rollout(service)),
    cell("Images", images.map(([container, image]) => imageLine(images.length > 1 && container, image))),
    cell("Tags", tagList(service.tags)));
}

const VERDICTS = new Map([
  ["SUCCEEDED", ["good", "Succeeded"]],
  ["NO_CHANGE", ["idle", "No change"]],
  ["IN_PROGRESS", ["moving", "In progress"]],
  ["TIMED_OUT", ["warn", "Timed out"]],
  ["ROLLED_BACK", ["back", "Rolled back"]],
  ["FAILED", ["bad", "Failed"]],
  ["STOPPED", ["bad", "Stopped"]],
  ["SUPERSEDED", ["idle", "Superseded"]],
]);

function verdict(update) {
  if (update.verdict) return badge(...(VERDICTS.get(update.verdict) ?? ["idle", update.verdict]));
  if (update.state === "ENDED") return badge("idle", "Ended");
  return update.state === "ROLLING_BACK" ? badge("back", "Rolling back") : badge("moving", "In progress");
}

/** What differs between two maps: name, old value, new value; undefined where there is none. */
function differences(before, after) {
  const [old, fresh] = [new Map(before), new Map(after)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])].filter((name) => old.get(name) !== fresh.get(name));
  return names.sort().map((name) => [name, old.get(name), fresh.get(name)]);
}

/** One line for each image that changes; of the old one only what comes after the repository, where that stays the same. */
function changes(update) {
  const changed = differences(imagesOf(update.before), imagesOf(update.after));
  return changed.map(([container, old = "none", image = "none"]) => {
    const same = old.replace(/[:@][^/]*$/, "");
    const short = image.startsWith(same) && /^[:@]/.test(old.slice(same.length)) ? old.slice(same.length + 1) : old;
    return imageLine(changed.length > 1 && container, image, muted("was ", mono(short)));
  });
}

function deploymentRow(update) {
  const name = `Details of ${update.serviceName}, ${update.begunAt}`;
  const button = el("button", { type: "button", "data-id": update.id, "aria-haspopup": "dialog", "aria-label": name }, "Details");
  button.addEventListener("click", () => openDetails(update));
  const changed = changes(update);
  return row(update.state !== "ENDED",
    cell("Begun", time(update.begunAt)),
    head(update.serviceName, value(update.clusterName)),
    cell("Change", update.action === "rollback" ? "Rollback" : null, changed.length ? changed : muted("No other image")),
    cell("Verdict", verdict(update), update.cause ? muted(value(update.cause)) : null),
    cell("", button));
}

const services = new List("services", {
  path: "list",
  pages: 10,
  row: serviceRow,
  none: "There is no active service with this launch type and these tags.",
  isWanted: (service) =>
    (!$("moving-only").checked || isMoving(service)) && contains(service.serviceName, service.clusterName, ...imageNames(service)),
  parameters: () => ({
    ...Object.fromEntries([...$("tag-fields").querySelectorAll("input")].map((input) => [input.name, input.value.trim()])),
    launch_type: $("launch-type").value,
    images: "1",
    limit: "100", // So many new task definitions are read within ECS's rates.
  }),
  summary(shown) {
    const moving = this.rows.filter(isMoving).length;
    const failed = this.rows.filter((service) => service.rolloutState === "FAILED").length;
    const states = [moving ? `${moving} updating` : "none updating", failed ? `${failed} failed` : ""].filter(Boolean).join(", ");
    return `${part(shown, this.rows, "service")}${this.next ? " so far" : ""}, ${states}`;
  },
});

const deployments = new List("deployments", {
  path: "deployments",
  pages: 1,
  row: deploymentRow,
  none: "No deployment was recorded yet. The next one will be here.",
  isWanted: (update) =>
    (!$("moving-only").checked || update.state !== "ENDED") &&
    contains(update.serviceName, update.clusterName, ...imageNames(update.before), ...imageNames(update.after)),
  parameters: () => ({ limit: "20" }),
  summary(shown) {
    return part(shown, this.rows, "deployment");
  },
});
