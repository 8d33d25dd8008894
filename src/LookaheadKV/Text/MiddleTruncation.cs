namespace LookaheadKV.Text;

/// <summary>Shortens long prompts in their middle, since instructions stand at both ends.</summary>
public static class MiddleTruncation
{
    /// <summary>The first and the last half of <paramref name="limit"/> tokens; all of them where they are no more than that.</summary>
    /// <param name="ids">The prompt's tokens, [N].</param>
    /// <param name="limit">The most tokens to keep, at least 1; of an odd number, the first half has one more.</param>
    /// <returns>[min(N, limit)].</returns>
    /// <exception cref="InputException"><paramref name="limit"/> is below 1.</exception>
    public static int[] Ids(int[] ids, int limit)
    {
        if (limit < 1)
            throw new InputException($"a limit of {limit} tokens is below 1; give room for a prompt.");
        return ids.Length <= limit ? ids : [.. ids[..(limit - limit / 2)], .. ids[^(limit / 2)..]];
    }

    /// <summary>
    /// A text shortened to at most <paramref name="limit"/> tokens, for prompts that go through a chat template. Where the two halves have more
    /// tokens as one text than apart, they are cut further.
    /// </summary>
    /// <param name="text">The prompt.</param>
    /// <param name="limit">The most tokens that the result may have, at least 1.</param>
    /// <param name="encode">The tokenizer's encoding, no special tokens added.</param>
    /// <param name="decode">The tokenizer's decoding.</param>
    /// <exception cref="InputException"><paramref name="limit"/> is below 1.</exception>
    public static string Text(string text, int limit, Func<string, int[]> encode, Func<int[], string> decode)
    {
        var ids = encode(text);
        if (Ids(ids, limit).Length == ids.Length)
            return text;
        for (var keep = limit; keep > 0; keep--)
        {
            // Each half is decoded alone, since a decoder may read differently across the cut.
            var cut = decode(ids[..(keep - keep / 2)]) + decode(ids[^(keep / 2)..]);
            if (encode(cut).Length <= limit)
                return cut;
        }
        return "";
    }
}
