"""The words with which articles address their judge, in the languages that are asked for most often. Pure data.

Written for the folded text (see `fencing`): lower case, no accents; so й is и and ё is е here. To add one: a line below its
finding, a line in tests/labeling/prompting/test_suspects.py, and a look at the share of honest articles that are flagged.
"""

import re
from dataclasses import dataclass

SCORE = "asks for a score"
MODEL = "speaks to a model"
LIKE_FRAME = "imitates the frame"
LIKE_CHAT = "imitates a chat"
LIKE_ANSWER = "imitates an answer"
FORMAT = "asks for another format"
PROMPT = "asks for the prompt"
HIDES = "hides text"
FINDINGS = (SCORE, MODEL, LIKE_FRAME, LIKE_CHAT, LIKE_ANSWER, FORMAT, PROMPT, HIDES)


@dataclass(frozen=True)
class Phrase:
    """Starts with one of `first` and goes on as `pattern` says; `also`: words of which one must be in the text as well.

    A text without the words need not be searched, and most texts are without.
    """

    first: frozenset[str]
    also: frozenset[str]
    pattern: re.Pattern[str]

    def is_in(self, told: str, words: set[str]) -> bool:
        here = not self.first.isdisjoint(words) and not (self.also and self.also.isdisjoint(words))
        return here and self.pattern.search(told) is not None


def _phrase(first: str, then: str, also: str = "") -> Phrase:
    words = first.split()
    return Phrase(frozenset(words), frozenset(also.split()), re.compile(rf"\b(?:{'|'.join(words)})\b{then}", re.DOTALL))


def _both(one: str, other: str, within: int = 80) -> str:
    """Each soon after, in any order."""
    return rf"(?={SOON}{{0,{within}}}(?:{one}))(?={SOON}{{0,{within}}}(?:{other}))"


SOON = r"[^.!?\n]"  # in the same sentence
AN_AI = r"(?:an? |the |any |all )?(?:ai|llm|language model|large language model|chatbot|chatgpt|gpt-?\d*|claude|gemini)s?\b"
AI_WORDS = "ai ais llm llms language chatbot chatbots chatgpt gpt claude gemini bot bots model models assistant helpful"
RULES = r"(?:instructions?|prompts?|rules?|guidelines?|guidance|directives?|rubric|commands?|context|criteria|task)\b"
RULE_WORDS = (
    "instruction instructions prompt prompts rule rules guideline guidelines guidance directive directives rubric criteria task"
)
JUDGES = r"(?:evaluator|grader|rater|annotator|labell?er|scorer|reviewer bot|judge model)s?\b"
JUDGE_WORDS = (
    "evaluator evaluators grader graders rater raters annotator annotators labeler labeller scorer scorers bot bots model"
)
JUDGED = r"(?:read|scor|rat|grad|evaluat|judg|process|pars|label|labell|analy[sz]|classify)"
RATED = (
    r"\b(?:(?:this|the) (?:article|text|story|scores)|(?:every|each|all|any) (?:\w+ ){0,2}?"
    r"(?:dimensions?|criteri\w+|categor\w+|scores?|ratings?|keys?|fields?))\b"
)
SCORE_WORDS = "score scores rating ratings mark marks value number dimension dimensions criterion criteria"
TOP = r"\b(?:10|10\.0|ten|9\.5|maximum|maximal|max|highest|perfect|full marks|zero|0|lowest|minimum)\b(?!-\w)"
TOP_WORDS = "10 ten 9 maximum maximal max highest perfect marks zero 0 lowest minimum"
BEST = r"(?:maximum|maximal|highest|top|full|perfect|best)"
TEXTS = "article text page story"

PHRASES: dict[str, list[Phrase]] = {
    MODEL: [
        _phrase(
            "ignore disregard forget override bypass discard ignoring disregarding",
            r"(?: \w+){0,4}? (?:previous|prior|above|earlier|preceding|foregoing|system|your|these|those|all|any)"
            rf"\b(?: \w+){{0,3}}? {RULES}",
        ),
        _phrase(
            "ignore disregard forget",
            rf"{SOON}{{0,40}}\b(?:rubric|(?:told|given|instructed) (?:you|above|earlier|before)"
            r"|you (?:were|have been|are) (?:told|given)"
            r"|(?:everything|all|anything|what|whatever)(?: \w+){0,3} (?:above|earlier|so far|before this|previously))\b",
        ),
        _phrase("follow obey heed apply", rf" (?:only |just )?(?:this|these|the (?:following|next|new)) {RULES}"),
        _phrase("now", rf" (?:follow|obey) {SOON}{{0,30}}\binstructions?\b", RULE_WORDS),
        _phrase(
            "not don't never despite whatever",
            r"(?: (?:follow|use|apply|obey))? the (?:rubric|scoring (?:rules|guide\w*))\b",
            "rubric scoring",
        ),
        _phrase("rubric instructions", r" (?:above |before )?(?:no longer|do(?:es)? not|(?:is|are) void|ha(?:s|ve) changed)\b"),
        _phrase(
            "rubric instruction instructions prompt", r"(?: \w+){0,3}? (?:superseded|revoked|overridden|takes? precedence)\b"
        ),
        _phrase(
            "supersedes supersede overrides replaces replace",
            r" (?:\w+ )?(?:your|all|any|previous|the) (?:\w+ )?(?:instructions|rubric|prompt)\b",
        ),
        _phrase("new updated revised real hidden secret additional corrected next", rf" (?:\w+ )?{RULES} ?:", RULE_WORDS),
        _phrase("new next real actual", r" (?:task|instructions?) ?(?:\.|is\b)", "task instruction instructions"),
        _phrase("your", r" (?:new|next|only|previous|real|actual) (?:task|instructions?|objective|role|job) (?:is|are)\b"),
        _phrase("skip stop", r" (?:the |your )?(?:evaluation|evaluating|scoring|grading|reasoning|judging)\b"),
        _phrase(
            "note message memo attention notice instruction instructions hello important",
            rf"[ ,:!-]*(?:to|for)?[ ,:!-]*{AN_AI}",
            AI_WORDS,
        ),
        _phrase(
            "instruction instructions note", r" (?:to|for) (?:the |any |all )?(?:automated|machine|automatic) (?:system|reader)"
        ),
        _phrase("for to from", rf" (?:{AN_AI}|the \w+ assistant)(?: \w+)? ?:", AI_WORDS),
        _phrase("you", rf" are (?:now )?{AN_AI}", AI_WORDS),
        _phrase("you", r" are an? (?:\w+ ){0,2}(?:ai|assistant|bot|helpful model|language model)\b", AI_WORDS),
        _phrase("you", rf" are (?:now )?(?:an? |the )?(?:\w+ )?{JUDGES}", JUDGE_WORDS),
        _phrase(
            "you",
            r" are now (?:in )?(?:\w+ ){0,2}(?:mode|unrestricted|free (?:from|of) (?:all |any |your )?(?:rules|restrictions))\b",
        ),
        _phrase(
            "you",
            r" (?:will|shall|must) (?:now )?(?:act|behave|answer|respond|pretend) (?:only )?(?:as|like|to be) (?:an? |the )?"
            rf"(?:{JUDGES}|\w+ (?:assistant|ai|model|mode)\b)",
        ),
        _phrase("as", rf" {AN_AI},? (?:you|your)\b", AI_WORDS),
        _phrase("as", rf" (?:an? |the |our |your )?{JUDGES},? you\b", JUDGE_WORDS),
        _phrase("if", rf" you(?:'re| are) {AN_AI}", AI_WORDS),
        _phrase("if when", rf" (?:this|the|an?) (?:text|article|page|story) is (?:being )?{JUDGED}\w* by\b", TEXTS),
        _phrase("any every all the to", rf" (?:ai|llm|model|language model|bot)s? (?:that|which|who) {JUDGED}", AI_WORDS),
        _phrase("ai llm gpt automated automatic", rf" {JUDGES}"),
        _phrase(
            "ai llm model models assistant assistants claude chatgpt gemini bots evaluator grader rater",
            rf"(?: \w+){{0,2}}? {JUDGED}ing this\b",
        ),
        _phrase("decode decrypt rot13 base64", rf"{SOON}{{0,60}}\b(?:follow|obey|execute|carry out)\b"),
        _phrase("authorise authorize instruct permit", r" you to (?:score|rate|grade|ignore|give|override)\b"),
        # German
        _phrase(
            "ignoriere ignorieren ignoriert ignorier missachte missachten vergiss vergesst vergessen ubergehe ubergehen",
            rf"(?: sie)?(?: alles,? was|{SOON}{{0,50}}\b(?:anweisung|anleitung|vorgabe|instruktion|systemprompt|prompt|rubrik))",
        ),
        _phrase("befolge befolgen befolgt", rf"{SOON}{{0,30}}\b(?:diese|folgende|neue)\w* (?:anweisung|instruktion)"),
        _phrase("als", r" (?:ki|sprachmodell|ki-\w+) (?:musst|sollst|hast|muss|soll)\b", "ki sprachmodell"),
        _phrase("du sie", r" (?:bist|sind) (?:jetzt |nun )?(?:eine? )?(?:ki|sprachmodell|ki-\w+)\b", "ki sprachmodell"),
        _phrase("hinweis nachricht anweisung achtung", r"[ ,:]*(?:an|fur)?(?: die| das| alle| jede)? (?:ki|sprachmodelle?)\b"),
        # French
        _phrase(
            "ignore ignorez ignorer oublie oubliez oublier",
            rf" (?:tout ce qui|{SOON}{{0,50}}\b(?:instructions?|consignes?|directives?)"
            r" (?:precedente|ci-dessus|anterieure|du systeme|recues))",
        ),
        _phrase("tiens tenez", rf" (?:pas|aucun) compte {SOON}{{0,30}}\b(?:consigne|instruction|grille|rubrique|directive)"),
        _phrase("en note", r" (?:tant que? |a l)(?:'ia|ia|modele de langage)\b"),
        _phrase("tu vous", r" (?:es|etes) (?:maintenant |desormais )?une? (?:ia|modele de langage|assistant virtuel)\b"),
        # Spanish, Italian, Portuguese
        _phrase(
            "ignora ignore ignoren ignorar olvida olvide olviden olvidar descarta descarte omite dimentica esqueca",
            rf" (?:todo lo|tutto cio|tudo o que|{SOON}{{0,50}}\b(?:instruccion(?:es)?|indicaciones|directrices|ordenes|reglas"
            r"|istruzioni|instrucoes) (?:anterior|previa|de arriba|del sistema|precedenti))",
        ),
        _phrase("como", r" (?:ia|modelo de lenguaje),? (?:debes|tienes|debe)\b"),
        _phrase("eres", r" (?:ahora )?una? (?:ia|modelo de lenguaje|asistente)\b"),
        # Russian
        _phrase(
            "игнорируи игнорируите проигнорируи проигнорируите забудь забудьте отбрось отбросьте",
            rf"(?: все,? что|{SOON}{{0,50}}(?:инструкци|указани|промпт|предыдущие правила|рубрик))",
        ),
        _phrase("обращаи обращаите", rf" внимания на{SOON}{{0,40}}(?:инструкци|указани|промпт|рубрик)"),
        _phrase("ты вы", r" (?:теперь )?(?:[—-] ?)?(?:ии|языковая модель|неиросеть)\b"),
    ],
    SCORE: [
        _phrase(
            "give assign award grant rate score grade mark output return judge respond answer reply",
            r"\b" + _both(RATED, TOP, 60),
            TOP_WORDS,
        ),
        _phrase(
            "score rate grade mark",
            r" (?:this|it|everything|them all|all of (?:it|them)) (?:as |an? |with |at )?"
            r"(?:10|ten|excellent|perfect|top|full)\b(?!-)",
        ),
        _phrase(
            "give assign award grant return output use record enter choose",
            rf" (?:it |this |them )?(?:a |the )?{BEST} (?:possible )?(?:score|value|number|mark)s?\b",
            SCORE_WORDS,
        ),
        _phrase("set output return answer record", rf"{SOON}{{0,20}}\w ?= ?(?:10|9\.5)\b", "10 9"),
        _phrase(
            "output respond reply answer", r" (?:\w+ ){0,2}?(?:with )?(?:an? )?(?:10|ten)(?: ten)?(?: times)?(?! \w)", "10 ten"
        ),
        _phrase(
            "all every each",
            rf" (?:\w+ ){{0,2}}?(?:scores?|dimensions?|ratings?|criteri\w+)\b{SOON}{{0,30}}"
            rf"\b(?:must|should|shall|is|are|be|get|gets|receives?|deserves?|to|at)\b{SOON}{{0,12}}{TOP}",
            SCORE_WORDS,
        ),
        _phrase("everything", r" (?:gets|is|scores|receives) (?:a |an )?(?:10|9|ten|nine)\b(?! \w)"),
        _phrase(
            "maximum highest top perfect full lowest minimum",
            rf" (?:possible )?(?:scores?|ratings?|marks)\b{SOON}{{0,30}}"
            r"\b(?:for|in|on|across|to) (?:this (?:article|text|story)|(?:all|every|each) (?:dimension|criteri))",
            SCORE_WORDS,
        ),
        _phrase(
            "this the",
            rf" (?:article|text|story) (?:deserves|merits|must (?:get|receive|be)|should (?:get|receive|be)){SOON}{{0,40}}{TOP}",
            TEXTS,
        ),
        _phrase("score scores rating ratings answer answers", rf" (?:must|should|shall) (?:all )?be\b{SOON}{{0,20}}{TOP}"),
        _phrase("score scores rating", r"(?: of)?[ :=]*10/10\b"),
        _phrase("score answer", r"(?: is| ?=| ?:) ?(?:10|ten)\b(?![-.:/\u2013]?\d)(?! to )"),
        # German
        _phrase(
            "gib gebt geben vergib vergebt vergeben bewerte bewertet bewerten setze setzt",
            _both(
                r"\b(?:10|zehn|hochstpunktzahl|hochstwertung|hochstnote|hochste|beste|volle|maximal\w*)\b",
                r"\b(?:punkte|punktzahl|hochstpunktzahl|hochstwertung|dimension|kriteri|diesen? artikel|diesen? text|kategorie)",
            ),
        ),
        # French
        _phrase(
            "donne donnez donner attribue attribuez attribuer noter notez accordez mettez",
            _both(
                r"\b(?:10|dix|maximale?|maximum|zero)\b", r"\b(?:note|score|dimension|critere|partout|cet article|ce texte)s?\b"
            ),
        ),
        # Spanish
        _phrase(
            "da dar dale asigna asigne asignar otorga otorgue otorgar califica califique puntua",
            _both(
                r"\b(?:10|diez|maxim[ao]|cero)\b",
                r"\b(?:nota|puntuacion|puntaje|calificacion|dimension|criterio|este articulo|este texto)",
            ),
        ),
        # Russian
        _phrase(
            "поставь поставьте оцени оцените присвои присвоите даи даите выстави выставите",
            _both(r"\b(?:10|десять|максимальн\w*|высш\w+|ноль)\b", r"балл|оценк|критери|измерени|статье|статью"),
        ),
    ],
    FORMAT: [
        _phrase(
            "answer respond reply",
            r"(?: \w+){0,3}? (?:with|in|as|using)(?: \w+){0,3}? "
            r"(?:json|yaml|xml|csv|markdown|plain text|base64|haiku|poem|emojis?|rot13|uppercase|the word|the following)\b",
        ),
        _phrase("answer respond reply", r" (?:only |just |now )?with (?:only |just |a )?(?:yes|no|ok|10|ten|one word)\b"),
        _phrase(
            "output print return write emit produce",
            r" (?:only|just|exactly|nothing but|this|valid|raw)(?: \w+){0,3}? "
            r"(?:json|yaml|xml|csv|markdown|text|string|line|word|answer|object)\b",
        ),
        _phrase(
            "output answer say write print reply return",
            rf"{SOON}{{0,20}}\bnothing (?:but|except|else than) (?:the|a|an)\b",
            "nothing",
        ),
        _phrase(
            "not don't never without instead",
            r" (?:\w+ ){0,3}?(?:json|the schema|the required format|(?:any )?scores and reasoning)\b",
            "json schema format scores",
        ),
        _phrase("begin start", r" (?:your|the) (?:answer|response|reply|output) with\b"),
        _phrase(
            "antworte antworten reponds repondez responde responda ответь ответьте",
            rf"{SOON}{{0,40}}\b(?:json|yaml|xml|markdown)\b",
        ),
        _phrase(
            "antworte antworten reponds repondez repondre responde responda ответь ответьте",
            r" (?:sie )?(?:nur|seulement|uniquement|solo|solamente|только)\b",
        ),
    ],
    PROMPT: [
        _phrase(
            "reveal print repeat show output quote display leak disclose summarise summarize translate recite write tell copy",
            rf"{SOON}{{0,30}}\b(?:system prompt|(?:your|the) rubric\b|your (?:\w+ )?(?:prompt|instructions)\b"
            r"|the (?:\w+ )?(?:prompt|instructions) (?:above|verbatim|word for word|you (?:were|have been) given))",
        ),
        _phrase("print repeat output copy", r" (?:all |everything |the |every )?(?:text |words |lines )?above\b"),
        _phrase(
            "what", r" (?:is|are|was|were) your (?:system |initial |original |hidden )?(?:prompt|instructions)\b", RULE_WORDS
        ),
        _phrase("zeige zeig nenne wiederhole gib", rf"{SOON}{{0,30}}\b(?:system-?prompt|deine anweisungen|deinen prompt)"),
    ],
    LIKE_CHAT: [
        _phrase("human user", r" ?: .{1,400}\b(?:assistant|ai|claude|chatgpt|model) ?: "),
        _phrase("system developer admin administrator", r" (?:message|notice|override|update|prompt)\b ?(?::|\])"),
        _phrase("system", r" ?[\])}]? ?: (?:override|new|update|ignore|you|set|give|instruction)"),
        _phrase("role", r"[\"']? ?[:=] ?[\"']?(?:system|assistant|user|developer|tool)\b"),
        _phrase("tool function", r" (?:call|result|output|response|use)s? ?[\"']?[:={>]"),
        _phrase("tool_call tool_calls tool_result tool_use function_call function_result", r""),
    ],
    LIKE_ANSWER: [
        _phrase("scores reasoning evidence", r"[\"'] ?:"),
        _phrase("scores", r" ?[:=] ?[{\[]"),
    ],
    LIKE_FRAME: [
        _phrase("end", r" of (?:the )?(?:untrusted |quoted )?(?:article|document|input|data) ?[-:\])}>*=_#]"),
        _phrase("article document", r" (?:ends|is over|has ended) here\b"),
        _phrase("begin start beginning", r" (?:of )?(?:the )?(?:new )?(?:rubric|instructions|system prompt) ?[-:\])}>*=_#]"),
    ],
}

# What starts with no word between blanks.
ANYWHERE = {
    MODEL: r"(?:忽略|无视|無視|忽視|忘记|忘記|不要理会|不理会).{0,14}(?:指令|指示|说明|說明|规则|規則|提示|要求|以上|上面|之前)"
    r"|你(?:现在)?是(?:一个|一個|一名)?.{0,6}(?:人工智能|语言模型|語言模型|ai|助手)",
    SCORE: r"(?:给|給|打|评|評|请|請).{0,16}(?:10|十|满|滿|最高|0|零) ?分|(?:输出|輸出|返回|填写|填寫) ?(?:10|十)(?!\d)"
    r"|(?:评分|評分|打分|分数|分數)(?:必须|必須|应该|設|设|都|为|是){1,3} ?(?:10|十|满分|最高)",
    FORMAT: r"(?:只|仅|僅)(?:输出|輸出|回答|回复|返回)",
    PROMPT: r"(?:输出|显示|重复|泄露|告诉我).{0,10}(?:系统提示|提示词|你的指令)",
    LIKE_ANSWER: r"\{ ?[\"'][\w ]{1,60}[\"'] ?: ?(?:\d|null|\{)",
}
MAY_BE_ANYWHERE = re.compile(r"[{\u4e00-\u9fff]")
ANYWHERE_PATTERNS = {finding: re.compile(pattern) for finding, pattern in ANYWHERE.items()}

# Without the blanks, for words whose letters were spaced out.
SQUEEZED = re.compile(r"(?:ignore|disregard|forget)\w{0,16}(?:instructions|rubric|rules)|scoreof(?:10|ten)|systemprompt")
