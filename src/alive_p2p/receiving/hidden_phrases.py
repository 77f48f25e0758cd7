"""Words by which text that is not shown addresses an assistant, in several languages (receive.md §13).

A rule is a row of word groups: it matches where one word of each group follows one of the group before it, at most
so many characters later. That takes one step per word and a memory of a few positions, whatever the text is; a
regular expression with the same gaps could be made to backtrack by those who write the text.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import cache

_RULES = """
MODELS = ai|llm|llms|chatbot|claude|chatgpt|gpt|copilot|gemini|codex|cursor
READERS = MODELS|assistant|assistants|agent|agents|model|models
SECRETS = password|passwords|secret|secrets|credential|credentials|token|tokens|keys|env|ssh|conversation|
    transcript|passwort|passwörter|zugangsdaten|contraseña|contraseñas|credenciales|senhas|identifiants|пароли|
    密码|密碼
# English
30: ignore|disregard|forget|override|bypass|neglect > previous|prior|above|earlier|preceding|foregoing|
    existing > instruction|instructions|prompt|prompts|rules|directive|directives|guidelines|guidance|context|
    messages
20: ignore|disregard|forget|override|bypass > all|any|your|every|other > instruction|instructions|directives|
    prompts|guidelines|training|safeguards
30: ignore|disregard|forget > instructions|directives|guidelines > above|before|previously|earlier
12: ignore|disregard|forget > everything|anything|all > above|before|previous|previously|prior|earlier
 4: you > are|re > a|an|the|now|my|our|no > assistant|chatbot|ai|llm|claude|chatgpt|gpt|copilot|gemini
24: you > are > helpful|autonomous|coding|unrestricted|evil|jailbroken > assistant|agent|ai|model
 3: if|as|when > you > are > a|an|the > READERS
 4: you're > a|an|the|now > assistant|chatbot|ai|llm|claude|chatgpt|gpt|copilot|gemini
 3: as > an > ai|llm > you|assistant|agent|model
 3: system > prompt
 3: system > reminder|override
25: reveal|print|repeat|leak|output > system|hidden|initial > prompts|instructions
 1: assistant|assistants|llm|llms|claude|chatgpt|copilot > :
 2: ai > agent|agents|assistant|assistants
 3: ^ > ai|agent|agents|MODELS > :
10: ^ > attention|dear|hey|hi|hello|note|notice|important|for|to > READERS
 6: attention|dear|hey|hello > MODELS|assistant|assistants
 8: instruction|instructions|directive|directives|command|commands|note|notes|message > for|to > READERS
 8: MODELS|assistant|agent > must|should|shall > execute|obey|ignore|disregard|always|never|not
14: not|don't|dont|don|never|without > tell|telling|inform|informing|mention|mentioning|reveal|revealing|alert|
    alerting|disclose|disclosing|notify|notifying|ask|asking > user|users|human|humans|operator|owner
20: not|don't|dont|don|never > mention|reveal|disclose > this|these|that > to > user|users|human|anyone
 6: hide|conceal|keep > this|it|these > from > user|users|human|operator|owner
 4: run|execute|perform > the|these|this > following
 4: execute|run|obey|follow > these|this|the > instructions|commands
 0: exfiltrate|exfiltrating|exfiltration
25: send|post|upload|forward|email|transmit|leak|copy > SECRETS > to > http|https|@|attacker|me|this|url
 2: im > start|end
# German
30: ignoriere|ignoriert|ignorieren|missachte|vergiss|vergessen|verwirf > vorherigen|vorherige|bisherigen|
    bisherige|obigen|obige|vorangegangenen|vorigen|früheren|alle|deine > anweisung|anweisungen|instruktionen|
    befehle|regeln|vorgaben|prompts
 6: du|sie > bist|sind > ein|eine|der|die|jetzt > assistent|assistentin|ki|ai|sprachmodell|chatbot
 8: anweisung|anweisungen|hinweis|befehl|befehle > für|an > ki|ai|llm|assistent|assistenten|agenten|modell
20: sag|sage|sagen|verrate|erzähle|erzähl|teile|informiere > nutzer|benutzer|anwender > nicht|nichts|davon
20: sag|sage|sagen|verrate|erzähle|erzähl|teile|informiere > nicht|nichts > nutzer|benutzer|anwender
12: führe|führen > folgende|folgenden|folgendes > aus|befehl|befehle|anweisung|anweisungen
 0: systemprompt|systemanweisung|systemprompts
# French
30: ignore|ignorez|oublie|oubliez|négligez > instructions|consignes|directives|règles > précédentes|antérieures|
    préalables|dessus|reçues
30: ignore|ignorez|oublie|oubliez > toutes|tes|vos > instructions|consignes|directives
 6: tu|vous > es|êtes > un|une|maintenant > ia|assistant|assistante|agent
 8: instruction|instructions|consigne|consignes > pour|à > l'ia|l'assistant|l'agent|ia|assistant|modèle
12: ne|n'en > dis|dites|révèle|révélez|informe|informez|parle|parlez > l'utilisateur|utilisateur
20: exécute|exécutez > commande|commandes|instructions > suivante|suivantes
# Spanish and Portuguese
30: ignora|ignore|ignorar|olvida|olvide|esqueça|esquece|desconsidere|descarta > instrucciones|indicaciones|
    órdenes|instruções|orientações|ordens|regras|reglas > anteriores|previas|prévias|acima|recibidas
30: ignora|ignore|olvida|esqueça|esquece|desconsidere > todas|tus|sus|suas|tuas|anteriores > instrucciones|
    instruções|órdenes|ordens
 6: eres|es > una|un > ia|asistente|agente
 6: você|tu > é|és > um|uma > ia|assistente|agente
 8: instrucción|instrucciones|instrução|instruções > para|a|ao|al > ia|ai|llm|asistente|assistente|agente|modelo
14: no|não|nunca > digas|diga|informes|informe|conte|reveles|revele|menciones > usuario|usuário|utilizador
20: ejecuta|ejecute|execute > siguiente|siguientes|seguinte|seguintes > comando|comandos|instrucciones
20: ejecuta|ejecute|execute > comando|comandos|instrucciones > siguiente|siguientes|seguinte|seguintes
# Russian
30: игнорируй|игнорируйте|игнорировать|проигнорируй|проигнорируйте|забудь|забудьте|отбрось > предыдущие|
    предшествующие|прежние|вышеуказанные|прошлые|все|свои > инструкции|указания|команды|правила
12: ты|вы > ии|ассистент|помощник|чатбот|нейросеть|агент
12: инструкция|инструкции|указание|указания > для > ии|ассистента|агента|агентов|модели|помощника|нейросети
16: не|никогда > говори|говорите|сообщай|сообщайте|рассказывай|рассказывайте > пользователю|пользователям
12: выполни|выполните|запусти|запустите > следующую|следующие > команду|команды|инструкции
 3: системный|системного|системную > промпт|промпта|подсказку
# Chinese
12: 忽略|忽视|忽視|无视|無視|忘记|忘記|不要理会 > 之前|以前|以上|此前|先前|上述|前面|所有|一切|全部 > 指令|指示|
    提示|命令|规则|規則|说明|說明|要求
10: 你是|你现在是|你現在是|您是 > 人工智能|助手|助理|智能体|智能體|语言模型|語言模型|机器人|ai
 2: 系统提示|系統提示|系统提示词|系統提示詞
 6: 不要|别|別|切勿|请勿|請勿|不得 > 告诉|告訴|告知|通知|透露|提醒 > 用户|用戶|使用者
 8: 给|給|致|针对|針對 > ai|人工智能|助手|智能体|语言模型|大模型 > 指令|指示|说明|說明|命令
 8: 执行|執行|运行|運行 > 以下|下列|下面 > 命令|指令|操作|代码
# Japanese
12: 以前|これまで|今まで|上記|前述|先ほど|すべて|全て > 指示|命令|プロンプト|ルール|指令 > 無視|忘れ
10: あなたは > 人工知能|アシスタント|エージェント|言語モデル|チャットボット|ai
 2: システムプロンプト
10: ユーザー|ユーザ|利用者 > 伝え|知らせ|教え|言わ|報告 > ないで|ないこと|てはいけ|ず|るな
 6: アシスタント|エージェント|言語モデル|ai > への|向け > 指示|命令|メッセージ
12: 以下|次 > コマンド|命令|指示 > 実行
"""
"""The rules: how many characters may lie between two groups, and the groups, in which `|` stands between words.

`^` is the beginning of the hidden text. Words in scripts that are written without spaces are found inside longer
text; all others are whole words, in lower case. A line that is indented continues the one before.
"""

_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and Chinese characters, as a class of a regular expression."""

_INVISIBLE = re.compile("[\u00ad\u034f\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
"""What could stand inside a word without being seen; taken out before words are compared."""

_MAX_REACH = 240
"""More characters than a row of words can take, and more than anybody is shown."""

_SHORTEST = 5
"""Fewer characters cannot hold a row of words in any script: not worth a look."""


@dataclass(frozen=True)
class _Vocabulary:
    """The rules, indexed by word: for each, the rules and the places in them at which it can stand."""

    places: dict[str, tuple[tuple[int, int], ...]]
    gaps: tuple[int, ...]
    lengths: tuple[int, ...]
    tokens: re.Pattern[str]
    beginning: dict[tuple[int, int], tuple[int, int]]
    """What has been reached before the first word: the rules that start with `^`."""


@cache
def _vocabulary() -> _Vocabulary:
    sets: dict[str, str] = {}
    places: dict[str, list[tuple[int, int]]] = {}
    gaps: list[int] = []
    lengths: list[int] = []
    for line in re.sub(r"\n {4}", "", _RULES.strip()).splitlines():
        for name, words in sets.items():
            line = line.replace(name, words)  # noqa: PLW2901  (the same line, written out)
        if line.startswith("#"):
            continue
        if " = " in line:
            name, _, words = line.partition(" = ")
            sets[name] = words
            continue
        gap, _, row = line.partition(": ")
        groups = row.split(" > ")
        for stage, group in enumerate(groups):
            for word in group.split("|"):
                places.setdefault(word.strip(), []).append((len(gaps), stage))
        gaps.append(int(gap))
        lengths.append(len(groups))
    within = sorted((word for word in places if re.match(f"[{_UNSPACED}]", word)), key=len, reverse=True)
    first = "".join(sorted({word[0] for word in within}))
    # Looking at the first character before trying the words keeps text in these scripts nearly as quick as others.
    unspaced = f"(?=[{first}])(?:{'|'.join(map(re.escape, within))})"
    spaced = f"[^\\W_{_UNSPACED}]++(?:'[^\\W_{_UNSPACED}]++)?+"
    # The later places of a word come first, so that one word is never taken for two in a row.
    return _Vocabulary(
        {word: tuple(sorted(found, key=lambda place: -place[1])) for word, found in places.items()},
        tuple(gaps),
        tuple(lengths),
        re.compile(f"{spaced}|{unspaced}|[:@]"),
        dict.fromkeys(places["^"], (0, 0)),
    )


class PhraseSearch:
    """Looks for an address to an assistant in one stretch of hidden text, handed over in portions.

    Attributes:
        excerpt: what was found, from its first word on, in one line; empty until then.
    """

    def __init__(self) -> None:
        self.excerpt = ""
        self._position = 0
        self._reached = dict(_vocabulary().beginning)
        """For a rule and a place in it: where the row found so far begins, and where its last word ends."""

    def feed(self, portion: str, *, is_last: bool) -> bool:
        """Look at the next portion and say whether it completes an address, the first one.

        Args:
            portion: whole words.
            is_last: nothing follows.
        """
        if self.excerpt or (is_last and len(portion) < _SHORTEST and not self._position):
            return False
        plain = _plain(portion)
        lower = plain.lower()
        if len(lower) != len(plain):
            plain = lower
        begins = self._search(lower, is_last=is_last)
        if begins is not None:
            self.excerpt = plain[max(0, begins) : max(0, begins) + _MAX_REACH]
        self._position += len(plain) + 1
        return begins is not None

    def _search(self, text: str, *, is_last: bool) -> int | None:
        """Where, in this portion, a row of words begins that is complete; negative if in one before."""
        vocabulary = _vocabulary()
        words = vocabulary.places.keys() & vocabulary.tokens.findall(text)
        possible = self._possible(words)
        end = 0 if is_last else _MAX_REACH
        if not possible and not end:
            return None
        for token in vocabulary.tokens.finditer(text, 0 if possible else max(0, len(text) - end)):
            for place in vocabulary.places.get(token[0], ()):
                rule, stage = place
                # A rule that lacks a word here is of use only where the next portion can complete it.
                if rule not in possible and token.end() < len(text) - end:
                    continue
                first = start = self._position + token.start()
                if stage:
                    before = self._reached.get((rule, stage - 1))
                    if before is None or start - before[1] > vocabulary.gaps[rule]:
                        continue
                    first = before[0]
                if stage + 1 == vocabulary.lengths[rule]:
                    return first - self._position
                self._reached[place] = (first, self._position + token.end())
        return None

    def _possible(self, words: set[str]) -> set[int]:
        """The rules of which every group has a word here or has had one."""
        vocabulary = _vocabulary()
        found = {place for word in words for place in vocabulary.places[word]}
        if not found:
            return set()
        found.update(self._reached)
        stages = Counter(rule for rule, _ in found)
        return {rule for rule, count in stages.items() if count == vocabulary.lengths[rule]}


def _plain(text: str) -> str:
    """The text in one line, without what is invisible, and with one form for characters that look alike."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).replace("\u2019", "'")
    return " ".join(text.split())
