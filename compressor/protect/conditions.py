"""Conditions, exceptions, limits, obligations, and what turns a statement into something that did not happen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from moosproxy.compressor.text.layout import Span, matches
from moosproxy.compressor.text.lexicon import any_of, lowered, whole_lowered, words

# Conditions and exceptions; limits and comparisons; before and after; must and may; what was not done after all,
# is not so, or is only thought. An underscore stands for a blank.
_ENGLISH = words("""
        if unless only provided providing assuming supposing otherwise notwithstanding whether lest whereas
        although though despite instead either exempt exemption exception exceptions exclusively solely merely
        alone subject_to prior_to as_long_as so_long_as in_case in_the_event on_condition conditional_on
        contingent other_than apart_from aside_from rather_than save_for save_that with_the_exception but_for
        than no_later at_least at_most at_the_latest at_the_earliest up_to exceed exceeds exceeding limit
        limited maximum minimum almost nearly until till before after since once during_the_term pending must
        shall should ought may might need_not needs_to need_only have_to has_to had_to required require requires
        mandatory obliged obligation allowed permitted entitled forbidden prohibited prohibits banned used_to
        supposed_to meant_to due_to_be about_to would could suppose supposes supposed deny denies denied denying
        doubt doubts doubted doubtful alleged allegedly claims_to claimed_to pretend pretended refuse refuses
        refused refrain refrains refrained avoid fail fails failed failing stop stopped stops ceased cease
        prevent prevents prevented false wrong untrue unlikely impossible given_up gave_up give_up gives_up
        giving_up called_off call_off calls_off calling_off left_out leave_out leaves_out leaving_out
        fell_through fall_through falls_through fallen_through ruled_out rule_out rules_out turned_down
        turn_down turns_down put_off puts_off backed_out back_out dropped_out was_dropped were_dropped
        was_cancelled was_abandoned abandoned postponed withdrawn withdrew void waived suspended above_the
        below_the more_often less_often lower higher fewer less
""")
_GERMAN = words("""
        wenn falls sofern soweit solange bevor nachdem bis ehe vor_dem nach_dem ab_dem seit nur bloß lediglich
        außer ausgenommen ausnahme ausnahmen ausschließlich es_sei_denn vorausgesetzt vorbehaltlich
        unter_der_Bedingung Bedingungen mit_Ausnahme andernfalls sonst ansonsten anstatt statt anstelle
        abgesehen entweder obwohl trotz mindestens höchstens spätestens frühestens maximal minimal als mehr_als
        weniger_als fast beinahe kaum muss müssen musste mussten soll sollen sollte sollten darf dürfen durfte
        durften verpflichtet erforderlich erlaubt verboten untersagt gestattet zulässig unzulässig würde würden
        könnte könnten aufgegeben abgesagt gestrichen ausgelassen geplatzt gescheitert verschoben zurückgezogen
        abgelehnt bestreitet bestritt bestritten bezweifelt bezweifelte leugnet leugnete angeblich vermutlich
        verweigert verweigerte unterlassen unterlässt fallengelassen
""")
_FRENCH = words("""
        si seul seule seuls seules seulement uniquement sauf excepté hormis avant après jusqu jusqu'à jusqu'au
        dès tant_que à_moins à_condition pourvu sous_réserve à_l'exception en_dehors sinon autrement plutôt_que
        au_lieu au_moins au_plus au_plus_tard plus_de moins_de plus_que moins_que presque doit doivent devait
        devra devront peut peuvent pourrait faut fallait obligatoire interdit interdite autorisé autorisée
        permis tenu tenue abandonné abandonnée annulé annulée renoncé renonce nie nié doute doutait prétend
        prétendument refuse refusé reporté reportée échoué
""")
_SPANISH = words("""
        sólo solo solamente únicamente salvo excepto antes después hasta desde_que mientras a_menos con_tal
        siempre_que a_condición a_reserva con_excepción aparte_de fuera_de de_lo_contrario sino en_lugar_de
        en_vez_de al_menos por_lo_menos como_máximo como_mínimo a_más_tardar más_de menos_de más_que menos_que
        casi apenas debe deben debía deberá deberán puede pueden podrá podrán podría tiene_que tienen_que
        hay_que obligatorio prohibido prohibida permitido permitida abandonado abandonada cancelado cancelada
        suspendido suspendida renunció renunciado negó niega negado duda dudó supuestamente rechazó aplazado
        dejó_de dejaron_de
""")
_PORTUGUESE = words("""
    somente apenas unicamente salvo exceto antes depois até enquanto a_menos desde_que contanto
    à_exceção caso_contrário senão em_vez_de pelo_menos no_máximo no_mínimo o_mais_tardar mais_de menos_de
    deve devem deverá deverão pode podem poderá poderão obrigatório proibido proibida permitido abandonado
    cancelado negou nega duvida duvidou supostamente recusou
""")
_RUSSIAN = words("""
    если только лишь кроме исключением исключение до после пока прежде перед иначе вместо либо хотя несмотря
    при_условии при_этом_условии не_позднее не_ранее более менее больше меньше почти едва должен должна должны
    должно может могут можно обязан обязана обязаны запрещено разрешено бы отменён отменен отменена отменили
    отказался отказалась отрицал отрицает сомневается якобы отложен отложена
""")
_ALL = {*_ENGLISH, *_GERMAN, *_FRENCH, *_SPANISH, *_PORTUGUESE, *_RUSSIAN}
_WORD = re.compile(whole_lowered(_ALL))
_COMPARED = re.compile(
    r"(?<!\w)(?:[Mm]ás|[Mm]enos|[Pp]lus|[Mm]oins|[Mm]ais|[Aa]ussi|[Tt]an)"
    r"\s(?:\w{1,30}\s){1,2}(?:que|qu|como|do que)(?!\w)"
)
# "All but the lathe": an exception; ", but" between clauses is none.
_BUT = re.compile(r" but(?= )")
_WHOLE = re.compile(
    r"(?i:\b(?:all|every|any|no|none|nobody|nothing|everything|everybody|everyone|anyone|anything|last|next|anywhere"
    r"|everywhere)\b)[^.,;:!?\n]{0,40}$"
)
# Chinese, Japanese and Korean have no word borders.
_EAST = re.compile(
    any_of(
        words("""
        如果 假如 倘若 若是 若 只要 只有 只能 只可 仅 僅 除非 除 否则 否則 之前 以前 之后 之後 以后 以後 直到
        为止 為止 最多 最少 至少 至多 最晚 最迟 不超过 超过 超過 以上 以下 以内 以內 必须 必須 应当 應當 应该 須
        须 可以 允许 允許 禁止 条件 條件 前提 例外 取消 放弃 放棄 撤销 撤回 否认 否認 怀疑 懷疑 据说 據說 推迟
        而不是 而非 差点 几乎 比 なら たら れば 場合 場合 限り だけ のみ しか 以外 除き 除いて 除く までに まで
        前に 後に 以前 以後 以降 必ず 必要 なければ ねばなら べき てもよい てはいけ 許可 中止 断念 取りやめ やめ
        否定 疑 はず かもしれ より 少なくとも 多くとも 遅くとも 条件 만약 경우 만일 다만 외에 제외 전에 후에
        까지 부터 이상 이하 이내 최대 최소 적어도 반드시 해야 금지 허용 취소 포기 부인 의심 보다 오직
""")
    )
)


def condition(text: str) -> Iterator[Span]:
    """if, unless, only, subject to, before, until, at least, more than, must, given up, denied and the like, in
    English, German, Spanish, French, Portuguese, Russian, Chinese, Japanese and Korean.

    The lists are not switched by language: a word too many costs a few tokens, a condition lost turns a sentence
    around.
    """
    for match in matches(_WORD, lowered(text)):
        yield match.span()
    for match in matches(_COMPARED, text):
        yield match.span()
    for match in matches(_BUT, text):
        whole = _WHOLE.search(text, max(0, match.start() - 60), match.start())
        if whole:
            yield whole.start(), match.end()
    if not text.isascii():
        for match in matches(_EAST, text):
            yield match.span()
