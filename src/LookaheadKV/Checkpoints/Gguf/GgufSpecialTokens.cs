namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>The ids of the tokens that have a part to play, and whether the first and the last are put around a text.</summary>
/// <param name="Begin">Begin of a text.</param>
/// <param name="End">End of a text.</param>
/// <param name="Unknown">What stands for what has no token.</param>
/// <param name="Padding">What fills up.</param>
/// <param name="Ends">All that end an answer: the end of a text, of a turn, and of a message to a tool.</param>
internal sealed record GgufSpecialTokens(int? Begin, int? End, int? Unknown, int? Padding, IReadOnlyList<int> Ends)
{
    private const string Prefix = "tokenizer.ggml.";

    // Files from before there was a key for the end of a turn name only the end of a text. As in llama.cpp, these tokens are it then.
    private static readonly string[] EndsOfTurn = ["<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|eom_id|>"];

    /// <exception cref="InputException">An id is no number.</exception>
    public static GgufSpecialTokens Of(GgufMetadata metadata)
    {
        var tokens = metadata.Has(GgufTokenizer.Tokens) ? metadata.Texts(GgufTokenizer.Tokens) : [];
        // The ids of SentencePiece are defaults; models of the other kind have none that would be right for all.
        var pieces = metadata.TextOrNull(GgufTokenizer.Model) == GgufTokenizer.SentencePiece;
        var (begin, end) = (Id("bos", pieces ? 1 : null), Id("eos", pieces ? 2 : null));
        var (turn, message) = (Id("eot", null), Id("eom", null));
        var byText = turn is null
            ? EndsOfTurn.Where(tokens.Contains).Select(text => (int?)tokens.Index().First(entry => entry.Item == text).Index)
            : [];
        return new(
            begin,
            end,
            Id("unknown", pieces ? 0 : null),
            Id("padding", null),
            [.. new[] { end, turn, message }.Concat(byText).OfType<int>().Distinct().Order()]
        );

        // As in llama.cpp, an id beyond the vocabulary counts as none.
        int? Id(string name, int? fallback) =>
            (metadata.WholeOrNull($"{Prefix}{name}_token_id") ?? fallback) is { } id && id >= 0 && id < tokens.Count ? id : null;
    }
}
