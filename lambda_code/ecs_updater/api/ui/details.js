// A deployment or a service in a dialog, each at an address of its own: #/deployments/ID, and #/services/CLUSTER/SERVICE with
// /TARGET where it has one.
const dialog = $("details");
const opened = { hash: null, running: null, shown: null, isLeft: false };

const fact = (term, ...what) => el("div", null, el("dt", null, term), el("dd", null, ...what));
const facts = (all) => el("dl", null, all.filter(([, first]) => first).map((each) => fact(...each)));
const moment = (text) => (Date.parse(text) ? [FULL.format(new Date(text)), " (", time(text), ")"] : text && value(text));
const none = (text) => el("p", { class: "muted" }, text);
const fromTo = (before, after) =>
  before === after && before !== "(set)" ? [mono(after)] : [mono(before), " ", el("span", { class: "to" }, "→ ", mono(after))];

const CONSOLES = new Map([
  ["aws", "console.aws.amazon.com"],
  ["aws-cn", "console.amazonaws.cn"],
  ["aws-us-gov", "console.amazonaws-us-gov.com"],
]);

/** A word of a shell's command. */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** What to do with a service: look at it in the AWS console, or roll it back. */
function actions(about) {
  const { clusterName, serviceName, serviceArn } = about;
  const [, partition, region] = /^arn:([\w-]+):ecs:([\w-]+):/.exec(serviceArn) ?? [];
  const target = targetOf(about);
  const home = target ? scope.region : region;
  const options = [...(target ? ["--target", target] : []), ...(home ? ["--region", home] : [])];
  const argv = ["ecs-updater", "rollback", clusterName, serviceName, ...options];
  const command = argv.map(quoted).join(" ");
  const code = el("code", null, command);
  const copy = el("button", { type: "button" }, "Copy");
  copy.addEventListener("click", async () => {
    getSelection().selectAllChildren(code);
    const isCopied = await navigator.clipboard?.writeText(command).then(() => true, () => false);
    setText(copy, isCopied ? "Copied" : "Selected");
  });
  const path = [clusterName, "services", serviceName].map(encodeURIComponent).join("/");
  const href = `https://${region}.${CONSOLES.get(partition)}/ecs/v2/clusters/${path}/deployments?region=${region}`;
  const link = el("a", { href, target: "_blank", rel: "noreferrer" }, "Open in the AWS console");
  const inConsole = CONSOLES.has(partition) ? [el("p", null, link)] : [];
  // The command needs the name of the target.
  if (target && !known.has(target)) return inConsole;
  return [
    ...inConsole,
    el("h3", null, "Roll back"),
    el("div", { class: "command" }, el("pre", { tabindex: "0", "aria-label": "Command" }, code), copy),
    el("p", { class: "muted" },
      "Restores the last revision that worked, with its tags. Without a queue, add ", el("code", null, "--direct"), "."),
  ];
}

/** A heading and what changed below it, or that nothing did. */
function changed(title, before, after) {
  const rows = differences(before, after).map(([name, old = "none", fresh = "none"]) => fact(value(name), fromTo(old, fresh)));
  return [el("h3", null, title), rows.length ? el("dl", null, rows) : none("Not changed")];
}

/** Headings and what changed, besides images, tags and the revision, which have their own places. */
function settings(changes) {
  const rows = changes.filter(({ what }) => !/^(?:image|tag)\.|^taskDefinition$/.test(what));
  const shown = rows.map(({ what, from, to }) => fact(value(changeName(what)), fromTo(from ?? "none", to ?? "none")));
  return rows.length ? [el("h3", null, "Settings"), el("dl", null, shown)] : [];
}

/** Answers a hook, and reads the lists and the dialog again. */
async function answerHook(update, hook, name, section) {
  const buttons = [...section.querySelectorAll("button")];
  for (const button of buttons) button.disabled = true;
  setText($("details-error"), "");
  let failure = null;
  try {
    await api(`deployments/${update.id}/${name}`, {}, undefined, { hookId: hook.id });
    setText($("details-done"), name === "approve" ? "Approved: the deployment continues." : "Rejected: ECS rolls back.");
    $("close").focus();
  } catch (error) {
    if (error.status === 403) return rejectKey(error);
    failure = error;
  }
  for (const button of buttons) button.disabled = false;
  await refresh();
  if (failure) setText($("details-error"), failure.message); // Reading the details has removed it.
}

/** Whether the caller's scope allows an action with the service of a row. Without scopes it does. */
const mayDo = ({ actions: names }, action) => names?.includes(action) ?? true;
const allowed = ({ actions: names }) => names.join(", ") || "nothing";

/** What a paused deployment awaits, and the buttons that answer it. */
function approval(update) {
  const hook = awaitedHook(update);
  if (!hook) return [];
  const then = hook.then === "CONTINUE" ? "ECS continues" : "ECS rolls back";
  const until = Date.parse(hook.until) ? FULL.format(new Date(hook.until)) : hook.until;
  const section = el("section", { class: "approval", "aria-labelledby": "approval-title" },
    el("h3", { id: "approval-title" }, "Approval"),
    el("p", null, "The deployment is paused at ", value(words(update.rollout.stage ?? "a hook")), ". ",
      ...(until ? ["Without an answer until ", value(until), ", ", then, "."] : [])),
    el("p", { class: "muted" }, "Hook ", mono(hook.id)));
  if (!HAS_APPROVALS) {
    section.append(el("p", { class: "muted" }, "This API takes no answers: ", el("code", null, "APPROVALS"), " is off."));
    return [section];
  }
  if (!mayDo(update, "approve")) {
    section.append(el("p", { class: "muted" }, `This ${SECRET} may not answer it: its scope does not allow approve for this service.`));
    return [section];
  }
  const button = (name, text, kind) => {
    const element = el("button", { type: "button", class: kind }, text);
    element.addEventListener("click", () => answerHook(update, hook, name, section));
    return element;
  };
  section.append(el("p", { class: "answers" }, button("approve", "Approve", "primary"), button("reject", "Reject and roll back", "")));
  return [section];
}

/** Who answered the hooks of an update. */
const answersOf = (update) =>
  (update.approvals ?? []).map(({ action, stage, by, at, confirmed }) => [
    action === "CONTINUE" ? (confirmed ? "Approved" : "Approval sent") : confirmed ? "Rejected" : "Rejection sent",
    el("span", null, value(by), ", ", ...moment(at), ...(stage ? [", at ", value(words(stage))] : [])),
  ]);

/** The traffic of the new revision in percent. */
const trafficOf = ({ production, test }) =>
  [[production, "production"], [test, "test"]].filter(([share]) => share !== undefined).map(([share, name]) => `${share} % of ${name}`).join(", ");

function deploymentDetails(update) {
  const { before, after, rollback, begunAt, endedAt } = update;
  const cause = plainCause(update.errorMessage ?? update.cause ?? "");
  const notes = update.answer?.deployment?.notes ?? [];
  const [kind, word] = verdictOf(update);
  return [
    el("p", { class: `cause ${kind}` }, badge(kind, word), " ", value(cause)),
    ...notes.map((note) => el("p", { class: "muted" }, value(note))),
    ...approval(update),
    facts([
      ["Begun", moment(begunAt)],
      ["Ended", moment(endedAt)],
      ["Duration", took(update, "")],
      ["Step", isOpen(update) && words(update.state)],
      ["Strategy", update.rollout?.strategy && value(words(update.rollout.strategy))],
      ["Stage", isOpen(update) && update.rollout?.stage && value(words(update.rollout.stage))],
      ["New revision", isOpen(update) && update.rollout?.traffic && trafficOf(update.rollout.traffic)],
      ...answersOf(update),
      ["Target", targetOf(update) && value(targetOf(update))],
      ["Action", update.action === "rollback" ? "Rollback to the last revision that worked" : "Update"],
      ["Sender", update.caller && value(update.caller)],
      ["Allowed to you", update.actions && allowed(update)],
      ["Batch", update.batch && mono(update.batch)],
      ["Revision", fromTo(before?.taskDefinition, after?.taskDefinition)],
      ["Rolled back to", rollback && mono(rollback.taskDefinition)],
      ["ECS deployment", update.deploymentId && mono(update.deploymentId)],
      ["Error", update.errorType && mono(update.errorType)],
      ["Request", mono(update.requestId ?? update.id)],
    ]),
    ...changed("Images", imagesOf(before), imagesOf(after)),
    ...settings(update.answer?.changes ?? []),
    ...changed("Tags", tagsOf(before), tagsOf(after)),
    ...actions(update),
  ];
}

function serviceDetails(service, updates) {
  const { desiredCount, runningCount, pendingCount } = service;
  const last = updates.map((update) => {
    const link = el("a", { href: addressOf(update) }, el("span", null, ...change(update)));
    return el("li", null, badge(...verdictOf(update)), link, time(update.begunAt));
  });
  const listed = (title, pairs) => [
    el("h3", null, title),
    pairs.length ? el("dl", null, pairs.map(([name, text]) => fact(value(name), mono(text)))) : none("None"),
  ];
  return [
    facts([
      ["State", badge(...stateOf(service))],
      ["Allowed to you", service.actions && allowed(service)],
      ["Tasks", `${runningCount} of ${desiredCount} running${pendingCount ? `, ${pendingCount} pending` : ""}`],
      ["Target", targetOf(service) && value(targetOf(service))],
      ["Runs on", value(launchOf(service))],
      ["Revision", mono(service.taskDefinition)],
    ]),
    el("h3", null, "Last deployments"),
    last.length ? el("ul", { class: "last" }, last) : none("None is recorded."),
    ...actions(service),
    ...listed("Images", imagesOf(service)),
    ...listed("Tags", tagsOf(service)),
  ];
}

/** What an address names: a kind and its names; null if it is not the address of details. */
function namesIn(hash) {
  const [root, kind, ...names] = hash.split("/");
  try {
    return root === "#" && ["deployments", "services"].includes(kind) ? [kind, ...names.map(decodeURIComponent)] : null;
  } catch {
    return null;
  }
}

/** Reads what the dialog shows. What did not change stays as it is. */
async function readDetails() {
  opened.running?.abort();
  const { signal } = (opened.running = new AbortController());
  const [kind, ...names] = namesIn(opened.hash);
  setText($("details-error"), "");
  try {
    let about;
    let more = null;
    if (kind === "deployments") {
      if (!/^(?!\.+$)[\w.~-]+$/.test(names[0])) throw new ApiError("This is not the address of a deployment.");
      about = await api(`deployments/${names[0]}`, {}, signal);
    } else {
      about = services.rows.find((service) =>
        service.clusterName === names[0] && service.serviceName === names[1] && (targetOf(service) ?? undefined) === names[2]);
      if (!about && services.isBusy) return; // It is read again after the list.
      if (!about) throw new ApiError("The list of services does not have it.");
      const cluster = targetOf(about) ? about.clusterArn : names[0];
      const ledger = await api("deployments", { cluster, service: names[1], limit: "5" }, signal).catch((error) => {
        if (signal.aborted) throw error;
        setText($("details-error"), error.message);
      });
      more = ledger?.deployments ?? [];
    }
    const text = JSON.stringify([about, more]);
    if (text === opened.shown) return;
    opened.shown = text;
    $("details-title").replaceChildren(value(about.serviceName), el("span", { class: "muted" }, " in ", ...clusterOf(about)));
    $("details-body").replaceChildren(...(more ? serviceDetails(about, more) : deploymentDetails(about)));
    tick();
  } catch (error) {
    if (signal.aborted) return;
    if (!opened.shown) $("details-body").replaceChildren();
    setText($("details-error"), error.message);
    if (error.status === 403) rejectKey(error);
  }
}

/** Shows what the page's address names, or the lists. */
function route(event) {
  const { hash } = location;
  if (!namesIn(hash)) {
    opened.isLeft = true; // To close it must not go back once more.
    return dialog.close();
  }
  if (!storedKey()) return undefined;
  // From the lists: to close it is to go back.
  if (event && !namesIn(new URL(event.oldURL).hash)) history.replaceState({ isInside: true }, "");
  Object.assign(opened, { hash, shown: null, isLeft: false });
  setText($("details-done"), "");
  $("details-title").replaceChildren(namesIn(hash)[0] === "services" ? "Service" : "Deployment");
  $("details-body").replaceChildren(el("p", { class: "empty" }, "Loading…"));
  if (!dialog.open) dialog.showModal();
  return readDetails();
}

$("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  // Opened again before this event came.
  if (dialog.open) return;
  opened.running?.abort();
  if (!opened.isLeft && location.hash === opened.hash) {
    if (history.state?.isInside) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }
  focusRow(opened.hash); // Its row may have been made anew meanwhile.
});
addEventListener("hashchange", route);
