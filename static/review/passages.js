// Passages that speak for a score: any selected text, or sentence by sentence where nobody has a mouse.
const squeeze = (text) => text.replace(/\s+/g, " ").trim();

// The article as one line of text with, for each character, where it stands; a line break is a blank.
function lineOf(root) {
  const line = { text: "", at: [], blocks: [0] };
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  const add = (letter, node, offset) => {
    if (/\s/.test(letter) && (!line.text || line.text.endsWith(" "))) return;
    line.text += /\s/.test(letter) ? " " : letter;
    line.at.push([node, offset]);
  };
  for (let node; (node = walker.nextNode()); ) {
    if (node.parentElement.closest("[data-not-text]")) continue;
    if (["BR", "P"].includes(node.nodeName)) {
      add(" ", node, 0);
      line.blocks.push(line.text.length);
    }
    for (let place = 0; node.nodeType === 3 && place < node.length; place++) add(node.data[place], node, place);
  }
  return line;
}

export class Passages {
  constructor(desk, sheet, { changed, say }) {
    Object.assign(this, { desk, sheet, changed, say, taken: [], picking: false, from: 0, to: 0 });
    this.article = desk.querySelector("[data-text]");
    this.field = sheet.form.elements.evidence;
    this.bar = desk.querySelector("[data-bar]");
    this.bar.addEventListener("click", (event) => this.does(event.target.closest("[data-pick]")?.dataset.pick));
    this.bar.addEventListener("mousedown", (event) => event.preventDefault()); // a click must not undo the selection
    this.fill(JSON.parse(this.field.value || "[]"));
  }
  get line() {
    return (this.known ??= lineOf(this.article));
  }
  get sentences() {
    return (this.cut ??= this.line.blocks.flatMap((start, number) => this.cutUp(start, this.line.blocks[number + 1])));
  }
  // [start, end] of each sentence in a block, which no sentence runs across.
  cutUp(start, end) {
    const sentences = [...new Intl.Segmenter(this.article.lang || "en", { granularity: "sentence" }).segment(this.line.text.slice(start, end))];
    return sentences.filter((one) => one.segment.trim()).map((one) => [start + one.index, start + one.index + one.segment.trimEnd().length]);
  }
  range(start, end) {
    const range = document.createRange();
    range.setStart(...this.line.at[start]);
    const [node, offset] = this.line.at[end - 1];
    range.setEnd(node, Math.min(offset + 1, node.length ?? 0));
    return range;
  }
  // What is selected in the article, as its own text has it; "" where nothing is.
  get selected() {
    const selection = getSelection();
    const range = selection.rangeCount && !selection.isCollapsed ? selection.getRangeAt(0) : null;
    if (!range || !range.intersectsNode(this.article)) return "";
    return squeeze(this.line.at.map(([node, offset], place) => (range.isPointInRange(node, offset) && (node !== range.endContainer || offset < range.endOffset) ? this.line.text[place] : "")).join(""));
  }
  // The selection moved: offer it to the scale in hand.
  offer() {
    if (this.picking) return;
    this.show(!getSelection().isCollapsed && this.sheet.scale && this.article.contains(getSelection().anchorNode));
  }
  show(on) {
    this.bar.hidden = !on;
    this.bar.toggleAttribute("data-picking", this.picking);
    this.bar.querySelector("[data-for]").textContent = this.sheet.scale?.dataset.name ?? "";
  }
  start() {
    if (!this.sheet.scale) return;
    if (this.selected) return this.take();
    this.picking = true;
    const inView = this.sentences.findIndex(([start, end]) => this.range(start, end).getBoundingClientRect().top > 0 && start >= this.line.blocks[1]);
    this.to = this.from = this.from || Math.max(0, inView);
    this.show(true);
    this.look();
  }
  look() {
    const range = this.range(this.sentences[this.from][0], this.sentences[this.to][1]);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    const box = range.getBoundingClientRect();
    if (box.top < 80 || box.bottom > innerHeight - 160) scrollBy({ top: box.top - innerHeight / 3 });
    this.say(squeeze(range.toString()));
  }
  does(what) {
    const last = this.sentences.length - 1;
    if (what === "next") this.from = this.to = Math.min(this.to + 1, last);
    else if (what === "previous") this.to = this.from = Math.max(this.from - 1, 0);
    else if (what === "longer") this.to = Math.min(this.to + 1, last);
    else if (what === "take") return this.take();
    else if (what === "leave") return this.leave();
    else return;
    this.look();
  }
  key(event) {
    const what = { ArrowDown: event.shiftKey ? "longer" : "next", ArrowUp: "previous", j: "next", k: "previous", l: "longer", Enter: "take", e: "take", Escape: "leave" }[event.key];
    if (what) this.does(what);
    return Boolean(what);
  }
  leave() {
    this.picking = false;
    getSelection().removeAllRanges();
    this.show(false);
    this.sheet.hold(this.sheet.at);
  }
  take() {
    const quote = this.selected;
    const scale = this.sheet.scale;
    if (!quote || !scale) return;
    if (quote.length > 2000) return this.say("A passage has at most 2,000 characters; select less.");
    this.taken.push({ dimension: scale.dataset.key, quote });
    this.leave();
    this.tell();
    this.say(`Taken for ${scale.dataset.name}: ${quote}`);
  }
  fill(taken) {
    this.taken = taken;
    this.draw();
  }
  tell() {
    this.draw();
    this.changed();
  }
  draw() {
    this.field.value = this.taken.length ? JSON.stringify(this.taken) : "";
    for (const scale of this.sheet.scales) {
      const list = scale.querySelector("[data-quotes]");
      const own = this.taken.filter((one) => one.dimension === scale.dataset.key);
      list.replaceChildren(...own.map((one) => this.item(one)));
      list.hidden = !own.length;
    }
    this.paint();
  }
  item(one) {
    const item = document.createElement("li");
    const quote = Object.assign(document.createElement("q"), { textContent: one.quote });
    const button = Object.assign(document.createElement("button"), { type: "button", className: "linklike small", textContent: "Remove" });
    button.setAttribute("aria-label", `Remove the passage “${one.quote.slice(0, 60)}”`);
    button.addEventListener("click", () => {
      this.taken = this.taken.filter((other) => other !== one);
      this.tell();
      this.sheet.hold(this.sheet.at);
    });
    item.append(quote, " ", button);
    return item;
  }
  // Where the browser can, what was taken stays marked in the text.
  paint() {
    if (!globalThis.Highlight) return;
    const found = this.taken.map(({ quote }) => [this.line.text.indexOf(quote), quote.length]).filter(([start]) => start >= 0);
    CSS.highlights.set("passage", new Highlight(...found.map(([start, length]) => this.range(start, start + length))));
  }
}
