// Numbers and times as people read them; a dash where there is none.

const NONE = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });
const known = (value) => typeof value === "number" && Number.isFinite(value);

const minus = (text) => text.replace("-", "−");

export const count = (value) => (known(value) ? minus((Math.abs(value) < 100000 ? whole : short).format(value)) : NONE);
export const exact = (value) => (known(value) ? minus(whole.format(value)) : NONE);
export const share = (part, all, digits = 1) => (known(part) && all > 0 ? minus(`${((100 * part) / all).toFixed(digits)}%`) : NONE);
export const ratio = (before, after) => (after > 0 ? `${(before / after).toFixed(2)}x` : NONE);

const small = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });

/** Dollars and cents; of less than a dollar the first three digits. */
export function usd(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  const digits = size >= 1000 ? 0 : 2;
  const text = size > 0 && size < 1 ? small.format(size) : size.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return `${value < 0 ? "−" : ""}$${text}`;
}

export function milliseconds(value) {
  if (!known(value)) return NONE;
  if (value >= 10000) return `${(value / 1000).toFixed(1)} s`;
  return value >= 10 ? `${whole.format(value)} ms` : `${value.toFixed(1)} ms`;
}

const pad = (value) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export function clock(seconds) {
  const at = new Date(seconds * 1000);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

/** step: seconds between two points; whole days need no hour. */
export function day(seconds, step) {
  const at = new Date(seconds * 1000);
  const date = `${at.getDate()} ${MONTHS[at.getMonth()]}`;
  return step >= 86400 ? date : `${date} ${pad(at.getHours())}:${pad(at.getMinutes())}`;
}

/** Under an axis. step: seconds between two labels. */
export function tick(seconds, step) {
  const at = new Date(seconds * 1000);
  const hour = `${pad(at.getHours())}:${pad(at.getMinutes())}`;
  return step < 86400 && hour !== "00:00" ? hour : `${at.getDate()} ${MONTHS[at.getMonth()]}`;
}
