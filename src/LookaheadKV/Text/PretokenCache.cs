namespace LookaheadKV.Text;

/// <summary>
/// Encodes texts whose words recur, such as generated training data, by remembering the ids of every pre-token it has met. Gives exactly
/// what <see cref="Tokenizer.Encode(string)"/> gives. Not safe to share between threads: make one for each.
/// </summary>
public sealed class PretokenCache
{
    private readonly Tokenizer tokenizer;
    private readonly int capacity;
    private readonly Dictionary<string, int[]> known = [];
    private readonly Dictionary<string, int[]>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly Tokenizer.PieceEncoder encodePiece;
    private readonly List<int> piece = [];
    private readonly List<int> whole = [];

    /// <summary>Makes an empty cache over a tokenizer.</summary>
    /// <param name="tokenizer">The tokenizer whose ids it gives.</param>
    /// <param name="capacity">How many different pre-tokens it remembers, at least 1; those met later are encoded each time.</param>
    /// <exception cref="InputException">The capacity is below 1.</exception>
    public PretokenCache(Tokenizer tokenizer, int capacity = 1 << 17)
    {
        if (capacity < 1)
            throw new InputException($"pre-token cache capacity {capacity} is too small; give at least 1.");
        (this.tokenizer, this.capacity) = (tokenizer, capacity);
        lookup = known.GetAlternateLookup<ReadOnlySpan<char>>();
        encodePiece = EncodePiece;
    }

    /// <summary>The ids of a text, as <see cref="Tokenizer.Encode(string)"/> gives them.</summary>
    public int[] Encode(string text)
    {
        whole.Clear();
        Encode(text, whole);
        return [.. whole];
    }

    /// <summary>Adds the ids of a text to a list.</summary>
    public void Encode(string text, List<int> ids) => tokenizer.Encode(text, ids, encodePiece);

    private void EncodePiece(ReadOnlySpan<char> text, List<int> ids)
    {
        if (!lookup.TryGetValue(text, out var found))
        {
            piece.Clear();
            tokenizer.EncodePiece(text, piece);
            found = [.. piece];
            if (known.Count < capacity)
                known.Add(text.ToString(), found);
        }

        ids.AddRange(found);
    }
}
