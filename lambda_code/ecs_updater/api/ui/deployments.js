// The list of deployments, the newest first. Those of a batch stand together where its newest is.
const addressOf = (update) => `#/deployments/${update.id}`;

/** What an update changed, on one line. */
function change(update) {
  const before = new Map(imagesOf(update.before));
  const changed = imagesOf(update.after).filter(([container, image]) => before.get(container) !== image);
  const what = changed.slice(0, 1).flatMap(([container, image]) => imageChange(before.get(container), image));
  if (changed.length > 1) what.push(` and ${changed.length - 1} more`);
  const tags = differences(tagsOf(update.before), tagsOf(update.after)).length;
  const revision = update.after?.taskDefinition;
  const others = revision && revision !== update.before?.taskDefinition ? "Other settings" : tags ? "Only tags" : "No other image";
  if (!changed.length) what.push(el("span", { class: "muted" }, others));
  return update.action === "rollback" ? ["Rollback: ", ...what] : what;
}

function deploymentRow(update, isInBatch) {
  const [kind, word] = verdictOf(update);
  return row(isInBatch ? "member" : "",
    cell("verdict", badge(kind, word)),
    head(addressOf(update), update.serviceName, ...clusterOf(update)),
    cell("change", line("", ...change(update)), line(problemOf(update) ? "" : "muted", value(plainCause(update.cause ?? "")))),
    cell("when", line("", time(update.begunAt)), line("muted", took(update, "took ") ?? "")));
}

/** The row above the updates of a batch. It counts those below it. */
function batchRow(batch, updates) {
  const numbers = new Map();
  for (const word of updates.map((update) => verdictOf(update)[1].toLowerCase())) numbers.set(word, (numbers.get(word) ?? 0) + 1);
  const each = [...numbers].map(([word, number]) => `${number} ${word}`).join(", ");
  return row("batch", el("td", { role: "cell", colspan: "4" }, line("", `Batch: ${each}`), line("mono", value(batch))));
}

/** Whether an update's service is one of those that the API selects. */
const isOfSelected = (update) => !isSelecting() || services.rows.some((service) => isOfService(update, service));

const deployments = new List("deployments", {
  path: "deployments",
  pages: 1,
  first: "the last",
  none: "No deployment was recorded yet. The next one will be here.",
  parameters: () => ({ limit: "50" }),
  // A row shows its target, which the list of services has.
  depends: () => deployments.rows.map(targetOf).join(),
  isWanted(update) {
    const { serviceName, clusterName, batch, requestId, cause, caller, before, after } = update;
    const images = [...imagesOf(before), ...imagesOf(after)];
    return isOfSelected(update) && contains(serviceName, clusterName, targetOf(update), batch, requestId, cause, caller, ...images, ...tagsOf(after));
  },
  groups: {
    "in-progress": isOpen,
    ...Object.fromEntries(
      ["refused", "failed", "rolled-back", "incomplete"].map((name) => [name, (update) => problemOf(update) === name]),
    ),
  },
  arranged(updates) {
    const batches = Map.groupBy(updates, (update) => update.batch ?? update);
    return [...batches].flatMap(([batch, members]) =>
      batch === members[0]
        ? [deploymentRow(batch, false)]
        : [batchRow(batch, members), ...members.map((update) => deploymentRow(update, true))]);
  },
});
