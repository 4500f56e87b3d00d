// Which view is shown, in which colours, with which key.

import { get, keep, key, Refused } from "./api.js";
import { $ } from "./dom.js";
import * as live from "./live.js";
import * as playground from "./playground.js";
import * as savings from "./savings.js";

const VIEWS = { savings, live, playground };
let shown = null;

export function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = !text;
}

/** Shows a view again and tells what went wrong; without a key it asks for one. */
async function load() {
  try {
    await VIEWS[shown].show();
    notice("");
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;
    notice(fault.status === 401 && !key() ? "The figures need a key of this proxy." : fault.message);
    if (fault.status !== 401) return;
    VIEWS[shown].hide?.();  // who follows would be asked again and again
    openKey();
  }
}

function route() {
  const wanted = location.hash.slice(1);
  if (wanted === "main") return;
  const name = wanted in VIEWS ? wanted : "savings";
  if (name === shown) return;
  if (shown) VIEWS[shown].hide?.();
  shown = name;
  for (const view of Object.keys(VIEWS)) $(`view-${view}`).hidden = view !== name;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name[0].toUpperCase()}${name.slice(1)} – moosproxy`;
  load();
}

function openKey() {
  const dialog = $("key-dialog");
  if (dialog.open) return;
  $("key").value = key();
  dialog.showModal();
}

function useKey(value) {
  keep(value.trim());
  $("key").value = "";
  $("key-dialog").close();
  greet();
  load();
}

const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function nameTheme() {
  $("theme-button").textContent = isDark() ? "Light" : "Dark";
}

function turn() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("moos-theme", next);
  recolour();
}

function recolour() {
  nameTheme();
  savings.recolour();
}

async function greet() {
  try {
    const options = await get("/ui/data/options");
    $("version").textContent = options.version + (options.team ? ` · ${options.team}` : "");
    $("key-button").hidden = !options.keys;
    playground.offer(options);
  } catch (fault) {
    if (!(fault instanceof Refused)) throw fault;  // the view itself tells
  }
}

$("key-button").addEventListener("click", openKey);
$("key-cancel").addEventListener("click", () => $("key-dialog").close());
$("key-forget").addEventListener("click", () => useKey(""));
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useKey($("key").value);
});
$("theme-button").addEventListener("click", turn);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
addEventListener("hashchange", route);
savings.start(load);
live.start(load);
playground.start();
nameTheme();
greet();
route();
