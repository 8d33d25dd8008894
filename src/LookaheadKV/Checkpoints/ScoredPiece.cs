namespace LookaheadKV.Checkpoints;

/// <summary>What a piece of a SentencePiece vocabulary is; tokenizer.model and GGUF files number them so.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>A piece of a SentencePiece vocabulary.</summary>
/// <param name="Text">What it stands for, spaces as ▁.</param>
/// <param name="Score">Log probability; of two merges the one with the higher score goes first.</param>
/// <param name="Kind">What it is.</param>
internal sealed record ScoredPiece(string Text, float Score, PieceKind Kind)
{
    /// <summary>Every split of a piece into two other pieces, those of the best score first.</summary>
    public static List<(string Left, string Right)> Merges(IEnumerable<ScoredPiece> pieces)
    {
        var ranked = pieces
            .Where(piece => piece.Kind is PieceKind.Normal or PieceKind.UserDefined)
            .OrderByDescending(piece => piece.Score)
            .ToArray();
        var parts = ranked.Select(piece => piece.Text).ToHashSet();
        var lookup = parts.GetAlternateLookup<ReadOnlySpan<char>>();
        // Only lengths that pieces have: a file may hold one piece of a million characters, and a look-up reads them all.
        var lengths = parts.Select(part => part.Length).Where(length => length > 0).ToHashSet();
        int[] cuts = [.. lengths.Order()];
        var merges = new List<(string, string)>();
        foreach (var (text, _, _) in ranked)
        {
            foreach (var cut in cuts.TakeWhile(cut => cut < text.Length).Where(cut => lengths.Contains(text.Length - cut)))
            {
                if (lookup.Contains(text.AsSpan(0, cut)) && lookup.Contains(text.AsSpan(cut)))
                    merges.Add((text[..cut], text[cut..]));
            }
        }

        return merges;
    }
}
