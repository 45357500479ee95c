// The scales of one article: which is in hand, what was given, and how to take it back.
const CANT_SAY = "none";
const spoken = (value) => (value === CANT_SAY ? "not applicable" : value);

export class Sheet {
  // `changed` hears of every change, `say` speaks to screen readers.
  constructor(form, { changed, say }) {
    Object.assign(this, { form, changed, say, undone: [], at: 0 });
    this.scales = [...form.querySelectorAll("[data-scale]")];
    this.finish = form.querySelector("[data-finish]");
    this.comment = form.elements.comment;
    this.given = this.scales.map((scale) => this.value(scale));
    form.noValidate = true; // we say ourselves what is missing, and go there
    form.addEventListener("change", (event) => this.noticed(event.target));
    form.addEventListener("input", (event) => event.target === this.comment && this.measure());
    form.addEventListener("focusin", (event) => this.follow(event.target));
    this.scales.forEach((_, place) => this.mark(place));
    this.measure();
    this.hold(this.missing[0] ?? this.scales.length, { focus: false });
  }
  value(scale) {
    return scale.querySelector("input:checked")?.value ?? "";
  }
  get scale() {
    return this.scales[this.at];
  }
  get missing() {
    return this.scales.flatMap((scale, place) => (this.value(scale) ? [] : [place]));
  }
  get altered() {
    return this.scales.some((scale) => scale.dataset.first !== undefined && this.value(scale) !== scale.dataset.first);
  }
  get tooLong() {
    return this.comment.value.trim().length > Number(this.comment.dataset.most);
  }
  // Take a scale in hand: its anchors come into view. After the last one comes the button that keeps them all.
  hold(place, { focus = true } = {}) {
    this.at = Math.max(0, Math.min(place, this.scales.length));
    [...this.scales, this.finish].forEach((one, number) => one.toggleAttribute("data-in-hand", number === this.at));
    this.form.querySelectorAll("[data-do=lower], [data-do=raise], [data-do=evidence]").forEach((one) => (one.disabled = !this.scale));
    if (!focus) return;
    const target = this.scale ? (this.scale.querySelector("input:checked") ?? this.scale.querySelector(".keys input")) : this.form.querySelector("[data-keep], .primary");
    target.focus({ preventScroll: true });
    this.scale?.scrollIntoView({ block: "nearest" }); // the button stays in sight by itself
  }
  follow(element) {
    const place = this.scales.findIndex((scale) => scale.contains(element));
    const there = place >= 0 ? place : this.finish.contains(element) ? this.scales.length : this.at;
    if (there !== this.at) this.hold(there, { focus: false });
  }
  score(value) {
    if (!this.scale) return;
    const place = this.at;
    if (!this.set(place, value)) return;
    const missing = this.missing;
    const settling = this.scale.dataset.first !== undefined;
    this.hold(missing.find((one) => one > place) ?? missing[0] ?? (settling ? place + 1 : this.scales.length));
  }
  nudge(step) {
    if (!this.scale) return;
    const now = this.value(this.scale);
    const next = now === "" || now === CANT_SAY ? 5 : Math.max(0, Math.min(10, Number(now) + step));
    this.set(this.at, String(next));
    this.hold(this.at);
  }
  set(place, value) {
    const input = this.scales[place].querySelector(`input[value="${CSS.escape(value)}"]`);
    if (!input) return false;
    input.checked = true;
    this.noticed(input);
    return true;
  }
  noticed(input) {
    const place = this.scales.findIndex((scale) => scale.contains(input));
    if (place >= 0) {
      const value = this.value(this.scales[place]);
      if (value !== this.given[place]) this.undone.push([place, this.given[place]]);
      this.given[place] = value;
      this.mark(place);
      this.say(`${this.scales[place].dataset.name}: ${spoken(value)}`);
    }
    this.changed();
    this.dress();
  }
  undo() {
    const last = this.undone.pop();
    if (!last) return;
    const [place, before] = last;
    this.put(place, before);
    this.say(`${this.scales[place].dataset.name}: ${before ? spoken(before) : "no score"} again`);
    this.hold(place);
    this.changed();
    this.dress();
  }
  put(place, value) {
    this.scales[place].querySelectorAll("input").forEach((input) => (input.checked = input.value === value));
    this.given[place] = value;
    this.mark(place);
  }
  // The anchor that the score stands on, and whether it has one.
  mark(place) {
    const scale = this.scales[place];
    const value = this.given[place];
    const anchors = [...scale.querySelectorAll("[data-from]")];
    const near = value === "" || value === CANT_SAY ? null : anchors.filter((one) => Number(one.dataset.from) <= Number(value)).at(-1);
    anchors.forEach((one) => one.toggleAttribute("data-near", one === near));
    scale.toggleAttribute("data-given", value !== "");
  }
  dress() {
    this.form.querySelector("[data-do=undo]").disabled = !this.undone.length;
    this.form.querySelector("[data-unchanged]")?.toggleAttribute("hidden", this.altered);
    this.form.querySelector("[data-changed]")?.toggleAttribute("hidden", !this.altered);
  }
  measure() {
    const most = Number(this.comment.dataset.most);
    const length = this.comment.value.trim().length;
    this.form.querySelector("#comment-length").textContent = length < 0.9 * most ? "" : `${length.toLocaleString("en")} of at most ${most.toLocaleString("en")} characters${length > most ? ": shorten it before you keep it" : ""}`;
    this.comment.toggleAttribute("aria-invalid", length > most);
  }
  read() {
    return { scores: [...this.given], comment: this.comment.value };
  }
  fill({ scores, comment }) {
    scores.forEach((value, place) => place < this.scales.length && value && this.put(place, value));
    if (comment !== undefined) this.comment.value = comment;
    this.measure();
    this.dress();
    this.hold(this.missing[0] ?? this.scales.length, { focus: false });
  }
}
