"""Makes tokenizers.json: what the Python libraries tokenizers, sentencepiece and transformers answer, for the tests of this project.

    python3 tests/golden/make_tokenizers.py OUT_DIR

Small tokenizers of every supported kind are trained here on generated text; nothing is fetched. For each: its tokenizer.json (or its
SentencePiece model in base64), the ids of 1,000 hard strings, the decoded text where it is not the string itself, and the decoded text of
random ids. Then chat templates: a hand-written Jinja template of each format, conversations, and what apply_chat_template makes of them.
"""

import base64
import io
import json
import random
import sys
import unicodedata
from pathlib import Path

import sentencepiece
import tokenizers
import transformers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
SPECIAL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]
# One token of each flag, and two of which one starts with the other.
FLAGGED = [
    AddedToken("<left>", lstrip=True, normalized=False),
    AddedToken("<right>", rstrip=True, normalized=False),
    AddedToken("<both>", lstrip=True, rstrip=True, normalized=False),
    AddedToken("word", single_word=True, normalized=False),
    AddedToken("<norm>", normalized=True),
    AddedToken("<norm>al", normalized=False),
]

WORDS = """the of and a to in is was for that with on as it at by from this not are be have had which you but his their one all were her
would there can if no they my more when so time out what about up who some them water river copper lantern ledger keeper market garden
window letter number evening morning winter summer yellow green silver bridge harbour village traveller question answer remember forget
naïve café déjà über straße fjord smörgåsbord señor niño coração żółw příliš kůň привет мир слово дом вода καλημέρα κόσμε 日本語 東京 中文 汉字 한국어
안녕 עברית שלום مرحبا عالم हिन्दी नमस्ते ไทย""".split()


def training_texts(rng, count):
    for _ in range(count):
        words = [rng.choice(WORDS) for _ in range(rng.randint(4, 12))]
        text = " ".join(words)
        kind = rng.randrange(8)
        if kind == 0:
            text = text.capitalize() + ". I'm sure they'll say it's " + str(rng.randint(0, 99999)) + "!"
        elif kind == 1:
            text = f"def {words[0]}(x):\n    return x + {rng.randint(0, 99)}  # {words[1]}\n"
        elif kind == 2:
            text = f'{{"{words[0]}": [{rng.randint(0, 9)}, {rng.random():.3f}], "{words[1]}": null}}'
        elif kind == 3:
            text = text.upper() + "\n\n" + text
        elif kind == 4:
            text = text + " 🙂 " + rng.choice("😀🎉🚀") + "\t" + text
        yield text


FRAGMENTS = (
    [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", " \n ", "\u00a0", "\u2028", "\u0085", "\u3000", "\u2009", "\x0b", "\x1c", "\u200b"]
    + ["'s", "'S", "'re", "'lL", "'", "''t", "don't", "I'VE", "'d'd", "’s", "'\u017f", "'\u212a"]
    + ["0", "42", "12345", "1234567890", "٣٤", "Ⅷ", "½", "𝟘𝟙", "०१२", "3.14159", "1e-9", "0xFF"]
    + [".", ",", "...", "?!", "-", "—", "#", "##", "$", "€", "|", "<", ">", "<|", "|>", "_", "(", ")]}", "\\", "/*", "*/", "=>", "!=", "&&", "▁", "▁▁a"]
    + ["a", "A", "the", " the", "lantern", " keeper", "words", "word", "sword", "word_", "wordß", "Word", "ß", "\u017f", "\u212a", "ﬁ", "\u212b", "\u00c5", "A\u030a"]
    + ["é", "e\u0301", "\u0301", "a\u0323\u0307", "a\u0307\u0323", "ñ", "n\u0303", "가", "\u1100\u1161", "각", "\u0958", "Ġ", "Ċ", "ā"]
    + ["日本", "語", "中文。", "汉字", "한국어", "ไทย", "עברית", "שָׁלוֹם", "مرحبا", "العالم", "हिन्दी", "क्षि", "தமிழ்", "‏", "‎", "\u202e"]
    + ["🙂", "🙂lo", "👩\u200d👩\u200d👧", "🇳🇴", "👍🏽", "❤\ufe0f", "☃", "𝐀𝐛", "𐌰𐌱", "𠀀", "𐐷", "𐐏a", "𝔘𝔫", "\U0001f3f4\U000e0067\U000e007f"]
    + ["\ufeff", "\ufffd", "\0", "\x01", "\x1f", "\x7f", "\x9f", "\u00ad", "\ue000", "\U0010fffd"]
    + ["<0x41>", "<0x0A>", "<unk>", "<|end", "im_start|>", "http://a.b/c?d=e&f=%20", "foo_bar.baz()", "snake_case", "camelCase", "    if x:\n        y\n"]
)
TOKENS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<left>", "<right>", "<both>", "word", "<norm>", "<norm>al", "<norm>a", "</s><s>"]


def old_letters():
    """Every character that Unicode 3.2 had already: all libraries agree on its category."""
    old = unicodedata.ucd_3_2_0
    ranges = [range(0x20, 0x3000), range(0x3000, 0x3400), range(0x4E00, 0x4F00), range(0xAC00, 0xAD00), range(0xF900, 0x10000)]
    ranges += [range(0x10300, 0x10450), range(0x1D400, 0x1D800), range(0x20000, 0x20040), range(0x2F800, 0x2FA1E)]
    kept = "Cn Cs Co".split()
    return [chr(c) for r in ranges for c in r if old.category(chr(c)) not in kept and unicodedata.category(chr(c)) == old.category(chr(c))]


def hard_strings(count):
    rng = random.Random(7)
    letters = old_letters()
    texts = list(dict.fromkeys([""] + FRAGMENTS + TOKENS))
    while len(texts) < count:
        parts = []
        for _ in range(rng.randint(1, 9)):
            kind = rng.randrange(12)
            if kind < 5:
                parts.append(rng.choice(FRAGMENTS))
            elif kind < 7:
                parts.append(rng.choice(["", " "]) + rng.choice(WORDS))
            elif kind < 9:
                parts.append(rng.choice(["", " ", "  ", "\n"]) + rng.choice(TOKENS) + rng.choice(["", " ", "\t "]))
            elif kind < 11:
                parts.append("".join(rng.choice(letters) for _ in range(rng.randint(1, 4))))
            else:
                parts.append(" " * rng.randint(1, 20))
        text = "".join(parts)
        if text not in texts:
            texts.append(text)
    assert len(set(texts)) == len(texts)
    return texts[:count]


def byte_level(regex, normalizer=None, ignore_merges=False, split=True, seed=1):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    if normalizer:
        tokenizer.normalizer = normalizer
    if split:
        steps = [pre_tokenizers.Split(Regex(regex), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    tokenizer.train_from_iterator(list(training_texts(random.Random(seed), 3000)), trainer)
    return tokenizer


def with_whole_words(tokenizer):
    """Adds entries that no merge makes: they count only where merges are ignored."""
    form = json.loads(tokenizer.to_str())
    vocabulary = form["model"]["vocab"]
    for word in [" sword", " 𐐷", "zzz", "42", "snake"]:
        spelled = "".join(byte_letters()[b] for b in word.encode())
        if spelled not in vocabulary:
            vocabulary[spelled] = len(vocabulary)
    return Tokenizer.from_str(json.dumps(form))


def byte_letters():
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    letters = {b: chr(b) for b in visible}
    for b in range(256):
        if b not in letters:
            letters[b] = chr(256 + len(letters) - len(visible))
    return letters


def characters(byte_fallback):
    """A vocabulary of marked characters and the merges of them, as in Llama 2: <unk>, markers, bytes, then pieces."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=600, limit_alphabet=110, show_progress=False)
    trained.train_from_iterator(list(training_texts(random.Random(2), 3000)), trainer)
    form = json.loads(trained.to_str())["model"]
    names = ["<unk>", "<s>", "</s>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    names += sorted(form["vocab"], key=form["vocab"].get)
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in form["merges"]]
    model = models.BPE(
        vocab={name: i for i, name in enumerate(names)}, merges=merges, unk_token="<unk>", fuse_unk=True, byte_fallback=byte_fallback
    )
    return Tokenizer(model)


def llama2():
    tokenizer = characters(byte_fallback=True)
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
    )
    return tokenizer


def mistral():
    tokenizer = characters(byte_fallback=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(content=" ", left=1, right=0)]
    )
    return tokenizer


def unknowns():
    tokenizer = characters(byte_fallback=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    return tokenizer


def digits():
    tokenizer = byte_level(None, split=False, seed=3)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return tokenizer


def prefixed():
    tokenizer = byte_level(None, split=False, seed=4)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


def golden(tokenizer, texts):
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens(FLAGGED)
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    decoded = [tokenizer.decode(row, skip_special_tokens=False) for row in ids]
    rng = random.Random(11)
    rows = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randint(1, 8))] for _ in range(100)]
    return {
        "tokenizer": json.loads(tokenizer.to_str()),
        "ids": ids,
        "decoded": {str(i): text for i, text in enumerate(decoded) if text != texts[i]},
        "random": [
            {"ids": row, "text": tokenizer.decode(row, skip_special_tokens=False), "skipped": tokenizer.decode(row, skip_special_tokens=True)}
            for row in rows
        ],
    }


def sentencepiece_golden(texts):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in training_texts(random.Random(5), 3000) for line in text.split("\n") if line),
        model_writer=model,
        model_type="bpe",
        vocab_size=850,
        character_coverage=0.995,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        hard_vocab_limit=False,
        minloglevel=2,
    )
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    # Control tokens in a text are text to SentencePiece and control tokens to a Hugging Face folder: such texts are left out.
    plain = [not any(token in text for token in ["<s>", "</s>", "<unk>"]) for text in texts]
    ids = [processor.encode(text) if ok else None for text, ok in zip(texts, plain)]
    decoded = [processor.decode(row) if row is not None else None for row in ids]
    return {
        "model": base64.b64encode(model.getvalue()).decode(),
        "ids": ids,
        "decoded": {str(i): text for i, text in enumerate(decoded) if text is not None and text != texts[i]},
    }


CHAT = {
    "llama3": (
        "<|begin_of_text|>",
        "<|eot_id|>",
        """{%- for m in messages %}{%- if loop.first %}{{- bos_token }}{%- endif %}
{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}""",
    ),
    "llama3.1": (
        "<|begin_of_text|>",
        "<|eot_id|>",
        """{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}{%- set first = messages[0]['content'] | trim %}{%- set rest = messages[1:] %}
{%- else %}{%- set first = "" %}{%- set rest = messages %}{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\n" }}
{{- "Today Date: " + date_string + "\\n\\n" + first + "<|eot_id|>" }}
{%- for m in rest %}{{- '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + m['content'] | trim + '<|eot_id|>' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}""",
    ),
    "chatml": (
        None,
        "<|im_end|>",
        """{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    ),
    "qwen2": (
        None,
        "<|im_end|>",
        """{%- for m in messages %}
{%- if loop.first and messages[0]['role'] != 'system' %}{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{%- endif %}
{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    ),
    "qwen3": (
        None,
        "<|im_end|>",
        """{%- set ns = namespace(open=true, last_query_index=messages|length - 1) %}
{%- for m in messages[::-1] %}{%- if ns.open and m.role == 'user' %}
{%- set ns.open = false %}{%- set ns.last_query_index = messages|length - 1 - loop.index0 %}{%- endif %}{%- endfor %}
{%- for m in messages %}{%- set said = m.content %}
{%- if m.role != 'assistant' %}{{- '<|im_start|>' + m.role + '\\n' + said + '<|im_end|>\\n' }}
{%- else %}{%- set thought = '' %}
{%- if '</think>' in said %}{%- set thought = said.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
{%- set said = said.split('</think>')[-1].lstrip('\\n') %}{%- endif %}
{%- if loop.index0 > ns.last_query_index and (loop.last or thought) %}
{{- '<|im_start|>assistant\\n<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' + said.lstrip('\\n') }}
{%- else %}{{- '<|im_start|>assistant\\n' + said }}{%- endif %}{{- '<|im_end|>\\n' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}
{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}""",
    ),
}

# Mistral's formats differ in spaces and in where the system message goes: before the first or the last question, or in a place of its own.
ALTERNATE = "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{- raise_exception('roles must alternate') }}{%- endif %}"
SYSTEM = """{%- if messages[0]['role'] == 'system' %}{%- set system_message = messages[0]['content'] %}{%- set talk = messages[1:] %}
{%- else %}{%- set talk = messages %}{%- endif %}{{- bos_token }}{%- for message in talk %}"""


def mistral_chat(begin, question, plain, answer):
    return (
        "<s>",
        "</s>",
        begin
        + "{%- if message['role'] == 'user' %}"
        + (f"{{%- if {question[0]} and system_message is defined %}}{{{{- {question[1]} }}}}{{%- else %}}" if question else "")
        + f"{{{{- {plain} }}}}"
        + ("{%- endif %}" if question else "")
        + f"{{%- elif message['role'] == 'assistant' %}}{{{{- {answer} }}}}"
        + "{%- else %}{{- raise_exception('only user and assistant') }}{%- endif %}{%- endfor %}",
    )


CHAT["mistral-v0.2"] = mistral_chat(
    "{{- bos_token }}{%- for message in messages %}" + ALTERNATE,
    None,
    "'[INST] ' + message['content'] + ' [/INST]'",
    "message['content'] + eos_token",
)
CHAT["mistral-v1"] = mistral_chat(
    SYSTEM + ALTERNATE,
    ("loop.first", "' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]'"),
    "' [INST] ' + message['content'] + ' [/INST]'",
    "' ' + message['content'] + eos_token",
)
CHAT["mistral-v3"] = mistral_chat(
    SYSTEM + ALTERNATE,
    ("loop.last", "\"[INST] \" + system_message + \"\\n\\n\" + message['content'] + \"[/INST]\""),
    "\"[INST] \" + message['content'] + \"[/INST]\"",
    "\" \" + message['content'] | trim + eos_token",
)
CHAT["mistral-tekken"] = mistral_chat(
    SYSTEM + ALTERNATE,
    ("loop.last", "'[INST]' + system_message + '\\n\\n' + message['content'] + '[/INST]'"),
    "'[INST]' + message['content'] + '[/INST]'",
    "message['content'] + eos_token",
)
CHAT["mistral-v7"] = (
    "<s>",
    "</s>",
    """{{- bos_token }}{%- for message in messages %}
{%- if message['role'] == 'user' %}{{- '[INST]' + message['content'] + '[/INST]' }}
{%- elif message['role'] == 'system' %}{{- '[SYSTEM_PROMPT]' + message['content'] + '[/SYSTEM_PROMPT]' }}
{%- else %}{{- message['content'] + eos_token }}{%- endif %}{%- endfor %}""",
)

SYSTEM_MESSAGE = {"role": "system", "content": " Be brief.\n"}
QUESTION = {"role": "user", "content": "  What is 2 + 2? \n"}
ANSWER = {"role": "assistant", "content": " It is 4.\n\n"}
THOUGHT = {"role": "assistant", "content": "<think>\nTwo and two …\n</think>\n\nIt is 4."}
AGAIN = {"role": "user", "content": "And 3 + 3? 🙂"}
CONVERSATIONS = [
    [QUESTION],
    [SYSTEM_MESSAGE, QUESTION],
    [QUESTION, ANSWER],
    [QUESTION, ANSWER, AGAIN],
    [SYSTEM_MESSAGE, QUESTION, ANSWER, AGAIN],
    [SYSTEM_MESSAGE, QUESTION, ANSWER, AGAIN, ANSWER],
    [QUESTION, THOUGHT],
    [QUESTION, THOUGHT, AGAIN],
    [QUESTION, THOUGHT, AGAIN, THOUGHT],
    [QUESTION, AGAIN],
    [ANSWER, QUESTION],
]


def chat_golden():
    rendered = {}
    for name, (begin, end, template) in CHAT.items():
        tokenizer = transformers.PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(models.BPE(vocab={"a": 0}, merges=[])), bos_token=begin, eos_token=end
        )
        tokenizer.chat_template = template
        cases = []
        for messages in CONVERSATIONS:
            for answer in [True, False]:
                try:
                    text = tokenizer.apply_chat_template(
                        messages, tokenize=False, add_generation_prompt=answer, enable_thinking=False
                    )
                except Exception as error:  # the template's own raise_exception: the conversation is refused
                    assert "alternate" in str(error) or "only user" in str(error), error
                    text = None
                cases.append({"messages": messages, "answer": answer, "text": text})
        rendered[name] = {"bos_token": begin, "eos_token": end, "chat_template": template, "cases": cases}
    return rendered


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python3 tests/golden/make_tokenizers.py OUT_DIR")
    texts = hard_strings(1000)
    parts = {
        "versions": {
            "python": sys.version.split()[0],
            "tokenizers": tokenizers.__version__,
            "transformers": transformers.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
        "texts": texts,
        "llama3": golden(with_whole_words(byte_level(LLAMA3, ignore_merges=True)), texts),
        "qwen": golden(byte_level(QWEN2, normalizers.NFC()), texts),
        "gpt2": golden(byte_level(None, split=False), texts),
        "digits": golden(digits(), texts),
        "prefixed": golden(prefixed(), texts),
        "llama2": golden(llama2(), texts),
        "mistral": golden(mistral(), texts),
        "unknowns": golden(unknowns(), texts),
        "sentencepiece": sentencepiece_golden(texts),
        "chat": chat_golden(),
    }
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"{json.dumps(key)}:{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}" for key, value in parts.items()]
    path = out / "tokenizers.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    print(f"{path}: {path.stat().st_size} bytes; " + ", ".join(f"{k} {v}" for k, v in parts["versions"].items()))
    for key, value in parts.items():
        if key not in ("versions", "texts"):
            print(f"  {key}: {len(json.dumps(value, ensure_ascii=False))} characters")


if __name__ == "__main__":
    main()
