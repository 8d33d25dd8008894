namespace LookaheadKV.Text;

/// <summary>What a tokenizer does to text besides merging: before (normalizing, cutting), at the symbols, and behind (decoding).</summary>
internal sealed record TextRules
{
    /// <summary>Applied in turn to each stretch of text between added tokens.</summary>
    public IReadOnlyList<TextChange> Normalizers { get; init; } = [];

    /// <summary>Applied in turn to what is left of each stretch after normalizing.</summary>
    public IReadOnlyList<PreTokenizer> PreTokenizers { get; init; } = [];

    /// <summary>How tokens become text again, step by step.</summary>
    public IReadOnlyList<TokenDecoder> Decoders { get; init; } = [];

    /// <summary>Whether a pre-token that is a vocabulary entry is taken whole, whatever the merges say.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Whether a character without a token becomes its UTF-8 bytes, the tokens &lt;0x00&gt; to &lt;0xFF&gt;, where all of these are there.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>The token of a character that has none, and no bytes either; where this is null such a character is left out.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether unknown characters in a row are one unknown token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>
    /// Whether all merges that make the same token have the same priority, so that the leftmost goes first, as in SentencePiece; otherwise
    /// each merge has its own, as in tokenizer.json.
    /// </summary>
    public bool RankByToken { get; init; }

    /// <summary>Control tokens that belong around a whole prompt.</summary>
    public PromptEnds Ends { get; init; } = new([], []);

    /// <summary>Whether symbols are bytes, spelled as in GPT-2, instead of characters.</summary>
    public bool OverBytes =>
        PreTokenizers.Any(step => step is PreTokenizer.SpellBytes) || Normalizers.Any(step => step is TextChange.SpellBytes);

    /// <summary>What stands for a space in tokens; null where a space is itself, or a byte.</summary>
    public string? Mark =>
        Decoders
            .Select(step =>
                step switch
                {
                    TokenDecoder.Replace { New: " " } replace => replace.Old,
                    TokenDecoder.Metaspace metaspace => metaspace.Mark,
                    _ => null,
                }
            )
            .FirstOrDefault(mark => mark is not null);

    /// <summary>The text of a token that stands between others.</summary>
    public string TextOf(string token)
    {
        IEnumerable<string> text = [token];
        foreach (var step in Decoders.Where(step => step is not TokenDecoder.Strip))
        {
            var run = (step is TokenDecoder.Metaspace metaspace ? metaspace with { Scheme = PrefixScheme.Never } : step).Start();
            text = [.. text.SelectMany(run.Add), .. run.Finish()];
        }

        return string.Concat(text);
    }

    /// <summary>A stretch of text, normalized.</summary>
    public string Normalize(string text) => Normalizers.Aggregate(text, (changed, step) => step.Apply(changed));
}

/// <summary>The ids of control tokens that belong around a whole prompt, such as the begin token.</summary>
internal sealed record PromptEnds(IReadOnlyList<int> Before, IReadOnlyList<int> Behind);
