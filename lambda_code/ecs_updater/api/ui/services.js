// The list of services. Those that need attention come first, then those in progress.
const addressOfService = ({ clusterName, serviceName, target }) =>
  `#/services/${[clusterName, serviceName, ...(target ? [target] : [])].map(encodeURIComponent).join("/")}`;

/** The kind and the word of what a service's tasks are at. */
function stateOf({ rolloutState, runningCount, desiredCount }) {
  if (rolloutState === "IN_PROGRESS") return ["moving", "In progress"];
  if (rolloutState === "FAILED") return ["bad", "Failed"];
  if (runningCount !== desiredCount) return ["warn", "Not steady"];
  return rolloutState === "COMPLETED" ? ["good", "Steady"] : ["idle", words(rolloutState ?? "RUNNING")];
}

/** Whether two rows are of one service. Its ARN has two forms, so the names and the place decide. */
const isOfService = (one, other) =>
  one.serviceName === other.serviceName && one.clusterName === other.clusterName &&
  placeOf(one.serviceArn) === placeOf(other.serviceArn);

/** The word for a service's last deployment if that did not succeed, else undefined. */
function lastProblem(service) {
  const last = deployments.rows.find((update) => isOfService(update, service));
  return last && problemOf(last) && verdictOf(last)[1].toLowerCase();
}

function needsAttention(service) {
  const [kind] = stateOf(service);
  return kind === "bad" || kind === "warn" || (kind !== "moving" && Boolean(lastProblem(service)));
}

const rank = (service) => (needsAttention(service) ? 0 : service.rolloutState === "IN_PROGRESS" ? 1 : 2);

/** What a service's tasks run on, in words: its capacity providers, else its launch type. */
function launchOf({ launchType, capacityProviders }) {
  const names = capacityProviders.length ? capacityProviders : [launchType];
  return names.map((name) => (name === launchType || name === "FARGATE_SPOT" ? words(name) : name)).join(", ");
}

function serviceRow(service) {
  const { desiredCount: desired, runningCount: running, pendingCount: pending } = service;
  const [first, ...others] = imagesOf(service);
  const problem = lastProblem(service);
  const tags = tagsOf(service).flatMap(([key, text]) => [value(key, "muted"), " ", value(text), " "]);
  return row("",
    cell("verdict", badge(...stateOf(service)), problem ? line("problem", `last ${problem}`) : null),
    head(addressOfService(service), service.serviceName, ...clusterOf(service)),
    cell("tasks", line("", `${running} of ${desired}`), line("muted", pending ? `${pending} pending` : "")),
    cell("change",
      line("", first ? imageText(first[1]) : value(null), others.length ? ` and ${others.length} more` : null),
      line("tags", ...(tags.length ? tags : [value("no tags", "muted")]))));
}

const services = new List("services", {
  path: "list",
  pages: 10,
  first: "the first",
  none: "There is no active service.",
  parameters: () => ({
    ...Object.fromEntries(tagFilters()),
    launch_type: $("launch-type").value,
    target: $("target").value,
    images: "1",
    limit: "100", // So many new task definitions are read within ECS's rates.
  }),
  // A row shows its last deployment, too.
  depends: () => services.rows.map(lastProblem).join(),
  isWanted(service) {
    const { serviceName, clusterName, target, taskDefinition } = service;
    return contains(serviceName, clusterName, target, taskDefinition, ...imagesOf(service), ...tagsOf(service));
  },
  groups: { attention: needsAttention },
  arranged: (rows) => rows.toSorted((one, other) => rank(one) - rank(other)).map(serviceRow),
});
