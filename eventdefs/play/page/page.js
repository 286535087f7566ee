// The playground: editors on the left, what the server makes of their texts on the right.

import { Editor } from "./editor.js";
import { columnToIndex, findInJson } from "./places.js";
import { h, readJson, Results } from "./results.js";

const SOON = 120; // milliseconds after the last key
const LATE = 1500; // milliseconds after which a question that is not answered is given up for the next one
const FEW = 12; // notes that are shown unasked
const LISTED = 200; // notifications that the list shows at once
const SUFFIX = ".eventdefs.json";

const at = (id) => document.getElementById(id);
const files = []; // {name, editor, tab}
let active = null;
let answer = null;
let findings = [];
let chosen = -1; // which finding F8 came to
let unsaved = false;
let view = "explained";
let following = false; // whether the next answer brings the definition that applies into view
let withNotes = null; // nobody chose, and there are few

const notification = new Editor({ label: "Notification, JSON", language: "json", describedBy: "decoding" });
const results = new Results(at("results"), { goTo, point, use });

// --- the server -------------------------------------------------------------------------------------------------------

async function ask(path, body, signal) {
  const options = body
    ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal }
    : { signal };
  const response = await fetch(path, options);
  const text = await response.text();
  const read = readJson(text);
  if (!response.ok) {
    throw new Error(read.error ?? `the server answers ${response.status}`);
  }
  return read;
}

const texts = () => ({
  files: files.map((file) => ({ name: file.name, text: file.editor.text })),
  notification: notification.text,
});

let timer = 0;
let pending = null; // {controller, begun, version}
let version = 0;
let recorded = { findings: [], more_findings: 0 }; // what the corpus shows
let compared = ""; // the definitions of which it does
let comparing = null;

/** Evaluate what stands there now, soon; a later text is asked about when the one before is answered, or late. */
function evaluateSoon(delay = SOON) {
  version += 1;
  document.body.dataset.evaluated = document.body.dataset.compared = "no";
  clearTimeout(timer);
  timer = setTimeout(evaluate, delay);
}

async function evaluate() {
  if (pending) {
    const waited = performance.now() - pending.begun;
    if (waited < LATE) {
      timer = setTimeout(evaluate, Math.min(LATE - waited, 50));
      return;
    }
    pending.controller.abort();
  }
  const mine = { controller: new AbortController(), begun: performance.now(), version };
  pending = mine;
  const busy = setTimeout(() => say("Evaluating…"), 400);
  try {
    const found = await ask("api/evaluate", texts(), mine.controller.signal);
    if (pending === mine && mine.version === version) {
      answer = found;
      show();
      document.body.dataset.evaluated = "yes";
      compareSoon();
    }
    say("");
  } catch (error) {
    if (error.name !== "AbortError") {
      say(error instanceof TypeError ? "The server does not answer. Is eventdefs play still running?" : error.message, true);
    }
  } finally {
    clearTimeout(busy);
    if (pending === mine) {
      pending = null;
    }
  }
}

/** Ask what the corpus shows of the definitions, once they stay as they are for a moment: it may take a while. */
function compareSoon() {
  const { files: definitions } = texts();
  const key = JSON.stringify(definitions);
  if (!examples.length || key === compared) {
    document.body.dataset.compared = "yes";
    return;
  }
  clearTimeout(comparing?.timer);
  comparing?.controller.abort();
  const mine = { controller: new AbortController(), timer: 0 };
  comparing = mine;
  mine.timer = setTimeout(async () => {
    try {
      const found = await ask("api/compare", { files: definitions }, mine.controller.signal);
      if (comparing === mine) {
        recorded = found;
        compared = key;
        show();
        document.body.dataset.compared = "yes";
      }
    } catch (error) {
      if (error.name !== "AbortError") {
        say(error.message, true);
      }
    }
  }, SOON);
}

/** Return what is still true of what the corpus showed: findings on lines that are as they were. */
function stillRecorded() {
  const lines = new Map(files.map((file) => [file.name, file.editor.lines]));
  return recorded.findings.filter((one) => !one.excerpt || lines.get(one.file)?.[one.line - 1] === one.excerpt);
}

function allFindings() {
  const order = new Map(files.map((file, number) => [file.name, number]));
  const place = (one) => [order.get(one.file) ?? -1, one.line, one.column];
  const before = (one, other) => {
    const [left, right] = [place(one), place(other)];
    const part = left.findIndex((number, index) => number !== right[index]);
    return part < 0 ? 0 : left[part] - right[part];
  };
  return [...answer.findings, ...stillRecorded()].sort(before);
}

function say(text, bad = false) {
  const state = at("state");
  if (state.textContent !== text) {
    state.textContent = text;
  }
  state.classList.toggle("is-bad", bad);
}

let announcing = 0;

function announce(text) {
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    at("announcer").textContent = text;
  }, 300);
}

// --- showing ----------------------------------------------------------------------------------------------------------

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function show() {
  const all = allFindings();
  const notes = all.filter((finding) => finding.severity === "note").length;
  if (notes > FEW) {
    withNotes ??= false;
  }
  findings = all.filter((finding) => withNotes !== false || finding.severity !== "note");
  chosen = -1;
  at("notes").hidden = notes === 0;
  at("notes").textContent = many(notes, "note");
  at("notes").setAttribute("aria-pressed", String(withNotes !== false));
  for (const file of files) {
    const own = findings.filter((finding) => finding.file === file.name);
    file.editor.mark(own);
    const worst = ["error", "warning", "note"].find((severity) => own.some((one) => one.severity === severity)) ?? "";
    file.tab.dataset.worst = worst;
    file.tab.setAttribute("aria-label", worst ? `${file.name}, ${many(own.length, "finding")}` : file.name);
  }
  showFindings();
  showDecoding();
  showResults();
  showCaret();
  if (following) {
    following = false;
    follow();
  }
}

/** Bring the definition that applies into view. */
function follow() {
  const place = answer.explanation?.glob_place ?? answer.explanation?.definition?.place;
  const file = files.find((one) => one.name === place?.file);
  if (file) {
    activate(file);
    file.editor.showLine(place.line);
  }
}

function counts() {
  const words = ["error", "warning"]
    .map((severity) => [severity, findings.filter((one) => one.severity === severity).length])
    .filter(([, count]) => count)
    .map(([severity, count]) => many(count, severity));
  return words.length ? words.join(", ") : "no errors, no warnings";
}

function showFindings() {
  const more = answer.more_findings + recorded.more_findings;
  const text = counts() + (more ? ` and ${more} more` : "");
  const changed = at("counts").textContent !== text;
  at("counts").textContent = text;
  const list = at("findings");
  const kept = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const top = list.scrollTop;
  list.replaceChildren(...findings.map(drawFinding));
  list.scrollTop = top;
  if (kept) {
    [...list.querySelectorAll("[data-key]")].find((one) => one.dataset.key === kept)?.focus();
  }
  at("previous").disabled = at("next").disabled = findings.length === 0;
  if (changed) {
    announce(`Findings: ${text}`);
  }
}

function drawFinding(finding, number) {
  const place = files.length > 1 ? `${finding.file}:${finding.line}` : `line ${finding.line}`;
  const go = () => goToFinding(number);
  return h("li", { class: `finding is-${finding.severity}` },
    h("span", { class: "sign", "aria-hidden": "true" }),
    h("div", {},
      h("button", { type: "button", class: "link message", onclick: go, "data-key": `${finding.code}-${finding.message}` },
        h("span", { class: "unseen" }, `${finding.severity}: `), finding.message,
        h("span", { class: "where" }, place)),
      h("button", { type: "button", class: "link code", onclick: () => explainCode(finding.code), "aria-label": `What ${finding.code} means` }, finding.code),
      finding.hint ? h("p", { class: "hint-text" }, finding.hint) : "",
      finding.fix || finding.related.length ? h("p", { class: "acts" },
        finding.fix
          ? h("button", { type: "button", class: "fix", onclick: () => fix(finding), "data-key": `fix-${number}` }, finding.fix.title)
          : "",
        ...finding.related.map((other) =>
          h("button", { type: "button", class: "link small", onclick: () => goTo(other) }, `see ${other.file === finding.file ? "line " : `${other.file}:`}${other.line}`))) : ""));
}

function showDecoding() {
  const line = at("decoding");
  const error = answer.decode_error;
  line.classList.toggle("is-error", error !== null);
  if (!error) {
    line.textContent = `${answer.explanation.event_type}, ${answer.explanation.priority}`;
    notification.mark([]);
    return;
  }
  const place = error.line ? { line: error.line, column: error.column, end_column: error.column + 1 } : null;
  const go = () => notification.reveal(place);
  const text = error.reason.replace(/ at line \d+, column \d+$/, "");
  line.replaceChildren(
    ...(place ? [h("button", { type: "button", class: "link small", onclick: go }, `line ${error.line}, column ${error.column}`)] : []),
    h("span", { class: "said", title: text }, text),
  );
  notification.mark(place ? [{ ...place, severity: "error", message: error.reason, hint: "" }] : []);
}

function showResults() {
  if (view === "json") {
    results.showJson(answer);
  } else {
    results.show(answer);
  }
}

function showCaret(said) {
  if (!active) {
    return;
  }
  const { line, column } = active.editor.caret;
  const here = active.editor.findingsOn(line - 1);
  const status = at("here");
  const hint = here.length ? `${here[0].message}${here[0].hint ? ` – ${here[0].hint}` : ""}` : "";
  status.className = here.length ? `here is-${here[0].severity}` : "here";
  status.replaceChildren(h("span", { class: "position" }, `${line}:${column}`), h("span", { class: "said", title: hint }, said ?? hint));
  if (said) {
    announce(said);
  }
}

// --- going somewhere --------------------------------------------------------------------------------------------------

function goTo(place) {
  const file = files.find((one) => one.name === place.file);
  if (file) {
    activate(file);
    file.editor.reveal(place);
  }
}

function goToFinding(number) {
  chosen = number;
  goTo(findings[number]);
}

/** Go to the finding after the caret, or before it; from the last to the first. */
function goAround(step) {
  if (!findings.length) {
    announce("There are no findings");
    return;
  }
  let number = chosen;
  if (number < 0) {
    const order = (one) => [files.findIndex((file) => file.name === one.file), one.line, one.column];
    const here = [files.indexOf(active), active.editor.caret.line, active.editor.caret.column];
    const after = (one, other) => one.findIndex((part, index) => part !== other[index]);
    const isAfter = (one) => {
      const index = after(order(one), here);
      return index >= 0 && order(one)[index] > here[index];
    };
    const next = findings.findIndex(isAfter);
    number = step > 0 ? (next < 0 ? 0 : next) : (next < 0 ? findings.length : next) - 1;
  } else {
    number += step;
  }
  number = (number + findings.length) % findings.length;
  goToFinding(number);
  at("findings").children[number]?.scrollIntoView({ block: "nearest" });
  announce(`${findings[number].severity}: ${findings[number].message}. ${findings[number].hint}`);
}

function point(path) {
  const ranges = (answer.spots[path] ?? []).map((steps) => findInJson(notification.text, steps)).filter(Boolean);
  notification.point(ranges);
  announce(ranges.length ? `${path}: ${many(ranges.length, "value")} marked in the notification` : `${path} leads nowhere in the notification`);
}

function fix(finding) {
  const file = files.find((one) => one.name === finding.fix.file);
  if (file) {
    activate(file);
    file.editor.replaceAt(finding.fix, finding.fix.text);
    announce(`${finding.fix.title}: done`);
  }
}

/** Write the path that was perhaps meant in place of the one that finds nothing, anchors and quotes as they are. */
function use(trace) {
  const { path, place, near } = trace;
  const file = files.find((one) => one.name === place.file);
  const line = file?.editor.lines[place.line - 1] ?? "";
  const from = columnToIndex(line, place.column);
  const written = line.slice(from, columnToIndex(line, place.end_column));
  const inside = written.indexOf(path);
  if (inside < 0) {
    goTo(place); // it is folded or escaped: whoever wrote it so puts it right
    return;
  }
  const quote = written[inside - 1];
  let text = near;
  if (quote === '"') {
    text = JSON.stringify(near).slice(1, -1);
  } else if (quote === "'") {
    text = near.replaceAll("'", "''");
  } else if (/[{}[\],#&*!|>%@`"]|: |^['?-]/.test(near)) {
    text = JSON.stringify(near);
  }
  const column = (index) => [...line.slice(0, index)].length + 1;
  activate(file);
  file.editor.replaceAt({ line: place.line, column: column(from + inside), end_column: column(from + inside + path.length) }, text);
  announce(`${path} is now ${near}`);
}

async function explainCode(code) {
  try {
    const { text } = await ask(`api/codes/${encodeURIComponent(code)}`);
    at("meaning-title").textContent = code;
    at("meaning-text").textContent = text.replace(/^\w+: /, "");
    at("meaning").showModal();
  } catch (error) {
    say(error.message, true);
  }
}

// --- files ------------------------------------------------------------------------------------------------------------

function addFile(name, text) {
  const number = addFile.count = (addFile.count ?? 0) + 1;
  const editor = new Editor({ label: `Definitions, ${name}`, language: "yaml", describedBy: "here" });
  const tab = h("button", { type: "button", role: "tab", id: `tab-file-${number}`, "aria-controls": `file-${number}`, "aria-selected": "false", tabindex: "-1" }, name);
  editor.element.id = `file-${number}`;
  editor.element.setAttribute("role", "tabpanel");
  editor.element.setAttribute("aria-labelledby", tab.id);
  editor.element.hidden = true;
  const file = { name, editor, tab };
  editor.text = text;
  editor.onInput = changed;
  editor.onCaret = showCaret;
  editor.onHover = hover;
  tab.addEventListener("click", () => activate(file));
  tab.addEventListener("dblclick", () => editName(file));
  files.push(file);
  at("tabs").append(tab);
  at("definitions").append(editor.element);
  return file;
}

function activate(file) {
  active = file;
  for (const one of files) {
    const is = one === file;
    one.editor.element.hidden = !is;
    one.tab.setAttribute("aria-selected", String(is));
    one.tab.tabIndex = is ? 0 : -1;
  }
  file.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  showCaret();
}

function replaceFiles(given) {
  for (const file of files.splice(0)) {
    file.tab.remove();
    file.editor.element.remove();
  }
  for (const { name, text } of given.length ? given : [{ name: "definitions.yaml", text: "" }]) {
    addFile(name, text);
  }
  activate(files[0]);
}

function changed() {
  unsaved = true;
  evaluateSoon();
}

let editing = null;

function editName(file) {
  editing = file;
  at("file-name").value = file.name;
  at("file-problem").textContent = "";
  at("file-remove").hidden = files.length < 2;
  at("file").returnValue = "cancel";
  at("file").showModal();
  at("file-name").select();
}

function newFile() {
  let number = 1;
  const name = () => (number === 1 ? "more.yaml" : `more-${number}.yaml`);
  while (files.some((file) => file.name === name())) {
    number += 1;
  }
  const file = addFile(name(), "");
  activate(file);
  changed();
  file.editor.input.focus();
}

at("file").querySelector("form").addEventListener("submit", (event) => {
  const name = at("file-name").value.trim();
  if (event.submitter?.value === "save" || !event.submitter) {
    const taken = files.some((file) => file !== editing && file.name === name);
    if (!name || taken) {
      event.preventDefault();
      at("file-problem").textContent = taken ? `There is a file ${name} already.` : "A file needs a name.";
    }
  }
});

at("file").addEventListener("close", () => {
  const file = editing;
  const done = at("file").returnValue;
  if (done === "save") {
    file.name = at("file-name").value.trim();
    file.tab.textContent = file.name;
    file.editor.input.setAttribute("aria-label", `Definitions, ${file.name}`);
    changed();
  } else if (done === "remove" && files.length > 1) {
    const number = files.indexOf(file);
    files.splice(number, 1);
    file.tab.remove();
    file.editor.element.remove();
    activate(files[Math.min(number, files.length - 1)]);
    changed();
  }
  active.tab.focus();
});

at("tabs").addEventListener("keydown", (event) => {
  const number = files.indexOf(active);
  const next = { ArrowRight: number + 1, ArrowLeft: number - 1, Home: 0, End: files.length - 1 }[event.key];
  if (next !== undefined) {
    event.preventDefault();
    activate(files[(next + files.length) % files.length]);
    active.tab.focus();
  }
});

// --- saving and opening -----------------------------------------------------------------------------------------------

function download(name, text, kind) {
  const url = URL.createObjectURL(new Blob([text], { type: kind }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function save() {
  const { files: definitions, notification: text } = texts();
  const saved = { kind: "playground", version: 1, definitions, notification: text };
  download(`${files[0].name.replace(/\.ya?ml$/, "").replace(/[^\w.-]+/g, "-")}${SUFFIX}`, `${JSON.stringify(saved, null, 2)}\n`, "application/json");
  unsaved = false;
  announce("Saved");
}

async function exportCase() {
  try {
    const { text } = await ask("api/case", texts());
    download(`${answer.explanation.event_type.replace(/[^\w.-]+/g, "-")}.test.yaml`, text, "application/yaml");
  } catch (error) {
    say(`No test can be written: ${error.message}`, true);
  }
}

const isSaved = (read) =>
  read?.kind === "playground" &&
  read.version === 1 &&
  typeof read.notification === "string" &&
  Array.isArray(read.definitions) &&
  read.definitions.every((file) => typeof file?.name === "string" && typeof file?.text === "string") &&
  new Set(read.definitions.map((file) => file.name)).size === read.definitions.length;

const isNotification = (read) => ["event_type", "oslo.message", "specversion"].some((key) => Object.hasOwn(read ?? {}, key));

/** Show what somebody opened: a saved playground, a file of definitions beside the others, or a notification. */
function openText(name, text) {
  if (/\.ya?ml$/i.test(name)) {
    openDefinitions(name, text.replaceAll("\r\n", "\n"));
    return;
  }
  let read;
  try {
    read = JSON.parse(text);
  } catch (error) {
    say(`${name} is no JSON: ${error.message}`, true);
    return;
  }
  if (isSaved(read)) {
    openSaved(name, read);
  } else if (isNotification(read)) {
    notification.exchange(text.replaceAll("\r\n", "\n"));
    at("filter").value = "";
    following = true;
  } else {
    say(`${name} is no saved playground and no notification`, true);
  }
}

function openDefinitions(name, text) {
  const file = files.find((one) => one.name === name) ?? addFile(name, "");
  activate(file);
  file.editor.exchange(text);
}

function openSaved(name, saved) {
  if (unsaved && !confirm("What is there now is not saved. Open the other one nevertheless?")) {
    return;
  }
  replaceFiles(saved.definitions);
  notification.text = saved.notification;
  at("filter").value = "";
  unsaved = false;
  say("");
  announce(`${name} is open`);
  evaluateSoon(0);
}

at("chooser").addEventListener("change", async () => {
  const [file] = at("chooser").files;
  if (file) {
    openText(file.name, await file.text());
  }
  at("chooser").value = "";
});

addEventListener("dragover", (event) => {
  if ([...event.dataTransfer.types].includes("Files")) {
    event.preventDefault();
    document.body.classList.add("is-dropping");
  }
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) {
    document.body.classList.remove("is-dropping");
  }
});
addEventListener("drop", async (event) => {
  document.body.classList.remove("is-dropping");
  const [file] = event.dataTransfer.files;
  if (file) {
    event.preventDefault();
    openText(file.name, await file.text());
  }
});
addEventListener("beforeunload", (event) => {
  if (unsaved) {
    event.preventDefault();
  }
});

// --- notifications of the corpus --------------------------------------------------------------------------------------

let examples = [];
let listed = [];
let pointed = -1;

const labelOf = (example) => example.event_type;

function openList(filter = "") {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (example) => words.every((word) => `${example.event_type} ${example.place}`.toLowerCase().includes(word));
  listed = examples.map((example, number) => ({ ...example, number })).filter(fits);
  const rows = listed.slice(0, LISTED).map((example, index) =>
    h("li", { role: "option", id: `example-${index}`, "aria-selected": "false", onmousedown: (event) => choose(event, index) },
      h("span", { class: "event-name" }, labelOf(example)),
      h("span", { class: "where" }, `${example.place}${example.times > 1 ? ` and ${example.times - 1} alike` : ""}`)));
  if (listed.length > LISTED) {
    rows.push(h("li", { class: "more", role: "presentation" }, `and ${listed.length - LISTED} more: type to find them`));
  } else if (!listed.length) {
    rows.push(h("li", { class: "more", role: "presentation" }, "none has this in its event type or place"));
  }
  at("examples").replaceChildren(...rows);
  at("examples").hidden = false;
  at("filter").setAttribute("aria-expanded", "true");
  pointAt(listed.length ? 0 : -1);
}

function closeList() {
  at("examples").hidden = true;
  at("filter").setAttribute("aria-expanded", "false");
  at("filter").removeAttribute("aria-activedescendant");
}

function pointAt(index) {
  pointed = index;
  [...at("examples").children].forEach((row, number) => {
    if (row.role === "option") {
      row.setAttribute("aria-selected", String(number === index));
    }
  });
  if (index >= 0) {
    at("filter").setAttribute("aria-activedescendant", `example-${index}`);
    at("examples").children[index].scrollIntoView({ block: "nearest" });
  }
}

async function choose(event, index) {
  event.preventDefault();
  const example = listed[index];
  closeList();
  if (!example) {
    return;
  }
  at("filter").value = labelOf(example);
  try {
    const { text } = await ask(`api/notifications/${example.number}`);
    following = true;
    if (text === notification.text) {
      evaluateSoon(0);
    }
    notification.exchange(text);
  } catch (error) {
    say(error.message, true);
  }
}

at("filter").addEventListener("focus", () => {
  at("filter").select();
});
at("filter").addEventListener("click", () => openList());
at("filter").addEventListener("input", () => openList(at("filter").value));
at("filter").addEventListener("blur", closeList);
at("filter").addEventListener("keydown", (event) => {
  const open = !at("examples").hidden;
  const last = Math.min(listed.length, LISTED) - 1;
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (!open) {
      openList();
    } else if (last >= 0) {
      const step = event.key === "ArrowDown" ? 1 : -1;
      pointAt(Math.max(0, Math.min(last, pointed + step)));
    }
  } else if (event.key === "Enter" && open && pointed >= 0) {
    choose(event, pointed);
  } else if (event.key === "Escape" && open) {
    event.preventDefault();
    closeList();
  }
});

async function format() {
  try {
    const { text } = await ask("api/open", { notification: notification.text });
    notification.exchange(text);
    say("");
  } catch (error) {
    say(`Not formatted: ${error.message}`, true);
  }
}

// --- pointer, keys, colours -------------------------------------------------------------------------------------------

function hover(found, event) {
  const hint = at("hint");
  if (!found.length) {
    hint.hidden = true;
    return;
  }
  hint.replaceChildren(...found.map((finding) =>
    h("div", { class: `is-${finding.severity}` }, h("strong", {}, finding.message), finding.hint ? h("p", {}, finding.hint) : "")));
  hint.hidden = false;
  const { width, height } = hint.getBoundingClientRect();
  hint.style.left = `${Math.max(8, Math.min(event.clientX + 12, innerWidth - width - 8))}px`;
  hint.style.top = `${event.clientY + 20 + height > innerHeight ? event.clientY - height - 12 : event.clientY + 20}px`;
}

function fixAtCaret() {
  const finding = active.editor.findingsOn(active.editor.caretLine).find((one) => one.fix);
  if (finding) {
    fix(finding);
  } else {
    showCaret("There is nothing to fix on this line");
  }
}

const inText = (element) => element.matches("input, textarea, select");

addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open]")) {
    return;
  }
  const command = event.ctrlKey || event.metaKey;
  const act = (what) => {
    event.preventDefault();
    what();
  };
  if (event.key === "F8") {
    act(() => goAround(event.shiftKey ? -1 : 1));
  } else if (event.key === "F2" && (event.target === active.tab || event.target === active.editor.input)) {
    act(() => editName(active));
  } else if (command && event.key === ".") {
    act(fixAtCaret);
  } else if (command && !event.shiftKey && event.key.toLowerCase() === "s") {
    act(save);
  } else if (command && !event.shiftKey && event.key.toLowerCase() === "o") {
    act(() => at("chooser").click());
  } else if (event.altKey && !command && event.code === "Digit1") {
    act(() => active.editor.input.focus());
  } else if (event.altKey && !command && event.code === "Digit2") {
    act(() => notification.input.focus());
  } else if (event.altKey && !command && event.code === "Digit3") {
    act(() => at("results").focus());
  } else if (event.altKey && !command && event.code === "KeyO" && !at("corpus").hidden) {
    act(() => {
      at("filter").focus();
      openList();
    });
  } else if (event.key === "?" && !command && !inText(event.target)) {
    act(() => at("shortcuts").showModal());
  }
});

const THEMES = ["system", "light", "dark"];

function themed() {
  return document.documentElement.dataset.theme ?? "system";
}

function setTheme(theme) {
  if (theme === "system") {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  try {
    localStorage.setItem("eventdefs.theme", theme);
  } catch {
    // it holds until the page is left
  }
  const said = theme === "system" ? "as the system" : theme;
  at("theme").setAttribute("aria-label", `Colours: ${said}`);
  at("theme").title = `Colours: ${said}`;
  at("theme").dataset.theme = theme;
}

function setView(name) {
  view = name;
  for (const one of ["explained", "json"]) {
    const tab = at(`tab-${one}`);
    tab.setAttribute("aria-selected", String(one === name));
    tab.tabIndex = one === name ? 0 : -1;
  }
  at("results").setAttribute("aria-labelledby", `tab-${name}`);
  if (answer) {
    showResults();
  }
}

for (const name of ["explained", "json"]) {
  at(`tab-${name}`).addEventListener("click", () => setView(name));
  at(`tab-${name}`).addEventListener("keydown", (event) => {
    if (["ArrowLeft", "ArrowRight"].includes(event.key)) {
      setView(name === "json" ? "explained" : "json");
      at(`tab-${view}`).focus();
    }
  });
}

// --- the widths of the columns ----------------------------------------------------------------------------------------

const widths = [34, 27]; // percent of the first two columns

function setWidths() {
  const panes = at("panes");
  panes.style.setProperty("--first", `${widths[0]}fr`);
  panes.style.setProperty("--second", `${widths[1]}fr`);
  panes.style.setProperty("--third", `${100 - widths[0] - widths[1]}fr`);
  for (const divider of document.querySelectorAll(".divider")) {
    divider.setAttribute("aria-valuenow", String(Math.round(widths[Number(divider.dataset.column)])));
    divider.setAttribute("aria-valuemin", "15");
    divider.setAttribute("aria-valuemax", "70");
  }
}

function widen(column, by) {
  const wide = Math.max(15, widths[column] + by);
  const other = column === 0 ? 1 : 2;
  const rest = (other === 1 ? widths[1] : 100 - widths[0] - widths[1]) - (wide - widths[column]);
  if (rest < 15) {
    return;
  }
  widths[column] = wide;
  if (other === 1) {
    widths[1] = rest;
  }
  setWidths();
}

for (const divider of document.querySelectorAll(".divider")) {
  const column = Number(divider.dataset.column);
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -2, ArrowRight: 2 }[event.key];
    if (by) {
      event.preventDefault();
      widen(column, by);
    }
  });
  divider.addEventListener("pointerdown", (event) => {
    divider.setPointerCapture(event.pointerId);
    let last = event.clientX;
    const move = (moved) => {
      widen(column, ((moved.clientX - last) / at("panes").clientWidth) * 100);
      last = moved.clientX;
    };
    divider.addEventListener("pointermove", move);
    divider.addEventListener("lostpointercapture", () => divider.removeEventListener("pointermove", move), { once: true });
  });
}

// --- the beginning ----------------------------------------------------------------------------------------------------

at("notification").append(notification.element);
notification.onInput = changed;
notification.onHover = hover;
at("open").addEventListener("click", () => at("chooser").click());
at("save").addEventListener("click", save);
at("export").addEventListener("click", exportCase);
at("example").addEventListener("click", async () => {
  const response = await fetch("example.eventdefs.json");
  openText("example.json", await response.text());
});
at("help").addEventListener("click", () => at("shortcuts").showModal());
at("theme").addEventListener("click", () => setTheme(THEMES[(THEMES.indexOf(themed()) + 1) % THEMES.length]));
at("format").addEventListener("click", format);
at("add").addEventListener("click", newFile);
at("rename").addEventListener("click", () => editName(active));
at("previous").addEventListener("click", () => goAround(-1));
at("next").addEventListener("click", () => goAround(1));
at("notes").addEventListener("click", () => {
  withNotes = withNotes === false;
  show();
});
setTheme(themed());
setWidths();

try {
  const session = await ask("api/session");
  replaceFiles(session.files);
  notification.text = session.notification;
  examples = session.examples;
  at("corpus").hidden = examples.length === 0;
  at("corpus").title = `${many(session.count, "notification")}, one of each shape`;
  if (examples.length) {
    at("filter").value = labelOf(examples[0]);
  }
  evaluateSoon(0);
} catch (error) {
  say(error.message, true);
}
