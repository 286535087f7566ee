// Lines of YAML and JSON to coloured pieces. It need not understand a file, only never take long or fail.

/** How much of a line is coloured; what is longer is shown plain from there on. */
const LONGEST = 5000;

const JSON_TOKEN =
  /("(?:[^"\\]|\\.)*"?)(\s*:)?|(-?\d[\d.eE+-]*)|\b(true|false|null|NaN|Infinity)\b|([{}[\],:])/y;

// A plain text in a block goes on to " #" or ": "; within brackets also to a comma or bracket.
const yamlToken = (plain) =>
  new RegExp(
    [
      String.raw`(?<comment>(?<=^|\s)#.*)`,
      String.raw`(?<double>"(?:[^"\\]|\\.)*(?:"|$))`,
      String.raw`(?<single>'(?:[^']|'')*(?:'|$))`,
      String.raw`(?<anchor>[&*][\w.-]+)`,
      String.raw`(?<tag>![\w!:./-]+(?=\s|$))`,
      String.raw`(?<block>[|>][+-]?\d?[+-]?(?=\s*(?:#.*)?$))`,
      String.raw`(?<dash>-(?=\s|$))`,
      String.raw`(?<bracket>[{}[\]])`,
      String.raw`(?<punctuation>,|[:?](?=\s|$))`,
      plain,
    ].join("|"),
    "y",
  );
const IN_BLOCK = yamlToken(String.raw`(?<plain>(?:[^\s#:]|:(?=\S)|(?<=\S)#|[^\S\n]+(?=[^\s#:]|:\S))+)`);
const IN_FLOW = yamlToken(String.raw`(?<plain>(?:[^\s#:{}[\],]|:(?=[^\s,}\]])|(?<=\S)#|[^\S\n]+(?=[^\s#:{}[\],]))+|\S)`);

const YAML_NUMBER = /^[-+]?(?:\d[\d_]*(?:\.\d*)?(?:[eE][-+]?\d+)?|0[xo][\da-fA-F]+|\.\d+)$/;
const YAML_LITERAL = /^(?:true|false|yes|no|on|off|null|~|<<)$/i;

/** A piece of a line: from, to (in UTF-16 units) and what it is. */
const piece = (from, to, kind) => ({ from, to, kind });

function jsonLine(line) {
  const pieces = [];
  let at = 0;
  while (at < line.length && at < LONGEST) {
    JSON_TOKEN.lastIndex = at;
    const found = JSON_TOKEN.exec(line);
    if (!found) {
      at += 1;
      continue;
    }
    const [whole, text, colon, number, literal] = found;
    if (text !== undefined) {
      pieces.push(piece(at, at + text.length, colon === undefined ? "string" : "key"));
    } else if (number !== undefined) {
      pieces.push(piece(at, at + whole.length, "number"));
    } else if (literal !== undefined) {
      pieces.push(piece(at, at + whole.length, "literal"));
    } else {
      pieces.push(piece(at, at + whole.length, "punctuation"));
    }
    at += whole.length;
  }
  return { pieces, state: "" };
}

// The state at the beginning of a line: which quote is open, how far the parent of a block text is indented (-1 without
// one), and how many brackets are open.
const NOTHING_OPEN = ":-1:0";

function yamlLine(line, state) {
  let [quote, block, depth] = (state || NOTHING_OPEN).split(":");
  const indent = line.length - line.trimStart().length;
  if (Number(block) >= 0) {
    if (line.trim() === "" || indent > Number(block)) {
      return { pieces: [piece(0, line.length, "string")], state };
    }
    block = "-1";
  }
  const pieces = [];
  let at = 0;
  if (quote) {
    const close = quote === '"' ? /^(?:[^"\\]|\\.)*"/ : /^(?:[^']|'')*'/;
    const found = close.exec(line);
    if (!found) {
      return { pieces: [piece(0, line.length, "string")], state };
    }
    pieces.push(piece(0, found[0].length, "string"));
    at = found[0].length;
    quote = "";
  }
  depth = Number(depth);
  while (at < line.length && at < LONGEST) {
    if (line[at] === " " || line[at] === "\t") {
      at += 1;
      continue;
    }
    const token = depth ? IN_FLOW : IN_BLOCK;
    token.lastIndex = at;
    const found = token.exec(line);
    if (!found) {
      at += 1;
      continue;
    }
    const groups = found.groups;
    const text = groups.plain === undefined ? found[0] : found[0].trimEnd();
    const end = at + text.length;
    const isKey = /^\s*:(?:\s|$)/.test(line.slice(end, end + 200));
    let kind = "string";
    if (groups.comment !== undefined) {
      kind = "comment";
    } else if (groups.double !== undefined || groups.single !== undefined) {
      const mark = groups.double === undefined ? "'" : '"';
      if (text.length < 2 || !text.endsWith(mark)) {
        quote = mark;
      }
      kind = isKey ? "key" : "string";
    } else if (groups.anchor !== undefined || groups.tag !== undefined) {
      kind = "anchor";
    } else if (groups.bracket !== undefined) {
      depth = Math.max(0, depth + ("{[".includes(text) ? 1 : -1));
      kind = "punctuation";
    } else if (groups.block !== undefined) {
      block = String(indent);
      kind = "punctuation";
    } else if (groups.dash !== undefined || groups.punctuation !== undefined) {
      kind = "punctuation";
    } else if (isKey) {
      kind = "key";
    } else if (YAML_LITERAL.test(text)) {
      kind = "literal";
    } else if (YAML_NUMBER.test(text)) {
      kind = "number";
    }
    pieces.push(piece(at, end, kind));
    at = Math.max(end, at + 1);
  }
  return { pieces, state: `${quote}:${block}:${depth}` };
}

/** Return how the lines of *language* are coloured: (line, state) gives pieces and the state of the next line. */
export function highlighter(language) {
  return language === "json" ? jsonLine : yamlLine;
}
