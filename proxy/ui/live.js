// Health, and the last requests: counts and names only.

import { get, health } from "./api.js";
import { $, fill, h, reveal, table } from "./dom.js";
import { clock, count, milliseconds, ratio } from "./format.js";

const EVERY_MS = 3000;
let timer = 0;

export function start(load) {
  $("follow").addEventListener("change", () => ($("follow").checked ? load() : hide()));
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && timer) load();
  });
  show.again = load;
}

export async function show() {
  hide();
  if ($("follow").checked) timer = setTimeout(() => (document.hidden ? undefined : show.again()), EVERY_MS);
  const [state, live] = await Promise.all([health(), get("/ui/data/live")]);
  showHealth(state);
  showRequests(live);
  reveal("view-live");
}

export function hide() {
  clearTimeout(timer);
  timer = 0;
}

const WORDS = { ok: "ok", off: "off", degraded: "degraded", missing: "missing" };

function showHealth(report) {
  const state = $("health-state");
  state.textContent = report.status;
  state.dataset.state = report.status;
  const checks = Object.entries(report.checks).map(([name, check]) =>
    h("li", { "data-state": check.state },
      h("span", { class: "name" }, name.replaceAll("_", " ")),
      h("span", { class: "state", "data-state": check.state }, WORDS[check.state] ?? check.state),
      h("span", { class: "soft" }, check.detail ?? "")));
  fill($("health"), checks);
}

/** Of several workers nobody counts how many texts were compressed. */
const outcomes = (row) => Object.entries(row.outcomes).map(([name, times]) => `${times ?? ""} ${name.replaceAll("_", " ")}`.trim()).join(", ") || "–";

const COLUMNS = [
  { title: "Time", of: (row) => clock(row.at) },
  { title: "Endpoint", of: (row) => row.endpoint },
  { title: "Team", of: (row) => row.team || "–" },
  { title: "Model", of: (row) => row.model || "–" },
  { title: "Upstream", of: (row) => row.upstream || "–" },
  { title: "Status", of: (row) => h("span", { class: row.status >= 400 ? "bad" : undefined }, String(row.status || "–"), row.error ? ` ${row.error}` : "") },
  { title: "Tokens", number: true, of: (row) => (row.tokens_before ? `${count(row.tokens_before)} → ${count(row.tokens_after)}` : "–") },
  { title: "Ratio", number: true, of: (row) => (row.tokens_before ? ratio(row.tokens_before, row.tokens_after) : "–") },
  { title: "Compression", number: true, of: (row) => milliseconds(row.compression_ms) },
  { title: "In all", number: true, of: (row) => milliseconds(row.seconds * 1000) },
  { title: "Texts", of: outcomes },
];

function showRequests(live) {
  $("in-flight").textContent = live.in_flight === null ? "" : `${count(live.in_flight)} in flight`;
  if (live.requests.length) {
    fill($("requests"), table(COLUMNS, live.requests, (row) => (row.status >= 400 ? "failed" : undefined)));
    return;
  }
  fill($("requests"), h("p", { class: "empty" }, "No request since the start. Point a client at ", h("code", {}, `${location.origin}/v1`), ", or shorten a text in the ", h("a", { href: "#playground" }, "playground"), "."));
}
