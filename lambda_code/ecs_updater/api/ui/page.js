// The page as a whole: the key, the filters, and when it loads.
const IAM = document.body.dataset.auth === "iam";
const automatic = { timer: 0, begun: 0, notBefore: 0, failures: 0, round: 0 };

/** Shows one of: the key's entry, what to use with IAM, the lists. */
function show(which) {
  for (const id of ["entry", "iam"]) $(id).hidden = id !== which;
  for (const id of ["filters", "services", "deployments", "forget"]) $(id).hidden = which !== "lists";
}

/** Loads both lists, and plans the next time. */
async function refresh() {
  clearTimeout(automatic.timer);
  const round = (automatic.round += 1);
  automatic.begun = Date.now();
  await Promise.all([services.load(), deployments.load()]);
  if (round !== automatic.round || !storedKey()) return;
  const failures = [services.failure, deployments.failure].filter(Boolean);
  automatic.failures = failures.length ? automatic.failures + 1 : 0;
  automatic.notBefore = Date.now() + 1000 * Math.max(0, ...failures.map((failure) => failure.retryAfter ?? 0));
  plan();
}

/** Sets the timer for the next automatic refresh; none while the tab is hidden. After failures it waits longer and longer. */
function plan() {
  clearTimeout(automatic.timer);
  const interval = 1000 * $("every").value * 2 ** Math.min(automatic.failures, 4);
  const due = Math.max(automatic.begun + interval, automatic.notBefore);
  const again = interval && automatic.failures ? `, again at ${CLOCK.format(due)}` : "";
  setText($("loaded"), `${automatic.failures ? "Failed" : "Loaded"} at ${CLOCK.format(automatic.begun)}${again}`);
  if (interval && !document.hidden && storedKey()) automatic.timer = setTimeout(refresh, Math.max(0, due - Date.now()));
}

/** Removes the key and everything that was read with it. */
function forget(message) {
  sessionStorage.removeItem(KEY);
  clearTimeout(automatic.timer);
  automatic.round += 1;
  if (dialog.open) dialog.close();
  services.clear();
  deployments.clear();
  show("entry");
  setText($("key-error"), message);
  $("key").focus();
}

/** Handles the gateway's 403: the key is not a key of this API. */
function refused(error) {
  if (storedKey()) forget(`The API does not accept this key. ${error.message}`);
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  if (!/^[!-~]+$/.test(key)) return setText($("key-error"), "A key has no spaces, and letters of ASCII only.");
  sessionStorage.setItem(KEY, key);
  $("key").value = "";
  setText($("key-error"), "");
  show("lists");
  $("services").focus();
  return refresh();
});
$("forget").addEventListener("click", () => forget(""));

for (const key of JSON.parse(document.body.dataset.tagFilters)) {
  const input = el("input", { name: key, autocomplete: "off", spellcheck: "false", placeholder: "any" });
  $("tag-fields").append(el("label", null, "Tag ", value(key), input));
}

const render = () => [services, deployments].forEach((list) => list.render());
$("text").addEventListener("input", render);
$("moving-only").addEventListener("change", render);
$("every").addEventListener("change", plan);
// A field that is left with Enter changes and submits: one load, not two.
let soon = 0;
function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(refresh);
}
$("launch-type").addEventListener("change", refreshSoon);
$("tag-fields").addEventListener("change", refreshSoon);
$("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  refreshSoon();
});
document.addEventListener("visibilitychange", plan);

if (IAM) {
  const lines = [
    `curl "${BASE}list"`,
    '--aws-sigv4 "aws:amz:$AWS_REGION:execute-api"',
    '--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"',
    '--header "x-api-key: $(make api-key)"',
    '--header "x-amz-security-token: $AWS_SESSION_TOKEN"',
  ];
  $("command").textContent = lines.join(" \\\n  ");
  show("iam");
} else if (storedKey()) {
  show("lists");
  refresh();
} else {
  show("entry");
  $("key").focus();
}
