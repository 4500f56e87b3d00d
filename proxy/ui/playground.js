// Paste a text, see what stays of it, and what a model answers to either form. Nothing of it is kept anywhere.

import { post, Refused, text as textOf } from "./api.js";
import { $, chosen, fill, h, tile } from "./dom.js";
import { count, exact, milliseconds, ratio, share, usd } from "./format.js";
import { marked } from "./heat.js";

let offered = { policies: [], answers: false };
let last = null;

export async function show() {}

/** What the proxy lets this viewer choose. */
export function offer(options) {
  offered = options;
  const entries = options.policies.map((policy) => h("option", { value: policy.name }, `${policy.name} (${policy.ratio}x)`));
  fill($("policy"), h("option", { value: "" }, "as routed"), entries);
  fill($("models"), options.models.map((name) => h("option", { value: name })));
  hint();
}

export function start() {
  $("try").addEventListener("submit", (event) => {
    event.preventDefault();
    shorten();
  });
  $("text").addEventListener("input", size);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) shorten();
  });
  $("file").addEventListener("change", () => take($("file").files[0]));
  const box = $("try");
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", drop);
  $("example").addEventListener("click", async () => {
    $("text").value = await textOf("/ui/example.txt");
    $("question").value = "Why did the nightly import stop, and what must be done before it is switched on again?";
    size();
  });
  for (const input of document.querySelectorAll('input[name="shown"]')) input.addEventListener("change", paint);
  $("marked").addEventListener("pointerover", (event) => tell(event.target.dataset?.score));
  $("marked").addEventListener("keydown", walk);
  $("ask").addEventListener("click", askBoth);
  $("model").addEventListener("input", hint);
}

function drop(event) {
  event.preventDefault();
  $("try").classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (file) return take(file);
  const text = event.dataTransfer.getData("text");
  if (text) {
    $("text").value = text;
    size();
  }
}

async function take(file) {
  if (!file) return;
  try {
    $("text").value = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    fault("");
  } catch {
    fault(`${file.name} is not a text in UTF-8.`);
  }
  size();
}

function size() {
  $("size").textContent = `${exact($("text").value.length)} characters`;
}

function fault(text) {
  $("try-fault").textContent = text;
  $("try-fault").hidden = !text;
}

/** From word to word with the arrow keys. */
function walk(event) {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const words = [...$("marked").querySelectorAll("[data-score]")];
  if (!by || !words.length) return;
  event.preventDefault();
  const here = words.findIndex((word) => word.classList.contains("here"));
  words[here]?.classList.remove("here");
  const next = words[Math.min(Math.max(here + by, 0), words.length - 1)];
  next.classList.add("here");
  next.scrollIntoView({ block: "nearest" });
  tell(`“${next.textContent}”: ${next.dataset.score}`);
}

const tell = (score) => ($("score").textContent = score ?? "Point at a word for its score, or go from word to word with the arrow keys.");

function content() {
  const [text, question] = [$("text").value, $("question").value.trim()];
  return question ? `${text.trimEnd()}\n\n${question}` : text;
}

function wish() {
  const body = { messages: [{ role: "user", content: content() }], detail: true };
  if ($("policy").value) body.policy = $("policy").value;
  if ($("ratio").value) body.ratio = Number($("ratio").value);
  if ($("model").value.trim()) body.model = $("model").value.trim();
  return body;
}

async function shorten() {
  if (!$("text").value.trim()) {
    fault("There is no text yet: paste one, drop a file, or take the example.");
    $("text").focus();
    return;
  }
  fault("");
  $("shorten").disabled = true;
  $("shorten").textContent = "Shortening …";
  const began = performance.now();
  try {
    const body = wish();
    const answer = await post("/v1/compress", body);
    last = { body, told: answer.body, ms: performance.now() - began };
    outcome(answer.headers);
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    fault(refused.message);
  } finally {
    $("shorten").disabled = false;
    $("shorten").textContent = "Shorten";
  }
}

const REASONS = {
  disabled: "the policy compresses nothing",
  role: "the policy leaves this role alone",
  too_short: "shorter than the policy's min_tokens",
  overloaded: "the compressor has too much to do; try again",
  deadline: "not done by the policy's deadline",
  failed: "compression failed; see the log",
  protected_kind: "all of it is protected",
  every_word: "what is asked needs every word of it",
  quality_floor: "no ratio keeps the share of answers that the policy asks for",
  soft_method: "the model has no compressor of the policy's soft method",
  soft_ratio: "its compressor was not trained for this ratio",
  soft_too_long: "longer than the model's max_part_tokens",
  soft_memory: "there was no memory to compress it in",
  soft_elsewhere: "an upstream without soft compression answered",
  not_worth_it: "less could be saved than the policy's min_savings",
};

function outcome(headers) {
  const { told } = last;
  const [part] = told.parts;
  const detail = told.detail[0];
  const counted = detail?.tokenizer === "encoder" ? "in the compressor's own pieces" : detail ? `counted by ${detail.tokenizer}` : "estimated";
  const reason = part?.reason ? `Left whole: ${REASONS[part.reason] ?? part.reason}.` : "";
  const limit = part?.limited_by ? `held up by ${part.limited_by.kind}, ${part.limited_by.percent}% of it` : "";
  const ms = Number(headers.get("x-moos-compression-ms"));
  const cost = told.cost_usd;
  fill($("try-tiles"),
    tile("Before", exact(told.tokens_before), `tokens, ${counted}`),
    tile("After", exact(told.tokens_after), `${share(told.tokens_saved, told.tokens_before)} saved`),
    tile("Ratio", ratio(told.tokens_before, told.tokens_after), reason || limit || `policy ${told.policy}`, reason ? "warn" : ""),
    tile("Time", milliseconds(ms), part?.cache ? "known from before" : "the first time"),
    tile("Cost", cost ? usd(cost.after) : "–", cost ? `instead of ${usd(cost.before)}, the prompt with nothing of it cached` : $("model").value ? "no price is known for this model" : "name a model to see it"));
  $("try-empty").hidden = true;
  $("outcome").hidden = false;
  paint();
  hint();
  for (const id of ["whole-told", "whole-answer", "short-told", "short-answer"]) $(id).textContent = "";
}

function paint() {
  if (!last) return;
  const { body, told } = last;
  const original = body.messages[0].content;
  const detail = told.detail[0];
  const busy = "The compressor was too busy to tell the scores: press Shorten again.";
  tell(detail ? undefined : told.parts[0]?.reason ? "Nothing was read, so there are no scores." : busy);
  if (chosen("shown") === "sent" || !detail) $("marked").textContent = told.messages[0].content;
  else fill($("marked"), marked(original, detail));
}

function hint() {
  const model = $("model").value.trim();
  $("ask").disabled = !(offered.answers && model);
  $("ask-hint").textContent = !offered.answers
    ? "There is no model behind this proxy: set OPENAI_API_KEY or MOOS_POLICIES to compare answers."
    : model ? `Sends both to ${model}, and costs what two requests cost.` : "Name a model above to compare answers.";
}

async function askBoth() {
  if (!last) return;
  const model = $("model").value.trim();
  const [whole, short] = [last.body.messages[0].content, last.told.messages[0].content];
  $("ask").disabled = true;
  await Promise.all([answer(model, whole, "whole"), answer(model, short, "short")]);
  hint();
}

/** Both go out as they stand here, where the policy allows a bypass; where it does not, that is told. */
async function answer(model, text, side) {
  const began = performance.now();
  $(`${side}-told`).textContent = "Waiting …";
  $(`${side}-answer`).textContent = "";
  try {
    const body = { model, messages: [{ role: "user", content: text }] };
    const { body: told, headers } = await post("/v1/chat/completions", body, { "x-moos-bypass": "true" });
    const usage = told.usage ? `${count(told.usage.prompt_tokens)} tokens in, ${count(told.usage.completion_tokens)} out, ` : "";
    $(`${side}-told`).textContent = `${shortened(headers, side)}${usage}${milliseconds(performance.now() - began)}`;
    $(`${side}-answer`).textContent = told.choices?.[0]?.message?.content ?? "No text came back.";
  } catch (refused) {
    if (!(refused instanceof Refused)) throw refused;
    $(`${side}-told`).textContent = refused.message;
  }
}

function shortened(headers, side) {
  const [before, after] = ["before", "after"].map((when) => Number(headers.get(`x-moos-tokens-${when}`)));
  if (!(after < before)) return "";
  const what = side === "whole" ? "Not the whole text" : "Shortened once more";
  return `${what}: the policy allows no bypass, and sent ${exact(after)} of ${exact(before)} tokens. `;
}
