"""Requests that need every word of their text: a shorter one would be translated, corrected or counted wrong.

Rules over the request alone, which is short. A verb counts where a sentence, a line or a clause of the request
begins with it; where a language marks no such place, anywhere in a short sentence. In doubt the text stays whole.
"""

from __future__ import annotations

import re

from moosproxy.compressor.text.lexicon import any_of, words

STANDING = 1500
"""A standing instruction (a system prompt) of more characters speaks of many things; none of them is the task."""

_OF_TEXTS = words("""
    translate proofread proof-read copyedit copy-edit spellcheck spell-check transcribe transliterate
    localize localise
    übersetze übersetz übersetzen korrigiere korrigieren lektoriere lektorieren transkribiere
    traduis traduisez traduire traduction relis relisez transcris transcrivez
    traduce traduzca traduzcan traducir tradúceme tradúcelo traduza traduzir traduz traduci traduca tradurre
    corrija correggi correggere transcreva trascrivi vertaal przetłumacz przetłumaczyć çevir çevirin
    переведи переведите перевести вычитай вычитайте переклади перекладіть
    översätt oversæt oversett käännä přelož přeložte fordítsd fordítsa traduceți μετάφρασε μεταφράστε תרגם
    ترجم ترجمة terjemahkan dịch
""")
"""Work on a text as it stands, whoever sent it."""
_OF_WRITING = words("""
    paraphrase rephrase reword rewrite redact anonymize anonymise
    umschreibe formuliere zähle zählen reformule reformulez réécris réécrivez compte comptez
    reescribe reescriba reescreva riscrivi parafrasea anonymisiere anonymise anonymisez anonimiza
    исправь исправьте перепиши перепишите перефразируй перефразируйте посчитай посчитайте сосчитай
    corrige corrigez corriger cuenta cuente conte conta
    صحح دقق
""")
"""The same words ask an agent to change a program, so they count for texts of the user alone."""
_WRITTEN = (
    r"(?:spelling|grammar|typos?|punctuation|wording|style|tone|prose|text|essay|letter|e-?mails?|article|paragraphs?"
    r"|sentences?|draft|translation|document|story|poem|speech|message|transcript)"
)
_NOT_A_NAME = r"(?![\w(=/'\"-]|\.\w)"
"""A file (`translate.py`), a function or a quoted word is not an order: calls of tools name such."""
_NOT_ITSELF = r"(?!\s(?:your|the)\s(?:own\s)?(?:answers?|summary|reply|result|output|response|findings)\b)"
_BEING = (
    r"(?:you\sare|you['’]re|act\sas|du\sbist|sie\ssind|eres|usted\ses|tu\ses|vous\sêtes|sei|você\sé|je\sbent|jesteś"
    r"|ты|вы)"
)
_TRADE = (
    r"(?:translator|proof-?reader|copy-?\s?editor|transcriber|(?:translation|proof-?reading)\s(?:assistant|engine|bot)"
    r"|(?:spelling|grammar|spell)[\s-](?:checker|corrector)|übersetzer|lektor|traductora?|correctora?|traducteur"
    r"|traductrice|correcteur|tradutora?|traduttore|vertaler|tłumacz|tłumaczem|переводчик|корректор)"
)
_INFINITIVES = words("""
    übersetzen korrigieren lektorieren korrekturlesen transkribieren traduire corriger relire transcrire
    traducir corregir transcribir traduzir corrigir transcrever tradurre correggere trascrivere
    vertalen nakijken przetłumaczyć перевести вычитать перекласти
""")
_MODAL = (
    r"\b(?:kannst\sdu|könntest\sdu|können\ssie|könnten\ssie|bitte|peux-tu|pourrais-tu|pouvez-vous|pourriez-vous"
    r"|puedes|puede|podrías|podría|pode|poderia|puoi|può|potresti|potrebbe|kun\sje|kunt\su|możesz|proszę"
    r"|можешь|можете)\b"
)
"""How one asks politely where the verb then stands in the infinitive, in German and Dutch at the end."""
_NOT_OF_THE_ANSWER = (
    r"(?!\s(?:of\s)?(?:your\s|the\s)?(?:final\s)?"
    r"(?:answers?|repl(?:y|ies)|responses?|outputs?|results?|sources?|citations?|work|users?|relevant)\b)"
)
"""`Give all answers as JSON` says how to answer, not what to look for."""
_OPENING = (
    r"(?:(?:please|pls),?\s(?:kindly\s)?|kindly\s|(?:can|could|would|will)\syou\s(?:please\s)?|i(?:\swant|\sneed|['’]d\slike|\swould\slike)"
    r"\s(?:you\s)?to\s|(?:your|the)\s(?:task|job|goal|role)\sis\sto\s|you\s(?:will|must|should|only)?\s?|help\sme\s"
    r"|let['’]s\s|always\s|just\s|only\s|bitte\s|merci\sde\s|por\sfavor,?\s|пожалуйста,?\s)?"
)
_START = rf"(?:^|[.!?;:,。！？：，\n\"'(*>-]\s*|\b(?:and|then|und|et|y|e|и)\s){_OPENING}"
_ALWAYS = re.compile(
    rf"{_START}(?:{any_of(_OF_TEXTS)}){_NOT_A_NAME}{_NOT_ITSELF}"
    rf"|{_MODAL}[^.!?\n]{{0,60}}?\b(?:{any_of(_INFINITIVES)})(?![\w-])"
    r"|\b(?:give|need|want|make|provide|do|write|send)\s(?:me\s|us\s)?(?:an?|the)\s(?:\w+\s){0,3}?"
    r"(?:translation|proofreading|transcription)\b"
    rf"|\b{_BEING}\s(?:[\w,-]+\s){{0,5}}?{_TRADE}\b"
    r"|翻译|翻譯|译成|譯成|译为|校对|校對|润色|潤色|翻訳|訳して|校正|添削|번역|교정|अनुवाद|แปล",
    re.IGNORECASE,
)
_EXACT = re.compile(
    r"\b(?:word\s(?:for|by)\sword|verbatim|line\sby\sline|sentence\sby\ssentence|wort\sfür\swort|mot\sà\smot"
    r"|palabra\spor\spalabra|parola\sper\sparola|дословно)\b"
    r"|逐字|逐句",
    re.IGNORECASE,
)
"""As an order for one text. A system prompt that wants sources cited so says how to answer."""
_WHATEVER_COMES = re.compile(
    rf"{_START}(?:{any_of(_OF_WRITING)}|correct|fix|improve|polish|edit|convert|reformat)\s(?:\w+\s){{0,3}}?"
    r"(?:everything|whatever|(?:all|any|each|every)\s(?:text|message|sentence)s?|(?:the\s)?users?(?:['’]s)?\s(?:text|message"
    r"|input|draft|writing)s?)\b",
    re.IGNORECASE,
)
_LANGUAGE = (
    r"(?:english|german|french|spanish|italian|portuguese|dutch|polish|russian|ukrainian|turkish|greek|czech|swedish"
    r"|danish|norwegian|finnish|hungarian|romanian|arabic|hebrew|persian|hindi|bengali|urdu|thai|vietnamese"
    r"|indonesian|japanese|korean|chinese|mandarin|latin|simplified\schinese|traditional\schinese)"
)
_INTO = re.compile(
    rf"\b(?:render|put|need|want|have|rewrite|rephrase|restate|repeat)\s(?:this|it|that|the\s\w+|everything)\s"
    rf"(?:\w+\s)?(?:in|into|to)\s{_LANGUAGE}\b"
    rf"|\b(?:an?|the)\s{_LANGUAGE}\s(?:version|translation|rendering)\b"
    rf"|\bwhat\s(?:would|is|does)\s(?:this|it|that)\b.{{0,40}}\bin\s{_LANGUAGE}\b|^\W*(?:in(?:to)?\s)?{_LANGUAGE},?\s"
    r"(?:please|pls)\b",
    re.IGNORECASE,
)
"""A translation by other words than the verb. `Summarize it in French` is none."""
_COUNTING = re.compile(
    r"\b(?:wie\soft|wie\shäufig)\s(?:kommt|wird|steht|erscheint)|\bcombien\sde\sfois\b.{0,40}\b(?:appar|mention|cité|utilis|écrit)"
    r"|\bcuántas\sveces\b.{0,40}\b(?:aparec|menciona|sale|usa|repite)|\bquante\svolte\b.{0,40}\b(?:appar|compar|viene|menzion)"
    r"|\bquantas\svezes\b.{0,40}\b(?:aparec|mencion|ocorre)|\bhoe\svaak\b.{0,40}\b(?:voor|genoemd|staat)"
    r"|\bile\srazy\b|\bkaç\s(?:kez|kere|defa)\b|\bсколько\sраз\b.{0,40}\b(?:встреча|упомина|повтор|слово)"
    r"|出现.{0,6}(?:几|多少)次|(?:几|多少)次.{0,4}出现|[数數]一[数數数]|有[几幾多少]{1,2}个(?:字|词|句|行|人名)|何回.{0,6}(?:出|登場|使)|몇\s?번"
    r"|\b(?:word|character|letter|line)\scount\b|\bhow\smany\s(?:\w+\s){1,3}?(?:are|were|get|is)\s"
    r"(?:mentioned|named|listed|described|cited)\b"
    r"|\ba\s(?:full\s|complete\s)?list\sof\s(?:all|every|each)\b|\blist\s(?:of\s)?the\s\w+\s(?:mentioned|named|listed|cited)\b"
    r"|\b(?:repeat|recite|reproduce)\s(?:back\s)?(?:this|the|my)\s(?:text|message|letter|poem)\b|\bmake\s(?:this|the|my|it)\s(?:\w+\s){0,2}?(?:sound|read|more|less)\b"
    r"|\b(?:first|second|third|last)\s(?:sentence|paragraph|line|word)\sof\s(?:this|the)\s"
    r"(?:text|document|article|story|file|log|letter|poem|e-?mail|message|chapter|page|list)\b"
    r"|\bwhat\sis\sthe\s(?:\w+\s)?(?:first|second|third|fourth|fifth|last)\s(?:sentence|paragraph)\b",
    re.IGNORECASE,
)
"""To count, to repeat or to find by place in the text."""
_AGGREGATE = re.compile(
    r"\bhow\s(?:many|often)\b|\b(?:average|mean|median|total|sum|percentage?|proportion|distribution|maximum|minimum)\b"
    r"|\b(?:slow|fast|long|short|larg|bigg|small|high|low|old|new|earli|lat)(?:i?est)\b|\b(?:most|least)\s\w+"
    r"|\b(?:top|first|last)\s\d+\b|\b(?:wie\sviele|durchschnitt|insgesamt|combien|moyenne|cuántos|cuántas|promedio"
    r"|quanti|quante|media|сколько|средн\w+)\b|多少|平均|最[慢快大小多少高低]|一共|总共|何件|平均|いくつ|몇|평균",
    re.IGNORECASE,
)
_OF_THE_USER = re.compile(
    rf"{_START}(?:"
    rf"(?:{any_of(_OF_WRITING)}){_NOT_A_NAME}(?!\stenu\b){_NOT_ITSELF}"
    rf"|(?:fix|correct|check|improve|polish|edit|review|revise|clean\sup)\s(?:\w+\s){{0,4}}?{_WRITTEN}\b"
    rf"|(?:convert|reformat|format|turn|change|put)\s(?:this|the|my|it|these|all)\b"
    r"|count\s(?:the|how|all|every|each|up|words|lines|characters)\b"
    r"|(?:find|spot|mark|list|correct|fix|(?:are|is)\sthere)\s(?:the\s|any\s|all\s)?"
    r"(?:typos?|(?:spelling|grammar|grammatical|punctuation)\s(?:mistakes?|errors?))\b"
    r"|(?:list|extract|enumerate|find|name|identify|give|show|tell|return|collect)\s(?:me\s|us\s|out\s)?"
    rf"(?:all|every|each)\b{_NOT_OF_THE_ANSWER}"
    r"|(?:nenne|liste|finde|zeige|extrahiere)\s(?:mir\s)?(?:alle|jede)|(?:liste|listez|énumère|énumérez|cite|citez)\s"
    r"(?:tous|toutes|chaque)|(?:enumera|lista|menciona|extrae|liste|elenca)\s(?:todos|todas|todo|toda|cada|tutti|tutte)"
    r"|перечисли(?:те)?\sвсе|найди(?:те)?\sвсе)"
    r"|\bhow\s(?:many\s(?:words|characters|letters|sentences|paragraphs|occurrences|tokens)\b"
    r"|(?:many\stimes|often)\s(?:does|do|is|are|did)\b.{0,80}\b(?:appear|occur|mention(?:ed)?|used|say|said|written)\b"
    r"|many\s(?:\w+\s){1,3}?(?:are|were|appear)\s(?:there\s|listed\s|mentioned\s)?in\s(?:the|this)\s"
    r"(?:text|log|file|document|list|table|transcript)\b"
    r"|many\s(?:lines|rows|entries|items|lists|pages)\b.{0,40}\b(?:this|text|file|document|log|table|list)\b)"
    r"|\bwie\sviele\s(?:wörter|zeichen|zeilen|sätze|absätze)\b|\bcombien\sde\s(?:mots|lignes|phrases)\b"
    r"|\bcuántas\s(?:palabras|líneas)\b|\bсколько\s(?:слов|строк|предложений)\b"
    r"|改写|改寫|数一下|數一下|列出所有|列出全部|所有.{0,20}列出|多少(?:字|个字|行|次)"
    r"|書き直|数えて|すべて(?:挙げ|列挙)|모두 나열",
    re.IGNORECASE,
)


def needs_every_word(request: str, *, material: bool = False) -> bool:
    """Whether what is asked cannot be done with a shorter text. request: at most a few hundred characters.

    material: the text was fetched for the request (a tool's result). Then rewriting, counting and listing may be
    about anything, and translating and the like alone count.
    """
    if _ALWAYS.search(request) or _INTO.search(request) or _EXACT.search(request):
        return True
    return not material and bool(_OF_THE_USER.search(request) or _COUNTING.search(request))


def needs_every_row(request: str) -> bool:
    """Whether a figure over all rows is asked for (how many, the average, the slowest): it comes out of all of
    them, and out of some of them wrong."""
    return bool(_AGGREGATE.search(request))


def needs_every_word_to_come(instruction: str) -> bool:
    """Whether a standing instruction is a task of that kind for what the user will send."""
    if len(instruction) > STANDING:
        return False
    return bool(_ALWAYS.search(instruction) or _WHATEVER_COMES.search(instruction))
