namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>
/// How a byte-level tokenizer cuts a text before it merges, by the name in <c>tokenizer.ggml.pre</c>: patterns that are applied one after the
/// other, each to the pieces that the one before left. Where llama.cpp rewrote a model's pattern, the model's own is here; they match the same.
/// </summary>
/// <param name="Patterns">The patterns.</param>
/// <param name="IgnoreMerges">Whether a piece that is a token is taken whole.</param>
/// <param name="AddsBegin">Whether the begin token is put before a text where the file does not say.</param>
/// <param name="Composes">Whether the text is brought to Unicode's composed form first, as the models' own tokenizer.json does; llama.cpp leaves that out.</param>
internal sealed record GgufPretokenizer(
    IReadOnlyList<string> Patterns,
    bool IgnoreMerges = false,
    bool AddsBegin = false,
    bool Composes = false
)
{
    private const string Key = "tokenizer.ggml.pre";
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Rest = @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string RestWithSlash = @"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Word = @"[^\r\n\p{L}\p{N}]?\p{L}+";
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    private const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Digit = @"\p{N}";

    private const string Gpt2 = SplitPatterns.Gpt2;
    private const string Qwen2 = SplitPatterns.Qwen2;
    private const string Llama3 = Contractions + "|" + Word + @"|\p{N}{1,3}" + Rest;
    private const string Tekken =
        @"[^\r\n\p{L}\p{N}]?" + Upper + "*" + Lower + @"+|[^\r\n\p{L}\p{N}]?" + Upper + "+" + Lower + "*|" + Digit + RestWithSlash;
    private const string Gpt4o =
        @"[^\r\n\p{L}\p{N}]?"
        + Upper
        + "*"
        + Lower
        + "+"
        + Contractions
        + @"?|[^\r\n\p{L}\p{N}]?"
        + Upper
        + "+"
        + Lower
        + "*"
        + Contractions
        + @"?|\p{N}{1,3}"
        + RestWithSlash;
    private const string Marks =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly (string[] Names, GgufPretokenizer Cuts)[] Known =
    [
        (
            [
                "gpt-2",
                "phi-2",
                "gigachat",
                "a.x-4.0",
                "mellum",
                "modern-bert",
                "mpt",
                "olmo",
                "jais",
                "trillion",
                "granite-docling",
                "exaone4",
            ],
            new([Gpt2])
        ),
        (["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"], new([Digit, Gpt2])),
        (
            ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
            new([Llama3], IgnoreMerges: true, AddsBegin: true)
        ),
        (["dbrx", "smaug-bpe", "glm4", "chatglm-bpe"], new([Llama3])),
        (["qwen2", "megrez"], new([Qwen2], Composes: true)),
        (["deepseek-r1-qwen", "stablelm2", "hunyuan", "solar-open", "grok-2", "kormo"], new([Qwen2])),
        (
            ["qwen35"],
            new(
                [Contractions + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|" + Digit + @"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"],
                Composes: true
            )
        ),
        (["seed-coder"], new([Contractions + "|" + Word + "|" + Digit + @"| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+"])),
        (
            ["bailingmoe", "bailingmoe2", "llada-moe"],
            new(["'(?i:[sdmt]|ll|ve|re)|" + Word + "|" + Digit + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"])
        ),
        (["tekken"], new([Tekken], IgnoreMerges: true, AddsBegin: true)),
        (["gpt-4o", "llama4", "kanana2", "minimax-m2"], new([Gpt4o])),
        (["deepseek-coder"], new([@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", "[一-龥ࠀ-一가-\uD7FF]+", Digit])),
        (["deepseek-v3", "hunyuan-dense", "joyai-llm"], new([@"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", Marks])),
        (["falcon"], new([@"[\p{P}$+<=>^~|`]+", Gpt2, "[0-9][0-9][0-9]"])),
        (["default"], new([@"[\p{P}$+<=>^~|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"])),
    ];

    /// <exception cref="InputException">The name is missing, or none of those that are known: a guess would give other ids.</exception>
    public static GgufPretokenizer Of(GgufMetadata metadata)
    {
        var name = metadata.Text(Key);
        return Array.Find(Known, row => row.Names.Contains(name)).Cuts
            ?? throw metadata.Wrong(Key, $"one of {string.Join(", ", Known.SelectMany(row => row.Names))}");
    }
}
