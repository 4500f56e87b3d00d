"""Asking: equal tokens, blocks, going on, and what the pages say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from moosproxy.compressor.compressor import Compressor
from moosproxy.compressor.errors import CompressorError
from moosproxy.compressor.evaluation.answers import outcome, scores, sets
from moosproxy.compressor.evaluation.answers.base import Prompt, Question, Reply
from moosproxy.compressor.evaluation.answers.conditions import FULL, NOTHING, Fitter, chosen
from moosproxy.compressor.evaluation.answers.lines import Lines
from moosproxy.compressor.evaluation.answers.run import Asking, Plan, SetResult
from moosproxy.compressor.evaluation.answers.session import Choice, ask
from moosproxy.compressor.evaluation.methods import HeadAndTail, LexicalSentences, Method, Shortened
from moosproxy.compressor.evaluation.progress import bars
from moosproxy.compressor.evaluation.reporting import pages
from moosproxy.compressor.evaluation.reporting.results import Results
from moosproxy.compressor.kept import KeptSpans
from tests.compressor.evaluation.answers.conftest import FACT, FILL, TEXT, RuleAnswerer


class Halves(Method):
    """Keeps the first words; `ratio` of what it is asked for is what it does."""

    name, version, aware = "halves", "1", False

    def shorten(self, text: str, question: str | None, ratios: Sequence[float]) -> list[Shortened]:
        """Words from the front."""
        words = text.split()
        kept = [" ".join(words[: max(1, round(len(words) / ratio / 1.3))]) for ratio in ratios]
        return [Shortened(KeptSpans(((0, len(one)),)), one, 1, 1) for one in kept]


def run(plan: Plan, answerer: RuleAnswerer, folder: Path) -> list[SetResult]:
    """One run."""
    with bars() as progress:
        return Asking(plan, answerer, folder, progress).run()


def plan(data: Path, *names: str, minutes: float | None = None) -> Plan:
    """Of one method at two ratios."""
    known = sets.every()
    return Plan(data, [known[name] for name in names], [Halves()], (2.0, 4.0), False, None, minutes)


def test_every_set_has_questions_whose_full_text_holds_the_answer(answer_data: Path) -> None:
    for one in sets.every().values():
        loaded = one.load(answer_data, one.size)
        questions = [each for question in loaded for each in question.behind or (question,)]

        assert questions, one.name
        assert len({question.id for question in questions}) == len(questions)
        if one.headline in ("f1", "contained"):
            assert all(any(gold in question.text for gold in question.golds) for question in questions)


def test_a_method_that_takes_more_than_it_was_asked_for_gets_its_budget_all_the_same() -> None:
    fitted = Fitter(lambda text: len(text.split())).fit(Halves(), TEXT, None, 3.0)

    assert fitted.before / fitted.tokens == pytest.approx(3.0, rel=0.03)


def test_each_method_gets_the_budget_or_less(tiny_checkpoint: Path) -> None:
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        encoder = compressor.checkpoint.encoder
        for method in (HeadAndTail(encoder), LexicalSentences(encoder)):
            fitted = Fitter(lambda text: len(text.split())).fit(method, TEXT, "Which boat?", 2.0)
            assert 0.4 * fitted.before < fitted.tokens <= 0.505 * fitted.before


def test_what_was_answered_is_not_asked_again(answer_data: Path, answerer: RuleAnswerer, tmp_path: Path) -> None:
    run(plan(answer_data, "squad"), answerer, tmp_path)
    first = len(answerer.asked)
    run(plan(answer_data, "squad"), answerer, tmp_path)

    assert first > 0
    assert len(answerer.asked) == first


def test_a_run_that_was_stopped_goes_on_behind_its_last_answer(
    answer_data: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    answerer.stops_after = 3
    with pytest.raises(KeyboardInterrupt):
        run(plan(answer_data, "squad"), answerer, tmp_path)
    path = tmp_path / "rule-1.0" / "squad.jsonl"
    path.write_text(path.read_text() + '["cut of')
    answerer.stops_after = None
    (found,) = run(plan(answer_data, "squad"), answerer, tmp_path)

    assert len(answerer.asked) == len(set(answerer.asked))
    assert len({answered.case.question.id for answered in found.answered}) == 6


def test_a_file_that_is_something_else_is_named(answerer: RuleAnswerer, tmp_path: Path) -> None:
    (tmp_path / "rule-1.0").mkdir()
    (tmp_path / "rule-1.0" / "squad.jsonl").write_text("nonsense\n")
    with pytest.raises(CompressorError, match=r"squad\.jsonl, line 1"):
        Lines(tmp_path, answerer, "squad")


def test_no_block_is_begun_when_the_time_is_up(answer_data: Path, answerer: RuleAnswerer, tmp_path: Path) -> None:
    (found,) = run(plan(answer_data, "squad", minutes=0), answerer, tmp_path)

    assert not answerer.asked
    assert found.left == found.blocks > 0


def test_a_question_without_all_its_answers_does_not_count(
    answer_data: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    answerer.window = 100
    (found,) = run(plan(answer_data, "squad"), answerer, tmp_path)

    assert found.refused > 0
    assert not found.answered


def test_results_tell_what_was_kept_lost_and_sent(
    answer_data: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    found = run(plan(answer_data, "squad"), answerer, tmp_path)
    results = outcome.results_of(found, {})

    def share(method: str, ratio: str, measure: str) -> float:
        table = results.table("squad", method, ratio, measure)
        assert table is not None
        return float(table[:, 0].sum() / table[:, 1].sum())

    assert share(FULL, "1", "f1") == 1
    assert share(NOTHING, "0", "f1") == 0
    assert share("halves", "4", outcome.SAME) == 0  # the fact stands in the middle
    assert share("halves", "2", "ratio") == pytest.approx(2, rel=0.03)
    assert share("halves", "2", outcome.SENT) < share(FULL, "1", outcome.SENT)


def test_questions_are_answered_from_the_summary_and_not_from_the_text(
    answer_data: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    (found,) = run(plan(answer_data, "digests"), answerer, tmp_path)
    texts = {prompt.user.partition("\n\nQuestion:")[0] for prompt in answerer.asked if "Question:" in prompt.user}
    told = {
        (answered.case.method, answered.case.ratio): (answered.scores["f1"], answered.reply.tokens)
        for answered in found.answered
    }

    assert texts == {"4711", "not mentioned"}
    assert {answered.case.question.question for answered in found.answered} == {None}
    assert told[FULL, 1.0] == (1.0, answerer.count(TEXT) + 1)  # the text was read once, for the summary
    assert told["halves", 4.0][0] == told[NOTHING, 0.0][0] == 0.0


def test_summaries_without_their_questions_are_gone_on_with(
    answer_data: Path, answerer: RuleAnswerer, tmp_path: Path
) -> None:
    answerer.stops_after = 4  # in the middle of the questions about the first summaries
    with pytest.raises(KeyboardInterrupt):
        run(plan(answer_data, "digests"), answerer, tmp_path)
    (cut,) = run(plan(answer_data, "digests", minutes=0), answerer, tmp_path)
    answerer.stops_after = None
    (found,) = run(plan(answer_data, "digests"), answerer, tmp_path)

    assert not cut.answered
    assert cut.left == cut.blocks
    assert len(answerer.asked) == len(set(answerer.asked))
    assert len({answered.case.question.id for answered in found.answered}) == 6


QUESTION = Question("q", 0, "q", TEXT, "Which boat?", "Question: Which boat?", ("4711",))


@pytest.mark.parametrize(
    ("sent", "answer", "cause"),
    [
        (FILL, "the bridge", outcome.GONE),
        (FACT, "behind the clock", outcome.APART),
        (FACT, "Not mentioned in the text.", outcome.NONE),
        (FACT, "", outcome.NONE),
    ],
)
def test_a_lost_answer_has_a_cause(sent: str, answer: str, cause: str) -> None:
    one = replace(sets.every()["squad"])
    cases = [
        (FULL, 1.0, TEXT, "4711"),
        (NOTHING, 0.0, None, "12"),
        ("moosproxy, question-aware", 3.0, sent, answer),
    ]
    answered = [_answered(method, ratio, text, said) for method, ratio, text, said in cases]
    lost = outcome.failures([SetResult(one, answered, 1)])

    assert [failure.cause for failure in lost] == [cause]


def _answered(method: str, ratio: float, text: str | None, said: str) -> outcome.Answered:
    from moosproxy.compressor.evaluation.answers.run import Case

    case = Case(QUESTION, method, ratio, 100, 30, text, Prompt("", text or "", 5, True))
    return outcome.Answered(case, Reply(said, 1, 0.1), scores.short(said, QUESTION))


def test_the_pages_lead_with_the_models_and_sort_what_was_lost(
    answer_data: Path, answerer: RuleAnswerer, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    choice = Choice(
        data=answer_data,
        checkpoint=tiny_checkpoint,
        rival=None,
        plain=None,
        sets=("squad", "tools"),
        methods=("BM25", "moosproxy, question-aware", "moosproxy, task-agnostic"),
        ratios=(4.0,),
        limit=2,
        minutes=None,
        quick=False,
        out=tmp_path / "answers",
        threads=1,
    )
    ask(choice, answerer)
    pages.write(Results({"checkpoint": "x"}), [], tmp_path)
    page = (tmp_path / "results.md").read_text()

    assert page.startswith("# Results\n\n## Answers of real models")
    assert "### Rule 1.0" in page
    assert "one paragraph of Wikipedia" in page
    assert "BM25 sentences" in page
    assert (tmp_path / "failures.md").read_text().startswith("# What shortening cost")


def test_names_that_nothing_has_are_refused(answer_data: Path, tiny_checkpoint: Path) -> None:
    with pytest.raises(CompressorError, match="unknown set nonsense; known: squad"):
        from moosproxy.compressor.evaluation.answers.session import _sets

        _sets(["nonsense"])
    with Compressor.load(tiny_checkpoint, threads=1) as compressor:
        assert chosen(answer_data, compressor, None, None, ["nothing"]) == []


def test_scores_of_long_answers() -> None:
    assert scores.rouge_l("the boat is blue", "the boat was blue") == pytest.approx(2 / 3)
    assert scores.rouge_l("", "the boat") == 0


def test_a_set_that_is_not_asked_again_keeps_its_figures_and_their_date(tmp_path: Path) -> None:
    def found(name: str, commit: str) -> Results:
        made = Results({"model": "m", "checkpoint": "c", "commit": commit})
        made.add(name, FULL, "1", "f1", "g", (1.0, 1.0))
        return made

    def lost(name: str) -> list[outcome.Failure]:
        return [outcome.Failure(name, 4.0, outcome.GONE, "who?", "Ann", "Ann", "Ben")]

    outcome.save(tmp_path, found("squad", "old"), lost("squad"))
    outcome.save(tmp_path, found("articles", "new"), lost("articles"))
    outcome.save(tmp_path, found("articles", "newer"), [])
    outcome.save(tmp_path, Results({"model": "m", "checkpoint": "c", "commit": "asked nothing"}), [])

    kept = Results.load(tmp_path / "results.json")
    dates = {name: of["commit"] for name, of in kept.facts[outcome.SETS].items()}
    assert (set(kept.sums), dates) == ({"squad", "articles"}, {"squad": "old", "articles": "newer"})
    assert [one.set for one in outcome.load_failures(tmp_path)] == ["squad"]
