// What was saved, over time and by whom, in tokens and in money.

import { get } from "./api.js";
import { draw, redraw } from "./charts.js";
import { $, chosen, fill, h, reveal, table, tile } from "./dom.js";
import { count, exact, milliseconds, ratio, share, usd } from "./format.js";

let told = null;
let asked = 0;

export function start(load) {
  $("since").addEventListener("change", load);
  for (const input of document.querySelectorAll('input[name="unit"], input[name="by"]')) input.addEventListener("change", paint);
  empty();
}

/** The places of the figures before there are any, so that nothing moves when they come. */
function empty() {
  fill($("tiles"), ["Saved", "Tokens saved", "Requests", "Provider's cache", "Our cache"].map((name) => tile(name, "–", " ")));
}

export async function show() {
  const mine = (asked += 1);
  const since = $("since").value;
  const answer = await get(`/ui/data/summary?since=${since}&by=team,model,route,kind`);
  if (mine !== asked) return; // another time was chosen meanwhile
  told = answer;
  paint();
  const { policies } = await get(`/ui/data/control?since=${since}`);
  if (mine === asked) control(policies);
}

export const recolour = () => redraw();

function paint() {
  if (!told) return;
  tiles(told.totals);
  lines(told.series);
  groups();
  skips();
  reveal("view-savings");
}

/** What to do where there is nothing to see. */
function invitation() {
  if (!told.ledger) return h("p", { class: "empty" }, "Nothing is counted over time here: MOOS_LEDGER is off, or the ledger cannot be opened; ", h("a", { href: "#live" }, "Health"), " says which.");
  return h("p", { class: "empty" }, "No request in this time. Change one line of a client, ", h("code", {}, `base_url="${location.origin}/v1"`), ", or try a text in the ", h("a", { href: "#playground" }, "playground"), ".");
}

function tiles(all) {
  const saved = all.tokens_before - all.tokens_sent;
  const priced = all.priced > 0;
  const unpriced = Math.max(0, all.requests - all.errors - all.priced);
  const note = priced
    ? `${share(all.saved_usd, all.original_usd)} of ${usd(all.original_usd)}${unpriced ? `, ${exact(unpriced)} without a price` : ""}`
    : all.requests ? "no price is known for these models" : " ";
  fill($("tiles"),
    tile("Saved", priced ? usd(all.saved_usd) : "–", note, all.saved_usd < 0 ? "bad" : ""),
    tile("Tokens saved", count(saved), `${share(saved, all.tokens_before)} of ${count(all.tokens_before)}`),
    tile("Requests", exact(all.requests), `${exact(all.errors)} failed, ${exact(all.refused)} more refused`, all.errors ? "warn" : ""),
    tile("Provider's cache", share(all.cached_tokens, all.input_tokens), `of ${count(all.input_tokens)} input tokens`),
    tile("Our cache", share(all.cache_hits, all.texts), `of ${count(all.texts)} texts known from before`));
}

function lines(series) {
  const money = chosen("unit") === "usd";
  const [came, sent] = money ? [series.original_usd, series.billed_usd] : [series.tokens_before, series.tokens_sent];
  draw({
    place: "chart-savings", read: "chart-read", table: "chart-table", at: series.at, step: told.step, format: money ? usd : count, least: money ? 0.01 : 10,
    lines: [
      { name: money ? "would have cost" : "as it came", values: came, colour: "--second", dash: [6, 4] },
      { name: money ? "billed" : "as sent", values: sent, colour: "--accent", fill: true },
    ],
  });
  const rate = (part, all) => part.map((value, index) => (all[index] > 0 ? (100 * value) / all[index] : null));
  draw({
    place: "chart-cache", read: "cache-read", table: "cache-table", at: series.at, step: told.step, least: 10,
    format: (value) => (value === null || value === undefined ? "–" : `${Math.round(value)}%`),
    lines: [
      { name: "of the provider's input tokens, read from its cache", values: rate(series.cached_tokens, series.input_tokens), colour: "--accent", fill: true },
      { name: "written to it", values: rate(series.cache_written_tokens, series.input_tokens), colour: "--second", dash: [6, 4] },
    ],
  });
}

const loses = (row) => row.saved_usd < 0;

const COLUMNS = [
  { title: "Requests", number: true, of: (row) => exact(row.requests) },
  { title: "Failed", number: true, of: (row) => share(row.errors, row.requests) },
  { title: "As it came", number: true, of: (row) => count(row.tokens_before) },
  { title: "As sent", number: true, of: (row) => count(row.tokens_sent) },
  { title: "Ratio", number: true, of: (row) => ratio(row.tokens_before, row.tokens_sent) },
  { title: "Cached", number: true, of: (row) => share(row.cached_tokens, row.input_tokens) },
  { title: "Billed", number: true, of: (row) => (row.priced ? usd(row.billed_usd) : "–") },
  { title: "Saved", number: true, of: (row) => (row.priced ? h("span", { class: loses(row) ? "bad" : undefined }, usd(row.saved_usd), loses(row) ? " (costs more than it saves)" : "") : "–") },
  { title: "In all", number: true, of: (row) => milliseconds((1000 * row.seconds) / row.requests) },
];
/** Marks for what was left out count for the kind that they stand in. */
const grew = (row) => row.tokens_sent > row.tokens_before;
const KIND_COLUMNS = [
  { title: "As it came", number: true, of: (row) => count(row.tokens_before) },
  { title: "As sent", number: true, of: (row) => count(row.tokens_sent) },
  { title: "Ratio", number: true, of: (row) => ratio(row.tokens_before, row.tokens_sent) },
  { title: "Saved", number: true, of: (row) => h("span", { class: grew(row) ? "bad" : undefined }, count(row.tokens_before - row.tokens_sent), grew(row) ? " (more than came)" : "") },
];
const TITLES = { team: "Team", model: "Model", route: "Route", kind: "Kind of text" };

function groups() {
  const by = chosen("by");
  const rows = told.by[by] ?? [];
  const name = { title: TITLES[by], of: (row) => row.name || (by === "team" ? "without a key" : "–") };
  const columns = by === "kind" ? KIND_COLUMNS : COLUMNS;
  fill($("by-table"), rows.length ? table([name, ...columns], rows, (row) => (loses(row) || (by === "kind" && grew(row)) ? "loses" : undefined)) : invitation());
}

const SKIPS = {
  too_short: "shorter than min_tokens", role: "a role that is left alone", bypass: "the request asked for it", disabled: "switched off by the policy",
  protected_kind: "all of it is protected", every_word: "to translate, to correct or to count", quality_floor: "too much would be lost", not_worth_it: "would not have paid", overloaded: "the compressor was busy", deadline: "not done in time",
  soft_method: "no soft compressor of that method", soft_ratio: "not trained for the soft ratio", soft_too_long: "longer than max_part_tokens",
  soft_memory: "no memory for soft compression", soft_elsewhere: "an upstream without soft compression answered",
  failed: "compression failed", endpoint: "an endpoint that is relayed unseen",
};

function skips() {
  const rows = Object.entries(told.skips).sort((one, other) => other[1] - one[1]);
  const most = rows[0]?.[1] ?? 1;
  fill($("skips"), rows.length
    ? h("ul", { class: "bars" }, rows.map(([reason, times]) => {
        const bar = h("i", {});
        bar.style.width = `${(100 * times) / most}%`;
        return h("li", {}, h("span", {}, reason.replaceAll("_", " "), h("span", { class: "soft" }, ` ${SKIPS[reason] ?? ""}`)), h("span", { class: "number" }, exact(times)), bar);
      }))
    : h("p", { class: "empty" }, "Every text was shortened, or there was none."));
}

const seconds = (value) => milliseconds(1000 * value);
const percent = (value) => `${(100 * value).toFixed(1)}%`;
const MEASURES = {
  billed_usd_per_conversation: ["billed, a conversation", usd],
  input_tokens_per_conversation: ["input tokens, a conversation", count],
  requests_per_conversation: ["requests, a conversation", (value) => value.toFixed(2)],
  seconds_per_request: ["time, a request", seconds],
  output_tokens_per_request: ["answer tokens, a request", count],
  retried_requests: ["sent again", percent],
  failed_requests: ["failed", percent],
};
const signed = (value, format) => `${value < 0 ? "−" : "+"}${format(Math.abs(value)).replace("−", "")}`;

function sides(policy) {
  const name = h("h3", {}, policy.policy, h("span", { class: "soft" }, ` ${exact(policy.compressed)} conversations shortened, ${exact(policy.holdout)} held out${policy.unpriced ? `, ${exact(policy.unpriced)} without an amount left out of dollars` : ""}`));
  if (!policy.differences.length) return [name, h("p", { class: "empty" }, `Too few to say anything: it takes ${policy.needed} on either side.`)];
  return [name, table([
    { title: "", of: (row) => MEASURES[row.measure]?.[0] ?? row.measure },
    ...["compressed", "holdout"].map((side) => ({ title: side === "holdout" ? "held out" : "shortened", number: true, of: (row) => (MEASURES[row.measure]?.[1] ?? count)(row[side]) })),
    { title: "difference, 95% interval", number: true, of: difference },
  ], policy.differences)];
}

function difference(row) {
  const format = MEASURES[row.measure]?.[1] ?? count;
  const interval = `${signed(row.low, format)} to ${signed(row.high, format)}`;
  return row.told ? h("strong", {}, interval) : h("span", { class: "soft" }, `${interval}, none to be seen`);
}

function control(policies) {
  fill($("control"), policies.length ? policies.flatMap(sides)
    : h("p", { class: "empty" }, "There is no control group: put ", h("code", {}, "holdout: 0.05"), " into a policy, and one conversation in twenty goes out as it came."));
}
