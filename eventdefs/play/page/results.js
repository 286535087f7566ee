// What came of a notification, as tables in which every name and path leads to where it stands.

/** A number as it was written, where JavaScript would write it otherwise: 4.0, or an integer beyond 2^53. */
class Written {
  constructor(text) {
    this.text = text;
  }

  toString() {
    return this.text;
  }
}

/** Read JSON with each number as it was written. */
export function readJson(text) {
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && context?.source !== undefined && context.source !== String(value)
      ? new Written(context.source)
      : value,
  );
}

/** Return an element: h("p", {class: "x", onclick}, children…). Text is only ever set as text. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

const placeText = (place) => `${place.file}${place.line ? `:${place.line}` : ""}`;
const isWritten = (place) => place !== null && place.line > 0;

function valueOf(value) {
  if (value === null || value === undefined) {
    return h("span", { class: "none" }, "null");
  }
  if (value === "") {
    return h("span", { class: "none" }, "empty text");
  }
  if (typeof value === "object" && !(value instanceof Written)) {
    return h("code", { class: "value" }, asJson(value, 0));
  }
  return h("code", { class: "value" }, String(value));
}

/** Return *value* as JSON, indented by *indent*, numbers as they were written. */
export function asJson(value, indent = 2) {
  const numbers = [];
  const mark = crypto.randomUUID(); // which no text has
  const text = JSON.stringify(
    value,
    (key, item) => (item instanceof Written ? `${mark}${numbers.push(item.text) - 1}` : item),
    indent,
  );
  return text.replace(new RegExp(`"${mark}(\\d+)"`, "g"), (whole, number) => numbers[Number(number)]);
}

const LONG = 16; // characters of a step that need not be broken

/** Return a name or path so that a line may be broken after its dots, and after underscores of long steps. */
function breakable(text) {
  const steps = text.split(/(?<=\.)/).flatMap((step) => (step.length > LONG ? step.split(/(?<=_)/) : [step]));
  return steps.flatMap((step, number) => (number ? [document.createElement("wbr"), step] : [step]));
}

export class Results {
  /**
   * @param {HTMLElement} element where it is shown
   * @param {{goTo: (place: object) => void, point: (path: string) => void, use: (trace: object) => void}} actions
   */
  constructor(element, actions) {
    this.element = element;
    this.actions = actions;
  }

  /** Show *answer*, what the server said of the texts. */
  show(answer) {
    const top = this.element.scrollTop;
    const kept = this.element.contains(document.activeElement) ? document.activeElement.dataset?.key : undefined;
    this.element.replaceChildren(...this.#parts(answer));
    this.element.scrollTop = top;
    if (kept) {
      [...this.element.querySelectorAll("[data-key]")].find((one) => one.dataset.key === kept)?.focus();
    }
  }

  /** Show *answer* as the JSON that `eventdefs run` writes. */
  showJson(answer) {
    const top = this.element.scrollTop;
    const documents = [answer.event, ...answer.samples, ...answer.periods].filter(Boolean);
    this.element.replaceChildren(
      documents.length
        ? h("pre", { class: "json" }, documents.map((one) => asJson(one)).join("\n"))
        : h("p", { class: "empty" }, this.#nothing(answer)),
    );
    this.element.scrollTop = top;
  }

  #nothing(answer) {
    if (answer.decode_error) {
      return "What stands on the left is no notification yet.";
    }
    return answer.explanation?.no_event || "It gives no event, no sample and no period.";
  }

  #parts(answer) {
    if (answer.decode_error) {
      const { reason } = answer.decode_error;
      return [h("div", { class: "banner is-error" }, h("strong", {}, "Not a notification"), h("p", {}, reason))];
    }
    const explained = answer.explanation;
    return [
      this.#head(explained),
      ...this.#problems(explained),
      ...this.#traits(explained),
      ...this.#missing(explained),
      ...this.#meters(explained, "sample"),
      ...this.#meters(explained, "period"),
      ...this.#others(explained),
    ];
  }

  #place(place, key) {
    if (!isWritten(place)) {
      return h("span", { class: "none" }, place === null ? "" : placeText(place));
    }
    const go = () => this.actions.goTo(place);
    return h("button", { type: "button", class: "link place", onclick: go, "data-key": key }, placeText(place));
  }

  #name(text, place, key) {
    if (!isWritten(place)) {
      return h("span", { class: "name" }, ...breakable(text));
    }
    const title = `Go to ${placeText(place)}`;
    const go = () => this.actions.goTo(place);
    return h("button", { type: "button", class: "link name", title, onclick: go, "data-key": key }, ...breakable(text));
  }

  #path(path, key) {
    const point = () => this.actions.point(path);
    const title = "Show it in the notification";
    return h("button", { type: "button", class: "link path", title, onclick: point, "data-key": key }, ...breakable(path));
  }

  #head(explained) {
    const { definition } = explained;
    const row = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
    const rows = [];
    if (definition === null) {
      rows.push(row("Definition", h("span", { class: "none" }, "none applies")));
    } else if (definition.implicit) {
      rows.push(row("Definition", h("span", { class: "none" }, "none that is written: default traits only")));
    } else {
      rows.push(
        row("Definition", h("code", {}, explained.glob || definition.patterns.join(" ")), " at ",
          this.#place(explained.glob_place ?? definition.place, "definition")),
      );
    }
    rows.push(
      row("Tenant", explained.tenant === null ? h("span", { class: "none" }, "none") : h("code", {}, explained.tenant),
        ...(explained.tenant_path ? [" from ", this.#tenantPath(explained)] : [])),
    );
    const parts = [h("h3", { class: "event-type" }, explained.event_type), h("dl", { class: "facts" }, ...rows)];
    if (explained.event === null) {
      const bad = explained.refused.length > 0;
      parts.push(
        h("div", { class: `banner ${bad ? "is-error" : "is-warning"}` },
          h("strong", {}, bad ? "Rejected" : "No event"), h("p", {}, explained.no_event)),
      );
    }
    if (explained.near.length) {
      parts.push(
        h("div", { class: "banner is-warning" }, h("strong", {}, "Nearly"),
          h("ul", {}, ...explained.near.map((near, number) =>
            h("li", {}, h("code", {}, near.glob), " at ", this.#place(near.place, `near-${number}`), `: ${near.why}`)))),
      );
    }
    return h("div", { class: "result-head" }, ...parts);
  }

  #tenantPath(explained) {
    const trait = /^trait (.+)$/.exec(explained.tenant_path);
    if (!trait) {
      return this.#path(explained.tenant_path, "tenant");
    }
    const found = explained.traits.find((one) => one.name === trait[1]);
    return found && isWritten(found.place)
      ? this.#name(`the trait ${trait[1]}`, found.place, "tenant")
      : h("span", {}, `the trait ${trait[1]}`);
  }

  #section(title, count, ...children) {
    return h("section", { class: "part" },
      h("h3", {}, title, h("span", { class: "count" }, String(count))), ...children);
  }

  #table(label, heads, rows) {
    return h("div", { class: "wide" }, h("table", { "aria-label": label },
      h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows)));
  }

  #problems(explained) {
    const { problems } = explained;
    if (!problems.length) {
      return [];
    }
    const items = problems.map((problem, number) =>
      h("li", {},
        h("span", { class: "kind" }, problem.kind), " ",
        this.#name(problem.name, problem.place, `problem-${number}`), `: ${problem.reason}`,
        problem.path ? [" in ", this.#path(problem.path, `problem-path-${number}`)] : "",
        problem.value ? [": ", h("code", { class: "value" }, problem.value)] : ""));
    return [this.#section("Problems", problems.length, h("ul", { class: "problems" }, ...items))];
  }

  #traits(explained) {
    const found = explained.traits.filter((trait) => trait.outcome === "value");
    const there = [...found.filter((trait) => trait.written), ...found.filter((trait) => !trait.written)];
    if (!there.length) {
      return [];
    }
    const rows = there.map((trait) =>
      h("tr", { class: trait.written ? null : "is-default" },
        h("th", { scope: "row" }, this.#name(trait.name, trait.place, `trait-${trait.name}`)),
        h("td", trait.type === "datetime" ? { class: "whole" } : {}, valueOf(trait.value)),
        h("td", { class: "type" }, trait.type),
        h("td", {}, ...this.#from(trait, `from-${trait.name}`), ...(trait.written ? [] : [" ", h("span", { class: "tag" }, "default")]))));
    return [this.#section("Traits", there.length, this.#table("Traits", ["Trait", "Value", "Type", "From"], rows))];
  }

  /** Say where a value comes from: the path that gave it, after those that gave nothing. */
  #from(one, key) {
    if (one.constant !== null && one.constant !== undefined) {
      return [h("span", { class: "none" }, "constant")];
    }
    const used = one.used ?? one.paths.findIndex((trace) => trace.found);
    const shown = one.plugin ? one.paths : one.paths.filter((trace, number) => number === used);
    const parts = shown.flatMap((trace, number) => [number ? ", " : "", this.#path(trace.path, `${key}-${number}`)]);
    if (!one.plugin && used > 0) {
      const before = one.paths.slice(0, used).map((trace) => `${trace.path}: ${trace.reason || "nothing"}`);
      parts.push(" ", h("span", { class: "tag", title: before.join("\n") }, `${used + 1} of ${one.paths.length}`));
    }
    if (one.plugin) {
      parts.push(" ", h("span", { class: "tag" }, one.plugin));
    }
    return parts;
  }

  #missing(explained) {
    const missing = explained.traits.filter((trait) => trait.outcome === "missing");
    if (!missing.length) {
      return [];
    }
    const written = missing.filter((trait) => trait.written);
    const defaults = missing.filter((trait) => !trait.written);
    const rows = [...written, ...defaults].map((trait) =>
      h("tr", { class: trait.written ? null : "is-default" },
        h("th", { scope: "row" }, this.#name(trait.name, trait.place, `trait-${trait.name}`)),
        h("td", {}, this.#why(trait, `why-${trait.name}`))));
    return [this.#section("Missing traits", missing.length, this.#table("Missing traits", ["Trait", "Why"], rows))];
  }

  #why(one, key) {
    if (!one.paths.length) {
      return h("p", {}, one.reason);
    }
    const items = one.paths.map((trace, number) =>
      h("li", {}, this.#path(trace.path, `${key}-${number}`), " ",
        h("span", {}, trace.found ? "gives a value" : trace.reason || "gives nothing"),
        trace.near && isWritten(trace.place)
          ? h("button", {
              type: "button",
              class: "fix",
              "data-key": `${key}-use-${number}`,
              onclick: () => this.actions.use(trace),
            }, `Use ${trace.near}`)
          : ""));
    const said = one.paths.some((trace) => trace.reason);
    return h("div", {}, said || !one.reason ? "" : h("p", {}, one.reason), h("ul", { class: "why" }, ...items));
  }

  #meters(explained, kind) {
    const all = explained.samples.filter((one) => one.kind === kind);
    if (!all.length) {
      return [];
    }
    const rows = [];
    let given = 0;
    all.forEach((meter, number) => {
      const key = `${kind}-${number}`;
      const made = kind === "sample" ? meter.samples : meter.periods;
      given += made.length;
      made.forEach((one, index) => rows.push(this.#given(kind, one, meter, `${key}-${index}`)));
      if (meter.outcome !== "given") {
        rows.push(
          h("tr", { class: "is-missing" },
            h("th", { scope: "row" }, this.#name(meter.name, meter.place, key)),
            h("td", { colspan: "4" }, h("p", {}, meter.reason), ...this.#attributes(meter, key))));
      }
    });
    const heads =
      kind === "sample"
        ? ["Meter", "Volume", "Type", "Resource", "Project"]
        : ["Meter", "From", "To", "Resource", "Dimensions"];
    const title = kind === "sample" ? "Samples" : "Periods";
    return [this.#section(title, given, this.#table(title, heads, rows))];
  }

  #given(kind, one, meter, key) {
    const cells =
      kind === "sample"
        ? [
            h("span", { class: "whole" }, h("code", { class: "value" }, String(one.volume)), ` ${one.unit}`),
            h("span", { class: "whole muted" }, one.type),
            valueOf(one.resource_id),
            valueOf(one.project_id),
          ]
        : [
            valueOf(one.begin),
            h("span", {}, valueOf(one.end), one.status === "running" ? "" : " ", one.status === "running" ? "" : h("span", { class: "tag" }, one.status)),
            valueOf(one.resource_id),
            h("span", {}, ...Object.entries(one.dimensions).map(([name, value]) => h("code", { class: "pair" }, `${name}=${value}`))),
          ];
    return h("tr", {},
      h("th", { scope: "row" }, this.#name(kind === "sample" ? one.name : one.meter, meter.place, key)),
      ...cells.map((cell) => h("td", {}, cell)));
  }

  #attributes(meter, key) {
    const bad = meter.attributes.filter((one) => one.outcome !== "value" && one.paths.length);
    return bad.map((one, number) =>
      h("div", { class: "attribute" }, h("code", {}, one.name), this.#why(one, `${key}-attribute-${number}`)));
  }

  #others(explained) {
    if (!explained.overridden.length) {
      return [];
    }
    const items = explained.overridden.map((other, number) =>
      h("li", {}, h("code", {}, other.glob || other.patterns.join(" ")), " at ",
        this.#place(other.place, `other-${number}`), `: ${other.why}`));
    return [this.#section("Definitions that do not apply", items.length, h("ul", { class: "others" }, ...items))];
  }
}
