"""Severities and outcomes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import any_of, spellings, whole_word, words

# Never anything but an outcome, in any case.
_ALWAYS = words("""
    error errors failed failure failures denied refused rejected declined unauthorized unauthorised
    forbidden timeout timeouts unavailable unreachable aborted crashed crash crashes corrupted revoked
    invalid deadlock segfault traceback errored misconfigured unsupported overdue approved granted
    cancelled canceled fehler fehlgeschlagen abgelehnt verweigert ungültig genehmigt erreur erreurs échec
    échoué refusé refusée rejeté rejetée invalide approuvé errores falló fallido rechazado rechazada
    denegado denegada aprobado ошибка ошибки сбой отказано отклонено отклонена запрещено одобрено
""")
_PHRASES = [
    "timed out",
    "time out",
    "out of memory",
    "no space left",
    "shut down",
    "core dumped",
    "stack overflow",
]
# Ordinary words of prose, severities only in capitals.
_CAPITALS = words("""
    WARN WARNING WARNINGS FATAL CRITICAL CRIT ALERT EMERG EMERGENCY PANIC SEVERE FAIL FAILS EXCEPTION
    ABORT BLOCKED KILLED OOM BUG DEPRECATED EXPIRED ERR NACK SIGSEGV SIGKILL SIGABRT
""")
# ... or as the level of a log line: [warn], level=fatal, "severity": "critical", warning:
_LEVELS = words("warn warning fatal critical crit alert emerg panic severe err fail exception")
_CJK = words("""
    错误 錯誤 失败 失敗 拒绝 拒絕 警告 异常 異常 超时 超時 中断 崩溃 無効 无效 エラー 拒否 例外
    オーバータイム 오류 실패 거부 경고
""")
_ARABIC = words("خطأ فشل مرفوض رفض تحذير")

_WORDS = re.compile(whole_word([*spellings([*_ALWAYS, *_PHRASES]), *_CAPITALS, *_ARABIC]))
_EAST = re.compile(any_of(_CJK))
_LEVEL_VALUE = re.compile(
    rf"(?:\[|<|(?:level|severity|priority|lvl)[\"']?\s?[=:]\s?[\"']?)(?P<value>{any_of(spellings(_LEVELS))})(?!\w)"
)
# The end of a label, behind two letters that some level ends with: most colons are told in C to be no such end.
_LABEL_END = re.compile(rf"[:\]](?<=(?:{'|'.join(sorted({level[-2:] for level in spellings(_LEVELS)}))}).)")
_LEVEL_LABEL = re.compile(rf"(?<!\w)(?:{any_of(spellings(_LEVELS))})$")
_LONGEST_LEVEL = max(map(len, _LEVELS))
# FooError: the ending is sought; the word before it is the caller's to keep, since whole words are.
_CAMEL = re.compile(r"E(?<=[a-z].)(?:rror|xception)(?![a-z])|F(?<=[a-z].)(?:ailure|ault)(?![a-z])")


def severity(text: str) -> Iterator[Span]:
    """ERROR, failed, denied, refused, timeout, FooException and the like, with a few words of other languages.

    Words that prose uses innocently (critical, warning, fatal, alert, panic) count only in capitals or where a
    log puts its level. INFO and DEBUG mark ordinary lines and are not protected.
    """
    for match in matches(_WORDS, text):
        yield match.span()
    if not text.isascii():
        for match in matches(_EAST, text):
            yield match.span()
    for match in matches(_LEVEL_VALUE, text):
        yield match.span("value")
    for match in matches(_CAMEL, text):
        yield match.span()
    for mark in matches(_LABEL_END, text):
        end = mark.start()
        label = _LEVEL_LABEL.search(text, max(0, end - _LONGEST_LEVEL), end)
        if label:
            yield label.span()
