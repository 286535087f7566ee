// A textarea that keeps all that a textarea can (undo, input methods, selection, screen readers), with what it lacks
// drawn beneath it: colours, line numbers, underlines. Only the lines that can be seen are drawn.

import { highlighter } from "./highlight.js";
import { columnToIndex } from "./places.js";

const LINE = 20; // pixels; style.css has the same
const PADDING = 8;
const AROUND = 10; // lines drawn beyond what can be seen
const LONG = 200_000; // characters beyond which a text is put in without a step to undo it

const RANK = { error: 0, warning: 1, note: 2 };

function make(name, className, ...children) {
  const element = document.createElement(name);
  element.className = className;
  element.append(...children);
  return element;
}

export class Editor {
  #colour;
  #lines = [""];
  #states = [""];
  #marks = new Map();
  #spots = new Map();
  #frame = 0;
  #leaving = false;

  /**
   * @param {{label: string, language: "yaml"|"json", describedBy?: string}} options
   */
  constructor({ label, language, describedBy }) {
    this.language = language;
    this.#colour = highlighter(language);
    this.gutter = make("div", "editor-gutter");
    this.view = make("div", "editor-view");
    this.gutter.setAttribute("aria-hidden", "true");
    this.view.setAttribute("aria-hidden", "true");
    this.input = make("textarea", "editor-input");
    Object.assign(this.input, { wrap: "off", spellcheck: false, autocomplete: "off", autocapitalize: "off" });
    this.input.setAttribute("aria-label", label);
    this.input.setAttribute("autocorrect", "off");
    if (describedBy) {
      this.input.setAttribute("aria-describedby", describedBy);
    }
    this.element = make("div", "editor", make("div", "editor-side", this.gutter), make("div", "editor-body", this.view, this.input));
    this.onInput = () => {};
    this.onCaret = () => {};
    this.onHover = () => {};
    this.input.addEventListener("input", () => this.#changed());
    this.input.addEventListener("scroll", () => this.#soon());
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => {
      this.#leaving = false;
      this.#soon();
    });
    this.input.addEventListener("mousemove", (event) => this.onHover(this.#under(event), event));
    this.input.addEventListener("mouseleave", (event) => this.onHover([], event));
    for (const name of ["keyup", "click", "focus", "select"]) {
      this.input.addEventListener(name, () => {
        this.onCaret();
        this.#soon();
      });
    }
    new ResizeObserver(() => this.#soon()).observe(this.input);
  }

  get text() {
    return this.input.value;
  }

  /** Show *text* as something new, without a way back. */
  set text(text) {
    this.input.value = text;
    this.input.scrollTop = 0;
    this.input.scrollLeft = 0;
    this.input.setSelectionRange(0, 0);
    this.#marks.clear();
    this.#changed(false);
  }

  /** Show *text* in place of all that is there; undo brings that back. */
  exchange(text) {
    if (text === this.text) {
      return;
    }
    if (text.length + this.text.length > LONG) {
      this.text = text;
      this.onInput();
      return;
    }
    const focused = document.activeElement;
    this.#insert(0, this.text.length, text);
    this.input.setSelectionRange(0, 0);
    this.input.scrollTop = 0;
    this.input.scrollLeft = 0;
    if (focused instanceof HTMLElement && focused !== this.input) {
      focused.focus({ preventScroll: true });
    }
  }

  get lines() {
    return this.#lines;
  }

  /** Return the line, from 0, that the caret is on. */
  get caretLine() {
    return this.#lineAt(this.input.selectionStart);
  }

  /** Return line and column of the caret, from 1; columns count characters. */
  get caret() {
    const line = this.caretLine;
    const before = this.text.slice(this.#offset(line), this.input.selectionStart);
    return { line: line + 1, column: [...before].length + 1 };
  }

  /** Underline *findings*, each with a place of this file. */
  mark(findings) {
    this.#marks = new Map();
    for (const finding of findings) {
      const number = Math.min(Math.max(finding.line, 1), this.#lines.length) - 1;
      const line = this.#lines[number];
      let from = columnToIndex(line, finding.column);
      let to = columnToIndex(line, finding.end_column);
      if (!finding.column) {
        from = line.length - line.trimStart().length;
        to = line.length;
      }
      from = Math.min(from, Math.max(0, line.length - 1));
      to = Math.max(to, from + 1);
      const marks = this.#marks.get(number) ?? [];
      marks.push({ from, to, finding });
      this.#marks.set(number, marks);
    }
    this.#soon();
  }

  /** Return the findings on *line*, from 0. */
  findingsOn(line) {
    return (this.#marks.get(line) ?? []).map((mark) => mark.finding);
  }

  /** Point at *ranges* of the text, [from, to] each; the first of them is brought into view. */
  point(ranges) {
    this.#spots = new Map();
    for (const [from, to] of ranges) {
      const first = this.#lineAt(from);
      const last = this.#lineAt(to);
      for (let number = first; number <= last; number += 1) {
        const start = this.#offset(number);
        const spots = this.#spots.get(number) ?? [];
        const line = this.#lines[number];
        const indent = line.length - line.trimStart().length;
        spots.push({
          from: number === first ? from - start : indent,
          to: number === last ? to - start : line.length,
        });
        this.#spots.set(number, spots);
      }
    }
    if (ranges.length) {
      this.#scrollTo(this.#lineAt(ranges[0][0]), ranges[0][0]);
    }
    this.#soon();
  }

  /** Select what stands at *place* and bring it into view. */
  reveal(place) {
    const number = Math.min(Math.max(place.line, 1), this.#lines.length) - 1;
    const line = this.#lines[number];
    const start = this.#offset(number);
    const from = start + columnToIndex(line, place.column);
    const to = start + columnToIndex(line, Math.max(place.end_column, place.column));
    this.input.focus({ preventScroll: true });
    this.input.setSelectionRange(from, to);
    this.#scrollTo(number, from);
    this.onCaret();
    this.#soon();
  }

  /** Bring the line *number*, from 1, into view, and leave the focus where it is. */
  showLine(number) {
    this.input.scrollTop = Math.max(0, (Math.min(number, this.#lines.length) - 3) * LINE);
    this.input.scrollLeft = 0;
  }

  /** Put *text* at *place*, as somebody might who types it. */
  replaceAt(place, text) {
    const number = place.line - 1;
    const line = this.#lines[number] ?? "";
    const start = this.#offset(number);
    const from = start + columnToIndex(line, place.column);
    const to = start + columnToIndex(line, Math.max(place.end_column, place.column));
    this.#insert(from, to, text);
    this.#scrollTo(number, from);
  }

  // --- drawing

  #soon() {
    if (!this.#frame) {
      this.#frame = requestAnimationFrame(() => {
        this.#frame = 0;
        this.#draw();
      });
    }
  }

  #draw() {
    const { scrollTop, scrollLeft, clientHeight } = this.input;
    const first = Math.max(0, Math.floor((scrollTop - PADDING) / LINE) - AROUND);
    const last = Math.min(this.#lines.length, Math.ceil((scrollTop + clientHeight) / LINE) + AROUND);
    const caret = document.activeElement === this.input ? this.caretLine : -1;
    const lines = [];
    const numbers = [];
    for (let number = first; number < last; number += 1) {
      lines.push(this.#drawLine(number));
      const marks = this.#marks.get(number) ?? [];
      const worst = marks.map((mark) => mark.finding.severity).sort((one, other) => RANK[one] - RANK[other])[0];
      const classes = ["editor-number", worst ? `has-${worst}` : "", number === caret ? "is-here" : ""];
      numbers.push(make("div", classes.join(" ").trim(), String(number + 1)));
    }
    const top = first * LINE + PADDING - scrollTop;
    this.view.replaceChildren(...lines);
    this.view.style.transform = `translate(${-scrollLeft}px, ${top}px)`;
    this.gutter.replaceChildren(...numbers);
    this.gutter.style.transform = `translateY(${top}px)`;
    this.element.style.setProperty("--digits", String(Math.max(2, String(this.#lines.length).length)));
  }

  #drawLine(number) {
    const line = this.#lines[number];
    const { pieces } = this.#colour(line, this.#stateOf(number));
    const marks = this.#marks.get(number) ?? [];
    const spots = this.#spots.get(number) ?? [];
    const cuts = new Set([0, line.length]);
    for (const one of [...pieces, ...marks, ...spots]) {
      cuts.add(Math.min(one.from, line.length));
      cuts.add(Math.min(one.to, line.length));
    }
    const sorted = [...cuts].sort((one, other) => one - other);
    const row = make("div", "editor-line");
    let next = 0;
    for (let index = 0; index + 1 < sorted.length; index += 1) {
      const [from, to] = [sorted[index], sorted[index + 1]];
      while (next < pieces.length && pieces[next].to <= from) {
        next += 1;
      }
      const kind = next < pieces.length && pieces[next].from <= from ? pieces[next].kind : "";
      const here = marks.filter((mark) => mark.from <= from && to <= mark.to);
      const pointed = spots.some((spot) => spot.from <= from && to <= spot.to);
      const classes = [kind ? `t-${kind}` : "", pointed ? "is-spot" : ""];
      const span = make("span", "", line.slice(from, to));
      if (here.length) {
        const worst = here.map((mark) => mark.finding.severity).sort((one, other) => RANK[one] - RANK[other])[0];
        classes.push(`u-${worst}`);
        span.finding = here.map((mark) => mark.finding);
      }
      span.className = classes.filter(Boolean).join(" ");
      row.append(span);
    }
    if (!line && marks.length) {
      const span = make("span", `u-${marks[0].finding.severity}`, " ");
      span.finding = marks.map((mark) => mark.finding);
      row.append(span);
    }
    return row;
  }

  #stateOf(number) {
    while (this.#states.length <= number) {
      const before = this.#states.length - 1;
      this.#states.push(this.#colour(this.#lines[before], this.#states[before]).state);
    }
    return this.#states[number];
  }

  /** Return the findings that are drawn under the pointer. */
  #under(event) {
    const hit = document.elementsFromPoint(event.clientX, event.clientY).find((element) => element.finding);
    return hit ? hit.finding : [];
  }

  #scrollTo(number, position) {
    const { clientHeight, clientWidth, scrollTop } = this.input;
    const top = number * LINE;
    if (top < scrollTop || top + 2 * LINE + PADDING > scrollTop + clientHeight) {
      this.input.scrollTop = Math.max(0, top - clientHeight / 2 + LINE);
    }
    const width = this.#width(this.text.slice(this.#offset(number), position));
    if (width < this.input.scrollLeft || width > this.input.scrollLeft + clientWidth - 4 * LINE) {
      this.input.scrollLeft = Math.max(0, width - clientWidth / 2);
    }
  }

  #width(text) {
    const context = (Editor.canvas ??= document.createElement("canvas").getContext("2d"));
    context.font = getComputedStyle(this.input).font;
    return context.measureText(text).width;
  }

  // --- text

  #offset(number) {
    let at = 0;
    for (let index = 0; index < number; index += 1) {
      at += this.#lines[index].length + 1;
    }
    return at;
  }

  #lineAt(position) {
    let at = 0;
    for (let number = 0; number < this.#lines.length; number += 1) {
      at += this.#lines[number].length + 1;
      if (position < at) {
        return number;
      }
    }
    return this.#lines.length - 1;
  }

  #changed(typed = true) {
    const before = this.#lines;
    const after = this.input.value.split("\n");
    const shorter = Math.min(before.length, after.length);
    let same = 0;
    while (same < shorter && before[same] === after[same]) {
      same += 1;
    }
    this.#lines = after;
    this.#states.length = Math.min(this.#states.length, same + 1);
    this.#spots = new Map();
    // Until the answer is here, what is below an added or removed line moves with it.
    const moved = after.length - before.length;
    if (moved) {
      const marks = new Map();
      for (const [number, found] of this.#marks) {
        marks.set(number > same ? Math.max(same, number + moved) : number, found);
      }
      this.#marks = marks;
    }
    this.#soon();
    if (typed) {
      this.onInput();
      this.onCaret();
    }
  }

  /** Replace what stands from *from* to *to*, so that undo knows of it. */
  #insert(from, to, text) {
    this.input.focus({ preventScroll: true });
    this.input.setSelectionRange(from, to);
    // The only way to change a textarea that leaves its undo as it is.
    const done = text === "" ? from === to || document.execCommand("delete") : document.execCommand("insertText", false, text);
    if (!done) {
      this.input.setRangeText(text, from, to, "end");
      this.#changed();
    }
  }

  // --- keys

  #key(event) {
    if (event.isComposing) {
      return;
    }
    if (event.key === "Escape") {
      this.#leaving = true;
      this.point([]);
      this.onCaret("Tab now leaves the editor");
      return;
    }
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.key === "Tab" && plain && !this.#leaving) {
      event.preventDefault();
      this.#indent(event.shiftKey);
    } else if (event.key === "Enter" && plain && !event.shiftKey) {
      event.preventDefault();
      this.#newLine();
    } else if (event.key === "/" && (event.ctrlKey || event.metaKey) && this.language === "yaml") {
      event.preventDefault();
      this.#comment();
    }
    if (!["Tab", "Shift"].includes(event.key)) {
      this.#leaving = false;
    }
  }

  /** Change each selected line, and select them again; *change* gives the new line. */
  #eachLine(change) {
    const { selectionStart, selectionEnd } = this.input;
    const first = this.#lineAt(selectionStart);
    const last = this.#lineAt(Math.max(selectionStart, selectionEnd - 1));
    const from = this.#offset(first);
    const old = this.#lines.slice(first, last + 1);
    const changed = old.map(change);
    if (changed.join("\n") === old.join("\n")) {
      return;
    }
    const to = from + old.join("\n").length;
    this.#insert(from, to, changed.join("\n"));
    if (selectionStart === selectionEnd) {
      const moved = changed[0].length - old[0].length;
      const position = Math.max(from, selectionStart + moved);
      this.input.setSelectionRange(position, position);
    } else {
      this.input.setSelectionRange(from, from + changed.join("\n").length);
    }
  }

  #indent(less) {
    const { selectionStart, selectionEnd } = this.input;
    if (less) {
      this.#eachLine((line) => line.replace(/^ {1,2}/, ""));
    } else if (this.#lineAt(selectionStart) !== this.#lineAt(selectionEnd)) {
      this.#eachLine((line) => (line ? `  ${line}` : line));
    } else {
      const column = selectionStart - this.#offset(this.#lineAt(selectionStart));
      this.#insert(selectionStart, selectionEnd, column % 2 ? " " : "  ");
    }
  }

  #newLine() {
    const { selectionStart, selectionEnd } = this.input;
    const line = this.#lines[this.#lineAt(selectionStart)];
    const before = line.slice(0, selectionStart - this.#offset(this.#lineAt(selectionStart)));
    let indent = /^\s*/.exec(before)[0];
    const opens = this.language === "json" ? /[{[]\s*$/ : /(?:^|\s)(?:[^#\s][^#]*:|&[\w.-]+)\s*(?:#.*)?$/;
    if (opens.test(before)) {
      indent += "  ";
      if (this.language === "yaml" && /^\s*- /.test(before)) {
        indent += "  ";
      }
    } else if (this.language === "yaml" && /^\s*- \S/.test(before)) {
      indent += "  ";
    }
    this.#insert(selectionStart, selectionEnd, `\n${indent}`);
  }

  #comment() {
    const { selectionStart, selectionEnd } = this.input;
    const lines = this.#lines.slice(this.#lineAt(selectionStart), this.#lineAt(Math.max(selectionStart, selectionEnd - 1)) + 1);
    const all = lines.every((line) => !line.trim() || /^\s*#/.test(line));
    this.#eachLine((line) => {
      if (!line.trim()) {
        return line;
      }
      return all ? line.replace(/^(\s*)# ?/, "$1") : line.replace(/^(\s*)/, "$1# ");
    });
  }
}
