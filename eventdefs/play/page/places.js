// Where something stands in a text: of JSON the value that keys and indices lead to, and columns to positions.

const SPACE = /[\s\ufeff]*/y;
const PLAIN = /[^\s,\]}]+/y;

function skipSpace(text, at) {
  SPACE.lastIndex = at;
  return at + SPACE.exec(text)[0].length;
}

function endOfString(text, at) {
  for (let here = at + 1; here < text.length; here += 1) {
    if (text[here] === "\\") {
      here += 1;
    } else if (text[here] === '"') {
      return here + 1;
    }
  }
  return -1;
}

function endOfValue(text, at) {
  let depth = 0;
  let here = at;
  while (here < text.length) {
    const character = text[here];
    if (character === '"') {
      here = endOfString(text, here);
      if (here < 0) {
        return -1;
      }
    } else if (character === "{" || character === "[") {
      depth += 1;
      here += 1;
    } else if (character === "}" || character === "]") {
      depth -= 1;
      here += 1;
    } else if (depth === 0) {
      PLAIN.lastIndex = here;
      const found = PLAIN.exec(text);
      return found ? here + found[0].length : -1;
    } else {
      here += 1;
      continue;
    }
    if (depth === 0) {
      return here;
    }
  }
  return -1;
}

/** Return the position of the value that *step* names in the object or list at *at*, -1 where it is not there. */
function enter(text, at, step) {
  const inList = typeof step === "number";
  if (text[at] !== (inList ? "[" : "{")) {
    return -1;
  }
  let found = -1;
  let here = skipSpace(text, at + 1);
  for (let number = 0; here < text.length && text[here] !== "]" && text[here] !== "}"; number += 1) {
    let matches = inList && number === step;
    if (!inList) {
      const end = text[here] === '"' ? endOfString(text, here) : -1;
      if (end < 0) {
        return -1;
      }
      try {
        matches = JSON.parse(text.slice(here, end)) === step;
      } catch {
        return -1;
      }
      here = skipSpace(text, end);
      if (text[here] !== ":") {
        return -1;
      }
      here = skipSpace(text, here + 1);
    }
    if (matches) {
      found = here; // and go on: of two equal keys the last one counts
      if (inList) {
        return found;
      }
    }
    const end = endOfValue(text, here);
    if (end < 0) {
      return found;
    }
    here = skipSpace(text, end);
    if (text[here] === ",") {
      here = skipSpace(text, here + 1);
    }
  }
  return found;
}

/** Return [from, to] of the value that *steps* lead to in the JSON *text*, null where they do not lead there. */
export function findInJson(text, steps) {
  let at = skipSpace(text, 0);
  for (const step of steps) {
    at = enter(text, at, step);
    if (at < 0) {
      return null;
    }
  }
  const end = endOfValue(text, at);
  return end < 0 ? null : [at, end];
}

/** Return the position in *line* of a column, which counts characters from 1 where strings count UTF-16 units. */
export function columnToIndex(line, column) {
  if (column <= 1) {
    return 0;
  }
  let index = 0;
  for (let left = column - 1; left > 0 && index < line.length; left -= 1) {
    index += line.codePointAt(index) > 0xffff ? 2 : 1;
  }
  return index;
}
