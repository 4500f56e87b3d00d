// A text as it came, with what was done to each word of it.

import { h } from "./dom.js";

const LEVELS = 5;

/** Offsets count characters, and JavaScript counts halves of those beyond the first 65,536. */
function slicer(text) {
  if (!/[\ud800-\udfff]/.test(text)) return (start, end) => text.slice(start, end);
  const characters = Array.from(text);
  return (start, end) => characters.slice(start, end).join("");
}

const length = (text) => (/[\ud800-\udfff]/.test(text) ? Array.from(text).length : text.length);

/** The spans cut at every border of the others, each with what holds of it. */
function* pieces(total, detail) {
  const borders = new Set([0, total]);
  for (const [start, end] of detail.kept) borders.add(start).add(end);
  for (const [start, end] of detail.protected) borders.add(start).add(end);
  for (const [start, end] of detail.words) borders.add(start).add(end);
  for (const [at] of detail.marks) borders.add(at);
  const sorted = [...borders].sort((one, other) => one - other);
  const within = (spans) => {
    let index = 0;
    return (at) => {
      while (index < spans.length && spans[index][1] <= at) index += 1;
      return index < spans.length && spans[index][0] <= at ? spans[index] : null;
    };
  };
  const [kept, held, word] = [within(detail.kept), within(detail.protected), within(detail.words)];
  for (let index = 0; index + 1 < sorted.length; index += 1) {
    const start = sorted[index];
    yield { start, end: sorted[index + 1], kept: kept(start) !== null, held: held(start) !== null, score: word(start)?.[2] };
  }
}

/** The score that one word in twenty reaches: a few outliers would leave all others pale. */
function high(words) {
  const scores = words.map((word) => word[2]).sort((one, other) => one - other);
  return scores[Math.floor(scores.length * 0.95)] || 1;
}

function piece(part, content, top) {
  if (part.score === undefined && part.kept && !part.held) return content;
  const tag = !part.kept ? "s" : part.held ? "u" : "span";
  const level = part.score === undefined ? undefined : Math.min(LEVELS - 1, Math.floor((Math.max(part.score, 0) / top) * LEVELS));
  const told = part.kept ? (part.held ? "protected" : "kept") : "left out";
  return h(tag, { class: level === undefined ? undefined : `h${level}`, "data-score": part.score === undefined ? undefined : `${told}, score ${part.score.toFixed(3)}` }, content);
}

/** The whole text as nodes. detail: as /v1/compress tells it. */
export function marked(text, detail) {
  const cut = slicer(text);
  const top = high(detail.words);
  const marks = new Map(detail.marks);
  const out = [];
  for (const part of pieces(length(text), detail)) {
    if (marks.has(part.start)) out.push(h("b", { class: "mark" }, marks.get(part.start)));
    out.push(piece(part, cut(part.start, part.end), top));
  }
  const end = marks.get(length(text));
  if (end) out.push(h("b", { class: "mark" }, end));
  return out;
}
