/** One list of the page: what was loaded, where its next page begins, and what of it is shown. */
class List {
  constructor(name, options) {
    Object.assign(this, options, { name, group: "", shown: "" });
    this.clear();
    this.part("more").addEventListener("click", () => this.load(true));
    // The whole row opens what its link opens, unless text in it is being selected.
    this.part("rows").addEventListener("click", ({ target }) => {
      if (!target.closest("a") && getSelection().isCollapsed) target.closest("tr")?.querySelector("a")?.click();
    });
  }

  part(which) {
    return $(`${this.name}-${which}`);
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    $(this.name).setAttribute("aria-busy", isBusy);
    render();
  }

  /** Loads as many pages as there are, or with `more` those that follow. Rows that are there stay until as many new ones are. */
  async load(more = false) {
    this.running?.abort();
    const { signal } = (this.running = new AbortController());
    const most = more ? this.pages : Math.max(this.pages, this.loaded);
    this.begun = Date.now();
    this.setBusy(true);
    try {
      let { rows, next, loaded, unavailable } = more ? this : { rows: [], next: null, loaded: 0, unavailable: [] };
      for (let page = 1; page <= most && (page === 1 || next); page += 1) {
        const answer = await api(this.path, { ...this.parameters(), next }, signal);
        rows = rows.concat(answer[this.name]);
        next = answer.next;
        loaded += 1;
        const others = (answer.unavailable ?? []).filter(({ target }) => !unavailable.some((each) => each.target === target));
        unavailable = [...unavailable, ...others];
        if (!next || page === most || rows.length > this.rows.length) Object.assign(this, { rows, next, loaded, unavailable });
        showScope(answer);
        showTargets(answer);
        render();
      }
      this.failure = null;
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error;
    }
    this.setBusy(false);
    if (this.failure?.status === 403) rejectKey(this.failure);
  }

  clear() {
    this.running?.abort();
    Object.assign(this, { rows: [], next: null, loaded: 0, unavailable: [], failure: null, isBusy: false });
  }

  /** The rows that the filters and the count `group` select; all counts with the group "". */
  selected(group) {
    return this.rows.filter((row) => this.isWanted(row) && (!group || this.groups[group](row)));
  }

  render() {
    const rows = this.selected(this.group);
    const nothing = this.rows.length || isFiltered() ? "Nothing that was loaded matches the filters." : this.none;
    const empty = this.loaded ? nothing : this.failure ? "Nothing could be loaded." : "Loading…";
    setText(this.part("error"), [this.failure?.message, ...this.unavailable.map(unavailableText)].filter(Boolean).join("\n"));
    setText(this.part("empty"), rows.length ? "" : empty);
    this.part("clear").hidden = rows.length > 0 || empty !== nothing || !isFiltered();
    const part = rows.length === this.rows.length ? "" : `${rows.length} of `;
    const summary = `${part}${this.next ? this.first : ""} ${count(this.rows.length, this.name.slice(0, -1))}`.trim();
    setText(this.part("status"), this.rows.length ? summary : "");
    const more = this.part("more");
    if (!this.next && document.activeElement === more) $(this.name).focus();
    more.hidden = !this.next;
    const text = JSON.stringify(rows) + this.depends();
    if (text === this.shown) return; // A selection and the focus stay where they are.
    this.shown = text;
    const focused = this.part("rows").contains(document.activeElement) && document.activeElement.getAttribute("href");
    this.part("rows").replaceChildren(...this.arranged(rows));
    if (focused) focusRow(focused);
  }
}

/** Puts the focus on the row with this address, where there is one. */
function focusRow(address) {
  [...document.querySelectorAll("tbody a")].find((link) => link.getAttribute("href") === address)?.focus();
}

/** A line of a cell, cut where it is too long, with the whole as its title. */
function line(kind, ...children) {
  const element = el("div", { class: `line ${kind}` }, ...children);
  element.title = element.textContent;
  return element;
}

const cell = (kind, ...children) => el("td", { role: "cell", class: kind }, ...children);

/** The head of a row: the service, which leads to the details at `address`, and its cluster. */
const head = (address, name, ...below) =>
  el("th", { role: "rowheader", scope: "row", class: "name" },
    line("", el("a", { href: address }, value(name))), line("muted", ...below));

const row = (kind, ...cells) => el("tr", { role: "row", class: kind }, ...cells);
