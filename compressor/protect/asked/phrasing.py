"""How people mark a question or an instruction: labels, tags, question words, imperative verbs."""

from __future__ import annotations

import re

from moosproxy.compressor.text.lexicon import any_of, words

QUESTION_TAGS = frozenset({"question", "query", "user_query", "user_question"})
_TAGS = "|".join([*QUESTION_TAGS, "instructions?", "task", "request", "prompt"])
TAG = re.compile(rf"<(?P<name>{_TAGS}|{_TAGS.upper().replace('S?', '(?:S)?')})>")

_QUESTION_NAMES = words("""
    question query user_question user_query q frage pregunta pergunta domanda вопрос السؤال سؤال
    问题 問題 提问 質問 질문
""")
_ORDER_NAMES = words("""
    instruction instructions task your_task request aufgabe tâche consigne tarea instrucción задание
    指令 任务 任務 指示 要求
""")
_ANSWER_NAMES = words("""
    answer final_answer short_answer your_answer a antwort réponse respuesta ответ 答案 回答 答 답
""")


def _label(names: list[str]) -> re.Pattern[str]:
    """A label at the start of a line, perhaps numbered and emphasised: "**Question 3:** "."""
    return re.compile(rf"\W{{0,4}}(?i:{'|'.join(names)})(?:\s\d{{1,3}})?[*_]{{0,2}}\s?[:：][*_]{{0,2}}[ \t]*")


QUESTION_LABEL = _label(_QUESTION_NAMES)
INSTRUCTION_LABEL = _label(_ORDER_NAMES)
ANSWER_LABEL = _label(_ANSWER_NAMES)

QUESTION_MARKS = ("?", "？", "؟")
_WH = words("""
    who whom whose what which when where why how
    wer was wann wo warum wie welche welcher welches qui quoi quand où pourquoi comment quel quelle quels quelles
    est-ce qué quién cuándo dónde cómo cuál cuáles кто что когда где почему как какой какая сколько
    ما ماذا من متى أين لماذا كيف هل كم
""")
_AUXILIARY = words("""
    is are was were do does did can could will would should has have had may might
""")
_PREPOSITION = r"(?:in|at|on|by|from|for|to|of|with|since|during|under|about|after|before)\s"
_EAST_ASIAN = words("""
    什么 什麼 哪 谁 誰 何 吗 嗎 怎么 如何 多少 几 なに どこ いつ なぜ どう 무엇 어디 누구 언제
""")
ASKS_WHAT = re.compile(rf"\W{{0,4}}(?i:{_PREPOSITION})?(?i:{any_of(_WH)})(?![\w'’])")
ASKS_INSIDE = re.compile(rf"\b(?:{any_of(_WH)})\b")
QUESTION_WORD = re.compile(
    rf"{ASKS_WHAT.pattern}|\W{{0,4}}(?i:{any_of(_AUXILIARY)})(?![\w'’])|¿|.{{0,60}}(?:{any_of(_EAST_ASIAN)})"
)
"""At the start of a sentence: it may well be a question."""
_JAPANESE = re.compile(r"[\u3040-\u30ff](?:か|は|のは|でしょう)[。．]?$|^[^。]*[\u3400-\u9fff]は$")

_VERBS = words("""
    answer summarize summarise explain describe list extract translate rewrite paraphrase identify compare
    classify determine analyze analyse outline calculate compute generate respond reply discuss evaluate highlight
    tell give provide write create produce return output find name state show suggest recommend draft review solve
    extract proofread shorten simplify reformat rephrase fix improve correct make
    convert categorize label rank estimate quote cite use read consider think
""")
_OPENINGS = words("""
    can_you could_you would_you will_you i_want_you_to i_need_you_to i_would_like_you_to i'd_like_you_to help_me
    tell_me let_me_know you_are_a you_are_an you_are_now your_task_is your_job_is your_goal_is your_role_is act_as
    only_answer only_return only_output in_your_own_words my_question_is i'd_like_to i'd_like_you i_would_like
    it_would_be_great_if it_would_be_nice_if
    bitte por_favor s'il_vous_plaît пожалуйста
    fasse erkläre beantworte übersetze nenne beschreibe résumez résume expliquez répondez réponds
    traduisez traduis resuma resume_el resume_la resume_los resume_este resume_esta
    explica explique responde responda traduce ответь ответьте опиши опишите объясни объясните переведи переведите
    перечисли перечислите لخص اشرح أجب ترجم
""")
# Prose opens like this too; a request then names the text or the answer.
_WEAK_OPENINGS = words("""
    you_are_the you_are_given you_are_asked do_not don't never always make_sure be_sure remember_to only_use
    based_on based_only according_to using_the using_only given_the from_the in_one in_two in_three in_a_few i_need
    i_want you_must you_should the_answer_should the_answer_must your_answer
""")
_EAST_ASIAN_ORDERS = words("""
    总结 總結 概括 回答 解释 解釋 翻译 翻譯 列出 描述
    根据上 根据以 根據上 根據以 要約 説明して 答え 翻訳 요약 설명 번역 请 請
""")
# "Please note", "please contact us": what documents ask of their readers.
_TO_READERS = "note|contact|consult|visit|see|be|refer|remember|review|click|call|email|send|check|read our"
_MARK = r"(?:[-*>•]\s|\d{1,2}[.)]\s|[\"'(*_]{1,2})?"
_REQUEST = re.compile(
    rf"{_MARK}(?:(?i:(?:please|kindly)(?!\w|\s(?:{_TO_READERS})\b)|(?:{any_of(_OPENINGS)})(?!\w))"
    rf"|(?:{any_of(verb.capitalize() for verb in _VERBS)})(?=\s(?!of\b)[a-z\d\"'“(\[<]|[:.]?$)"
    r"|(?:answer|summari[sz]e|explain|describe|translate|compare)\s(?:the|this|these|what|how|why|in|it)\b"
    rf"|{any_of(_EAST_ASIAN_ORDERS)}|[^\n。]{{0,80}}(?:してください|して下さい))"
)
_WEAK_REQUEST = re.compile(rf"{_MARK}(?i:{any_of(_WEAK_OPENINGS)})(?!\w)")
_OF_THE_TASK = re.compile(
    r"\b(?i:above|below|passages?|documents?|texts?|article|context|transcript|sources|search results|excerpt"
    r"|conversation|questions?|answers?|answering|assistant|reply|respond|responses?|output|words or less"
    r"|sentences?)\b"
)


def is_request(piece: str) -> bool:
    """Whether a sentence, from its start, tells the reader to do something with a text."""
    return bool(_REQUEST.match(piece) or (_WEAK_REQUEST.match(piece) and _OF_THE_TASK.search(piece)))


_CUES = words("""
    above below following passage passages document documents text article context transcript meeting source
    sources search_results excerpt report story conversation email paper discussion you your me please
""")
REFERENCE = re.compile(rf"(?i:\b(?:{'|'.join(_CUES)})\b)|上文|上述|以上|下面|以下|文章|本文|文中|请|請")
"""Words by which a sentence speaks about the text beside it, or to the reader."""

PASSAGE_HEADER = re.compile(
    r"[#*_>\s]{0,6}(?:(?i:document|doc|passage|source|context|chunk|article|result|text|snippet|excerpt|paragraph|page"
    r"|reference|file|section|文档|文档片段|段落|资料|文書|文章|документ|documento|dokument)s?\s?"
    r"(?:[#№]\s?)?[\[(]?\d{1,4}[\])]?|\[\d{1,4}\]|\(\d{1,4}\)|\d{1,4}[.)、])[*_]{0,2}(?=[\s:：.(\[—–-]|$)"
)
"""At the start of a line: it heads a passage of a collection ("Document [1] (Title: ...)", "2. ...")."""

_CODE_SIGNS = re.compile(
    r"[{}=;<>]|\w\(|\)\.|::|->|^\s*(?:def|class|import|from|return|const|let|var)\s", re.MULTILINE
)


def looks_like_code(piece: str) -> bool:
    """Whether a short piece of text is a line of a program rather than a sentence."""
    return len(_CODE_SIGNS.findall(piece)) >= 2


def ends_as_question(piece: str) -> bool:
    return piece.rstrip(" \t\r\n\"'”’)]»*_").endswith(QUESTION_MARKS) or bool(_JAPANESE.search(piece.rstrip()))
