// The page as a whole: the key or token, the filters, the counts, and when it loads.
const HAS_APPROVALS = document.body.dataset.approvals === "on";
const BUSY = 5000; // Milliseconds between two automatic refreshes while something is in progress,
const QUIET = 60000; // and while nothing is.
const automatic = { timer: 0, begun: 0, notBefore: 0, failures: 0, round: 0 };
const lists = { deployments, services };
const tiles = [...document.querySelectorAll("#counts button")];

/** Shows one of: the key's entry, what to use with IAM, the lists. */
function show(which) {
  for (const id of ["entry", "iam", "lists"]) $(id).hidden = id !== which;
  for (const id of ["answer", "refreshing", "forget"]) $(id).hidden = which !== "lists";
}

/** Shows where the API is, once it has said so. */
function showScope({ account, region, environment }) {
  Object.assign(scope, { account, region });
  setText($("environment"), environment ?? "");
  setText($("where"), [region, account && `account ${account}`].filter(Boolean).join(" · "));
}

/** The tags that are asked for: key and value. */
const tagFilters = () =>
  [...$("tag-fields").querySelectorAll("input")].map((input) => [input.name, input.value.trim()]).filter(([, text]) => text);

/** Whether one of the texts has what the reader typed. */
function contains(...texts) {
  const wanted = $("text").value.trim().toLowerCase();
  return texts.flat().some((text) => String(text ?? "").toLowerCase().includes(wanted));
}

/** Whether the API selects the services, by launch type, target or tags. */
const selections = () => [$("launch-type").value !== "ALL", $("target").value, ...tagFilters()].filter(Boolean);
const isSelecting = () => selections().length > 0;
const fieldsInUse = () => selections().length + ($("text").value.trim() ? 1 : 0);
const isFiltered = () => Boolean(fieldsInUse() || deployments.group || services.group);

/** The kind and the sentence of the answer to "is something wrong?". */
function answer() {
  const number = services.selected("attention").length;
  const moving = deployments.selected("in-progress").length;
  const paused = deployments.selected("in-progress").filter(awaitedHook).length;
  if (number) return ["bad", `${count(number, "service")} need${number === 1 ? "s" : ""} attention`];
  if (services.failure || deployments.failure || services.unavailable.length) return ["idle", "Not everything could be loaded"];
  if (!(services.loaded && deployments.loaded)) return ["moving", "Loading…"];
  if (!services.selected("").length && fieldsInUse()) return ["idle", "The filters select no service"];
  const where = fieldsInUse() ? " in this selection" : services.next ? " so far" : "";
  if (paused) return ["warn", `${count(paused, "deployment")} await${paused === 1 ? "s" : ""} approval`];
  return ["good", `Nothing is wrong${where}${moving ? `, ${count(moving, "deployment")} in progress` : ""}`];
}

/** Shows what was loaded. Every number is that of the rows that its filter shows. */
function render() {
  for (const list of Object.values(lists)) list.render();
  for (const tile of tiles) {
    const { list, group } = tile.dataset;
    const number = lists[list].selected(group).length;
    setText(tile.firstElementChild, String(number));
    tile.classList.toggle("none", !number);
    tile.setAttribute("aria-pressed", lists[list].group === group);
  }
  const [kind, sentence] = answer();
  if ($("answer").textContent !== sentence) $("answer").replaceChildren(badge(kind, sentence));
  const number = fieldsInUse();
  setText($("toggle"), number ? `Filters (${number})` : "Filters");
  $("clear").hidden = !isFiltered();
  tick();
}

const isMoving = () => deployments.rows.some(isOpen) || services.rows.some((service) => service.rolloutState === "IN_PROGRESS");

/** Loads both lists and what the dialog shows, and plans the next time. */
async function refresh(isAutomatic = false) {
  clearTimeout(automatic.timer);
  const round = (automatic.round += 1);
  automatic.begun = Date.now();
  // A page of services costs ten calls of ECS, and deployments need ECS's rate, too: one page in five seconds.
  const isTooSoon = isAutomatic && automatic.begun < services.begun + BUSY * (services.loaded - 0.5);
  // What the reader has asked for is not interrupted.
  const isDue = (list) => !(isAutomatic && (list.isBusy || (list === services && isTooSoon)));
  await Promise.all(Object.values(lists).filter(isDue).map((list) => list.load()));
  if (round !== automatic.round || !storedKey()) return;
  const failures = [services.failure, deployments.failure].filter(Boolean);
  automatic.failures = failures.length ? automatic.failures + 1 : 0;
  automatic.notBefore = Date.now() + 1000 * Math.max(0, ...failures.map((failure) => failure.retryAfter ?? 0));
  if (dialog.open) readDetails();
  plan();
}

/** Sets the timer for the next automatic refresh; none while the tab is hidden. After failures it waits longer and longer. */
function plan() {
  clearTimeout(automatic.timer);
  const interval = isMoving() ? BUSY : QUIET;
  const due = Math.max(automatic.begun + interval * 2 ** Math.min(automatic.failures, 4), automatic.notBefore);
  const isOn = $("automatic").checked;
  const again = !isOn ? "" : automatic.failures ? `, again ${CLOCK.format(due)}` : `, every ${duration(interval, 1)}`;
  setText($("loaded"), `${automatic.failures ? "Failed" : "Loaded"} ${CLOCK.format(automatic.begun)}${again}`);
  if (isOn && !document.hidden && storedKey()) automatic.timer = setTimeout(refresh, Math.max(0, due - Date.now()), true);
}

/** Removes the key and everything that was read with it. */
function forget(message) {
  sessionStorage.removeItem(KEY);
  clearTimeout(automatic.timer);
  automatic.round += 1;
  dialog.close();
  $("details-body").replaceChildren();
  $("details-title").replaceChildren();
  showScope({});
  forgetTargets();
  for (const list of Object.values(lists)) list.clear();
  render();
  show("entry");
  setText($("key-error"), message);
  $("key").focus();
}

/** Handles the gateway's 403 or 401: the key is not a key of this API, or the token is not valid. */
function rejectKey(error) {
  if (storedKey()) forget(`The API does not accept this ${SECRET}. ${error.message}`);
}

function start() {
  show("lists");
  const loading = refresh();
  route();
  return loading;
}

$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const key = $("key").value.trim();
  if (!/^[!-~]+$/.test(key)) return setText($("key-error"), `A ${SECRET} has no spaces, and letters of ASCII only.`);
  sessionStorage.setItem(KEY, key);
  $("key").value = "";
  setText($("key-error"), "");
  const loading = start();
  if (!dialog.open) $("deployments").focus();
  return loading;
});
$("forget").addEventListener("click", () => forget(""));

for (const key of JSON.parse(document.body.dataset.tagFilters)) {
  const input = el("input", { name: key, autocomplete: "off", spellcheck: "false", placeholder: "any" });
  $("tag-fields").append(el("label", null, "Tag ", value(key), input));
}

for (const tile of tiles) {
  tile.addEventListener("click", () => {
    const { list, group } = tile.dataset;
    lists[list].group = lists[list].group === group ? "" : group;
    render();
    if ($(list).getBoundingClientRect().top > innerHeight * 0.8) $(list).scrollIntoView();
  });
}

// A field that is left with Enter changes and submits: one load, not two.
let soon = 0;
function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(refresh);
  render();
}
for (const clear of document.querySelectorAll(".clear")) {
  clear.addEventListener("click", () => {
    if (isSelecting()) refreshSoon();
    $("filters").reset();
    for (const list of Object.values(lists)) list.group = "";
    render();
    (clear.closest("section") ?? $("text")).focus();
  });
}
$("text").addEventListener("input", render);
$("launch-type").addEventListener("change", refreshSoon);
$("target").addEventListener("change", refreshSoon);
$("tag-fields").addEventListener("change", refreshSoon);
$("filters").addEventListener("submit", (event) => {
  event.preventDefault();
  refreshSoon();
});
$("toggle").addEventListener("click", () => {
  const isShown = $("filters").classList.toggle("shown");
  $("toggle").setAttribute("aria-expanded", isShown);
});
$("refresh").addEventListener("click", () => refresh());
$("automatic").addEventListener("change", plan);
document.addEventListener("visibilitychange", plan);
setInterval(tick, 1000);

if (AUTH === "jwt") {
  setText($("key-label"), "Bearer token for this API");
  setText($("key-source"), "Your issuer of tokens gives it");
  setText($("forget"), "Forget token");
  for (const name of document.querySelectorAll(".secret")) setText(name, SECRET);
}
if (AUTH === "iam") {
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
  start();
} else {
  show("entry");
  $("key").focus();
}
