/** One list of the page: what was loaded, where its next page begins, and how it is shown. */
class List {
  constructor(name, options) {
    Object.assign(this, options, { name, rows: [], next: null, shown: null, failure: null, running: null, isBusy: false });
    this.part("more").addEventListener("click", () => this.load(true));
  }

  part(which) {
    return $(`${this.name}-${which}`);
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    $(this.name).setAttribute("aria-busy", isBusy);
    this.render();
  }

  /** Loads it again, or with `more` what follows, `pages` at a time. Rows that are there stay until as many new ones are. */
  async load(more = false) {
    this.running?.abort();
    const { signal } = (this.running = new AbortController());
    this.setBusy(true);
    try {
      let rows = more ? this.rows : [];
      let next = more ? this.next : null;
      for (let page = 1; page <= this.pages && (page === 1 || next); page += 1) {
        const answer = await api(this.path, { ...this.parameters(), next }, signal);
        rows = rows.concat(answer[this.name]);
        next = answer.next;
        if (!next || page === this.pages || rows.length > this.rows.length) Object.assign(this, { rows, next });
        this.render();
      }
      this.failure = null;
    } catch (error) {
      if (signal.aborted) return;
      this.failure = error;
    }
    this.setBusy(false);
    if (this.failure?.status === 403) refused(this.failure);
  }

  clear() {
    this.running?.abort();
    Object.assign(this, { rows: [], next: null, failure: null });
    this.setBusy(false);
  }

  render() {
    const rows = this.rows.filter(this.isWanted);
    const none = this.failure ? "Nothing could be loaded." : this.none;
    const nothing = this.rows.length ? "Nothing that was loaded matches the filters." : none;
    setText(this.part("error"), this.failure?.message ?? "");
    setText(this.part("empty"), rows.length ? "" : this.isBusy ? "Loading…" : nothing);
    setText(this.part("status"), this.rows.length ? this.summary(rows) : "");
    const more = this.part("more");
    if (!this.next && document.activeElement === more) $(this.name).focus();
    more.hidden = !this.next;
    const text = JSON.stringify(rows);
    if (text === this.shown) return; // A selection, opened tags and the focus stay where they are.
    this.shown = text;
    const { id } = document.activeElement.dataset;
    this.part("rows").replaceChildren(...rows.map(this.row));
    this.focus(id);
  }

  /** Puts the focus on the button of the row with this id, where there is one. */
  focus(id) {
    if (id) [...this.part("rows").querySelectorAll("button")].find((button) => button.dataset.id === id)?.focus();
  }
}
