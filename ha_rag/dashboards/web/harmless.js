// Text from outside, made fit for the page: what could change how the text around it looks is shown as an escape.
// The same rules as in ha_rag/harmless.py, where they are explained; a test compares both over all of Unicode.

const MARKS_IN_A_ROW = 8;
const UNPRINTABLE = /^[\p{C}\p{Zl}\p{Zp}]$/u;
const MARK = /^[\p{Mn}\p{Me}]$/u;
const JOINER = /^[\u200c\u200d]$/;
const SELECTOR = /^[\ufe00-\ufe0f\u180b-\u180d\u180f\u{e0100}-\u{e01ef}]$/u;
const FILLER = /^[\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0]$/;
const SHORT = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

export function harmless(text, { lines = false } = {}) {
  const given = lines ? String(text).replaceAll("\r\n", "\n") : String(text);
  return /^[ -~]*$/.test(given) ? given : escaped(given, lines ? "\n\t" : "");
}

function escaped(text, kept) {
  let shown = "";
  let base = ""; // the last visible character
  let before = ""; // the last one of any kind
  let marks = 0;
  for (const character of text) {
    const isMark = MARK.test(character);
    marks = isMark ? marks + 1 : 0;
    if (kept.includes(character)) {
      shown += character;
      base = "";
    } else if (/^\p{Zs}$/u.test(character)) {
      shown += base = " ";
    } else if (SELECTOR.test(character) || JOINER.test(character)) {
      const follows = JOINER.test(before) || (SELECTOR.test(before) && !JOINER.test(character));
      shown += base > "\x7f" && !follows ? character : escape(character);
    } else {
      const visible = !UNPRINTABLE.test(character) && !FILLER.test(character) && !(isMark && (base === "" || marks > MARKS_IN_A_ROW));
      shown += visible ? character : escape(character);
      if (!visible) base = "\\";
      else if (!isMark) base = character;
    }
    before = character;
  }
  return shown;
}

function escape(character) {
  const code = character.codePointAt(0);
  const hex = (digits) => code.toString(16).padStart(digits, "0");
  return SHORT[character] ?? (code < 0x100 ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`);
}
