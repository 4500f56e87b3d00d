"""A model's own process: `python -m ...process.worker SPEC`, messages on standard input and output.

One thread reads messages and answers what needs the vocabulary only; the other one works, request by request. When
the parent goes, standard input ends, and so does this process, whatever it is doing.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from typing import Any

import orjson

from moosproxy.proxy.upstreams.llama_cpp.process.chat_template import ChatTemplate
from moosproxy.proxy.upstreams.llama_cpp.process.engine import Engine, Stopped
from moosproxy.proxy.upstreams.llama_cpp.process.generation import Job, generate
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.argument_watch import ArgumentWatch
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.constraint import Constraint, Grammars
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.grammar import grammar_for
from moosproxy.proxy.upstreams.llama_cpp.process.grammars.lenient import Afterwards, Loose
from moosproxy.proxy.upstreams.llama_cpp.process.repeats import Repeats
from moosproxy.proxy.upstreams.llama_cpp.process.sampling import Sampling, recommended
from moosproxy.proxy.upstreams.llama_cpp.spec import Spec
from moosproxy.proxy.upstreams.llama_cpp.wire import Pipe
from moosproxy.proxy.upstreams.local.faults import ModelFault

Message = dict[str, Any]


class Worker:
    """Serves one model."""

    def __init__(self, engine: Engine, template: ChatTemplate | None, pipe: Pipe, spec: Spec) -> None:
        self._engine = engine
        self._usual = recommended(engine.said, spec.sampling)
        self._lenient = spec.schemas == "lenient"
        self._template = template
        self._pipe = pipe
        self._grammars = Grammars(engine.vocabulary)
        self._jobs: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._current: int | None = None
        self._cancelled: set[int] = set()
        self._done = 0

    def read(self) -> None:
        """Until the parent has gone."""
        while (message := self._pipe.receive()) is not None:
            match message["op"]:
                case "cancel":
                    self._cancel(message["id"])
                case "count":
                    self._guarded(message, self._count)
                case _:
                    self._jobs.put(message)
        os._exit(0)  # the other thread may be in the middle of a long evaluation

    def work(self) -> None:
        """For ever."""
        operations = {
            "generate": self._generate,
            "embed": self._embed,
            "measure": self._measure,
            "warm": self._warm,
        }
        while True:
            message = self._jobs.get()
            with self._lock:
                self._current = message["id"]
                self._engine.ready()
                if message["id"] in self._cancelled:
                    self._engine.stop()
            try:
                self._guarded(message, operations[message["op"]])
            finally:
                with self._lock:
                    self._current = None
                    self._cancelled.discard(message["id"])
                    self._done = message["id"]  # they come in order

    def _cancel(self, number: int) -> None:
        with self._lock:
            if number > self._done:
                self._cancelled.add(number)
            if number == self._current:
                self._engine.stop()

    def _guarded(self, message: Message, operation: Any) -> None:
        try:
            operation(message)
        except Stopped:
            self._send(message, {"event": "end", "reason": "stopped"})
        except ModelFault as fault:
            told = {"kind": fault.kind, "message": fault.message, "param": fault.param}
            self._send(message, {"event": "fault", **told})
        except Exception as fault:  # whatever it was, the next request must find a thread that works
            text = f"the model's process could not do this ({type(fault).__name__})"
            self._send(message, {"event": "fault", "kind": "crashed", "message": text})

    def _send(self, message: Message, event: Message) -> None:
        self._pipe.send({"id": message["id"], **event})

    def _prompt(self, message: Message) -> list[int]:
        if "suffix" in message:
            tokens = self._engine.vocabulary.around(message["prompt"], message["suffix"])
        elif "prompt" in message:
            tokens = self._tokens(message["prompt"])
        else:
            if self._template is None:
                raise ModelFault("unsupported", "this model has no chat template; use /v1/completions")
            tools = None if message.get("tool_choice") == "none" else message.get("tools")
            vocabulary = self._engine.vocabulary
            guard = vocabulary.marks.guard()
            options = message.get("template_options") or {}
            text = self._template.render(message["messages"], tools, options, guard)
            tokens = vocabulary.prompt(text, guard)
        if not tokens or not all(0 <= token < self._engine.vocabulary.size for token in tokens):
            raise ModelFault("request", "the prompt is empty, or holds tokens that the model does not know")
        return tokens

    def _tokens(self, given: str | list[int]) -> list[int]:
        return given if isinstance(given, list) else self._engine.vocabulary.tokens(given, add_special=True)

    def _count(self, message: Message) -> None:
        self._send(
            message, {"event": "counted", "tokens": len(self._prompt(message)), "window": self._engine.window}
        )

    def _generate(self, message: Message) -> None:
        loose = Loose() if self._lenient else None
        constraint, watch = self._constraint(message, loose)
        afterwards = Afterwards(loose) if loose else None
        try:
            job = Job(
                prompt=self._prompt(message),
                sampling=_sampling({**self._usual, **message["sampling"]}),
                constraint=constraint,
                watch=watch,
                repeats=Repeats() if _calls_only(message) else None,
                max_tokens=message.get("max_tokens"),
                stop=tuple(message.get("stop") or ()),
                logprobs=message.get("logprobs"),
            )
            for event in generate(self._engine, job):
                if afterwards is not None:
                    _check(afterwards, event)
                self._send(message, event)
                if event["event"] == "begin" and message.get("echo"):
                    self._echo(message)
        finally:
            if constraint is not None:
                constraint.close()

    def _echo(self, message: Message) -> None:
        prompt = message["prompt"]
        if isinstance(prompt, list):
            pieces = b"".join(map(self._engine.vocabulary.piece, prompt))
            prompt = pieces.decode("utf-8", "replace")
        self._send(message, {"event": "text", "text": prompt, "logprobs": []})

    def _constraint(self, message: Message, loose: Loose | None) -> tuple[Constraint | None, ArgumentWatch | None]:
        """What the answer must be, or where it may call tools what their arguments must be. Raises ModelFault."""
        if (given := message.get("grammar")) is not None:
            return self._grammars.gbnf(given), None
        tools, choice = message.get("tools"), message.get("tool_choice")
        parallel = message.get("parallel_tool_calls", True)
        wanted = grammar_for(message.get("response_format"), tools, choice, parallel=parallel, loose=loose)
        if wanted is not None:
            return self._grammars.guided(wanted), None
        if not tools or choice == "none":
            return None, None
        return None, ArgumentWatch(tools, self._engine.vocabulary, self._grammars, lenient=self._lenient)

    def _embed(self, message: Message) -> None:
        texts = message["input"]
        rows = [self._tokens(text) for text in texts]
        limit, known = self._engine.embedding_window, self._engine.vocabulary.size
        for row in rows:
            if not row or not all(0 <= token < known for token in row):
                text = "an input is empty, or holds tokens that the model does not know"
                raise ModelFault("request", text, "input")
            if len(row) > limit:
                raise ModelFault(
                    "context", f"an input has {len(row)} tokens; it must have at most {limit}", "input"
                )
        vectors = [self._engine.embed(row) for row in rows]
        self._send(message, {"event": "embedded", "vectors": vectors, "tokens": sum(map(len, rows))})

    def _measure(self, message: Message) -> None:
        self._send(message, {"event": "measured", "tokens_per_s": self._engine.prefill_speed()})

    def _warm(self, message: Message) -> None:
        """What would take long in the first request: the weights' way into memory, the grammars' vocabulary."""
        self._engine.warm()
        self._grammars.warm()
        self._send(message, {"event": "warmed"})


def _sampling(fields: Message) -> Sampling:
    biases = {int(token): float(bias) for token, bias in (fields.pop("logit_bias", None) or {}).items()}
    return Sampling(**fields, logit_bias=biases)


def _check(afterwards: Afterwards, event: Message) -> None:
    """A finished answer that does not fit its schema says so at its end; one that was cut off cannot fit."""
    if event["event"] == "text":
        afterwards.feed(event["text"])
    elif event["event"] == "end" and event["reason"] == "stop":
        event["schema_fault"] = afterwards.fault()


def _calls_only(message: Message) -> bool:
    """Whether the answer must be tool calls, any number of them."""
    return bool(message.get("tools")) and message.get("tool_choice") == "required" and not message.get("grammar")


def _fall_silent() -> None:
    """From here on nothing that a library prints is read by anyone: it might quote a request."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def main() -> None:
    """The process."""
    # Whatever a library prints must not get between the messages.
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    pipe = Pipe(sys.stdin.buffer, outgoing)
    try:
        spec = Spec(**orjson.loads(sys.argv[1]))
        engine = Engine(spec)
        source = engine.chat_template
        template = ChatTemplate(source, engine.vocabulary.bos, engine.vocabulary.eos) if source else None
    except ModelFault as fault:
        pipe.send({"event": "fault", "kind": fault.kind, "message": fault.message})
        return
    pipe.send(
        {
            "event": "loaded",
            "window": engine.window,
            "tools": bool(template and template.takes_tools),
            "embeddings": engine.pooling is not None,
        }
    )
    _fall_silent()
    worker = Worker(engine, template, pipe, spec)
    threading.Thread(target=worker.work, daemon=True).start()
    worker.read()


if __name__ == "__main__":
    main()
