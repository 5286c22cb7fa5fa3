// One deployment in a dialog, read from GET deployments/{id} when it is opened.
const dialog = $("details");
const details = { id: null, running: null };

const fact = (term, ...what) => el("div", null, el("dt", null, term), el("dd", null, ...what));
const fromTo = (before, after) => [mono(before), " → ", mono(after)];
const tagsOf = (side) => (side?.tags ?? []).map((tag) => [tag.key, tag.value]);

/** A heading and what changed below it, or that nothing did. */
function changed(title, before, after) {
  const facts = differences(before, after).map(([name, old = "none", fresh = "none"]) => fact(value(name), ...fromTo(old, fresh)));
  return [el("h3", null, title), facts.length ? el("dl", null, facts) : el("p", { class: "muted" }, "Not changed")];
}

function detailsOf(update) {
  const { before, after, rollback } = update;
  const facts = [
    ["Verdict", verdict(update)],
    ["Cause", update.cause && value(update.cause)],
    ["Error", update.errorType && value(`${update.errorType}: ${update.errorMessage}`)],
    ["Action", value(update.action)],
    ["State", value(update.state)],
    ["Begun", time(update.begunAt)],
    ["Last sign", time(update.updatedAt)],
    ["Ended", update.endedAt && time(update.endedAt)],
    ["Revision", ...fromTo(before?.taskDefinition, after?.taskDefinition)],
    ["Returned to", rollback && mono(rollback.taskDefinition)],
    ["Deployment", update.deploymentId && mono(update.deploymentId)],
    ["Request", mono(update.requestId ?? update.id)],
  ];
  const answer = JSON.stringify(update.answer, null, 2);
  return [
    el("dl", null, facts.filter(([, first]) => first).map((each) => fact(...each))),
    ...changed("Images", imagesOf(before), imagesOf(after)),
    ...changed("Tags", tagsOf(before), tagsOf(after)),
    update.answer ? el("details", null, el("summary", null, "Recorded answer"), el("pre", { tabindex: "0" }, answer)) : "",
  ];
}

async function openDetails({ id, serviceName, clusterName }) {
  details.id = id;
  details.running?.abort();
  details.running = new AbortController();
  const { signal } = details.running;
  $("details-title").replaceChildren(value(serviceName), " in ", value(clusterName));
  $("details-body").replaceChildren(el("p", { class: "empty" }, "Loading…"));
  setText($("details-error"), "");
  dialog.showModal();
  try {
    $("details-body").replaceChildren(...detailsOf(await api(`deployments/${encodeURIComponent(id)}`, {}, signal)));
  } catch (error) {
    if (signal.aborted) return;
    $("details-body").replaceChildren();
    setText($("details-error"), error.message);
    if (error.status === 403) refused(error);
  }
}

$("close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  // Opened again before this event came.
  if (dialog.open) return;
  details.running.abort();
  deployments.focus(details.id); // Its row may have been made anew meanwhile.
});
