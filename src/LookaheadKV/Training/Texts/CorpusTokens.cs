namespace LookaheadKV.Training.Texts;

/// <summary>
/// A corpus as tokens. Pieces are drawn from longer documents more often, and are a pure function of their random numbers. A document is encoded when
/// a piece of it is first wanted; threads may share this.
/// </summary>
/// <param name="corpus">The documents.</param>
/// <param name="encode">The tokenizer's encoding.</param>
/// <param name="text">The text of a token.</param>
internal sealed class CorpusTokens(TextCorpus corpus, Func<string, int[]> encode, Func<int, string> text)
{
    private readonly Lazy<Document>[] _wrapped =
    [
        .. corpus.Documents.Select(document => new Lazy<Document>(() => Encoded(document, encode, text))),
    ];
    private readonly Lazy<Document>[] _unwrapped =
    [
        .. corpus.Documents.Select(document => new Lazy<Document>(() => Encoded(TextCorpus.Unwrap(document), encode, text))),
    ];
    private readonly double[] _lengths = [.. corpus.Documents.Select(document => (double)document.Length)];
    private readonly Lazy<int[]> _between = new(() => encode("\n\n"));

    /// <summary>Exactly so many tokens of a document, from a paragraph's start on; where it ends first, others follow.</summary>
    /// <param name="random">Says which.</param>
    /// <param name="tokens">How many.</param>
    /// <param name="unwrap">Whether line breaks within paragraphs are spaces.</param>
    public int[] Piece(RandomStream random, int tokens, bool unwrap)
    {
        var documents = unwrap ? _unwrapped : _wrapped;
        var document = documents[random.PickWeighted(_lengths)].Value;
        var piece = new List<int>(tokens);
        for (var at = random.Pick(document.Starts); ; at = 0)
        {
            piece.AddRange(document.Ids.AsSpan(at, Math.Min(tokens - piece.Count, document.Ids.Length - at)));
            if (piece.Count == tokens)
                return [.. piece];
            piece.AddRange(_between.Value.Take(tokens - piece.Count));
            document = documents[random.PickWeighted(_lengths)].Value;
        }
    }

    private static Document Encoded(string document, Func<string, int[]> encode, Func<int, string> text)
    {
        var ids = encode(document);
        var starts = new List<int> { 0 };
        var breaks = 0; // line feeds in a row before the token
        for (var i = 0; i < ids.Length; i++)
        {
            var token = text(ids[i]);
            var end = token.TrimEnd('\n');
            if (breaks > 1 && end.Length > 0)
                starts.Add(i);
            breaks = token.Length - end.Length + (end.Length == 0 ? breaks : 0);
        }
        return new Document(ids, starts);
    }

    /// <summary>A document's tokens, and which of them begin a paragraph.</summary>
    private sealed record Document(int[] Ids, IReadOnlyList<int> Starts);
}
