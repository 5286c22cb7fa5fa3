// Targets: other accounts and regions. A row without one is of home, the account and region of the API.
const scope = {};
const known = new Set(); // Every target that the API has named, so that a selection does not remove the others.

/** The account and region of an ARN, as its beginning: arn:aws:ecs:REGION:ACCOUNT. */
const placeOf = (arn) => arn.split(":").slice(0, 5).join(":");

/** The target of a row; null for home. An update has only its ARN: without a service there, account and region are its place. */
function targetOf({ target, serviceArn }) {
  if (target !== undefined) return target;
  const [, region, account] = /^arn:[\w-]+:ecs:([\w-]+):(\d+):/.exec(serviceArn) ?? [];
  if (!region || !scope.account || (region === scope.region && account === scope.account)) return null;
  const neighbour = services.rows.find((service) => placeOf(service.serviceArn) === placeOf(serviceArn));
  return neighbour ? neighbour.target : `${account} ${region}`;
}

/** The cluster of a row, and its target if it has one. */
function clusterOf(about) {
  const target = targetOf(about);
  return [value(about.clusterName), ...(target ? [" in ", value(target, "target")] : [])];
}

/** Offers the targets of an answer as filters. Without targets there is no such field. */
function showTargets({ services: found = [], unavailable = [] }) {
  for (const { target } of [...found, ...unavailable]) {
    if (!target || target === "*" || known.has(target)) continue;
    known.add(target);
    const names = [...known].sort();
    const option = el("option", { value: target }, target);
    $("target").insertBefore(option, $("target").options[names.indexOf(target) + 2] ?? null);
  }
  $("target").parentElement.hidden = known.size === 0;
}

/** Removes the targets, which were read with a key. */
function forgetTargets() {
  known.clear();
  while ($("target").options.length > 2) $("target").lastElementChild.remove();
  $("target").value = "";
  showTargets({});
}

/** A sentence about a target that could not be read. */
const unavailableText = ({ target, reason }) =>
  `${target === "*" ? "The targets" : `The target ${target}`} could not be read: ${plainCause(reason)}`;
