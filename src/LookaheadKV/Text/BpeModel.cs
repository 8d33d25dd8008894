using System.Buffers;
using System.Text;
using LookaheadKV.Files;
using Microsoft.ML.Tokenizers;

namespace LookaheadKV.Text;

/// <summary>
/// Byte-pair encoding of one pre-token, on Microsoft.ML.Tokenizers. What its <see cref="BpeTokenizer"/> does not know is done around it:
/// whole words before merges, bytes for unknown characters, characters that have no token at all, and tokens with a space in them.
/// </summary>
internal sealed class BpeModel
{
    // Merges reach the package as "left right". Where a token holds a space, half a surrogate pair, which no text holds, goes for it.
    private const char SpaceStandIn = '\uDC00';

    private readonly string source;
    private readonly TextRules rules;
    private readonly BpeTokenizer? merger;
    private readonly BytePairMerger? mergerByToken;
    private readonly bool hidesSpaces;
    private readonly Dictionary<string, int> vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly SearchValues<char> known; // characters up to U+FFFF that have a token
    private readonly int?[] byteIds;

    public BpeModel(TokenizerJson definition)
    {
        (source, rules) = (definition.Source, definition.Rules);
        vocabulary = new Dictionary<string, int>(definition.Vocabulary);
        lookup = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        known = SearchValues.Create([.. vocabulary.Keys.Where(token => token.Length == 1).Select(token => token[0])]);
        byteIds = [.. ByteTokens.All.Select(token => Id(token))];
        if (rules.RankByToken)
        {
            mergerByToken = new BytePairMerger(definition.Merges, vocabulary);
            return;
        }

        hidesSpaces = definition.Merges.Any(merge => merge.Left.Contains(' ') || merge.Right.Contains(' '));
        merger = BpeTokenizer.Create(
            new BpeOptions(vocabulary.Select(entry => KeyValuePair.Create(Safe(entry.Key), entry.Value)))
            {
                Merges = definition.Merges.Select(merge => $"{Safe(merge.Left)} {Safe(merge.Right)}"),
            }
        );
    }

    /// <summary>The id of a token as the vocabulary writes it, or null.</summary>
    public int? Id(string token) => vocabulary.TryGetValue(token, out var id) ? id : null;

    /// <summary>Adds the ids of a pre-token to a list.</summary>
    /// <exception cref="InputException">A character needs the unknown token, which the vocabulary does not have.</exception>
    public void Encode(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (rules.IgnoreMerges && lookup.TryGetValue(piece, out var whole))
        {
            ids.Add(whole);
            return;
        }

        var unknown = false; // one is to be written before the next known character
        var start = 0; // of what is not yet merged
        for (var at = 0; piece[at..].IndexOfAnyExcept(known) is >= 0 and var ahead; )
        {
            at += ahead;
            Rune.DecodeFromUtf16(piece[at..], out _, out var length);
            var character = piece.Slice(at, length);
            // The package, too, leaves out what nothing stands for, and merges what is left and right of it.
            var bytes = lookup.ContainsKey(character) ? null : Bytes(character);
            if (lookup.ContainsKey(character) || (bytes is null && rules.UnknownToken is null))
            {
                at += length;
                continue;
            }

            Known(piece[start..at]);
            if (bytes is null)
                Unknown();
            ids.AddRange(bytes ?? []);
            start = at += length;
        }

        Known(piece[start..]);
        if (unknown)
            ids.Add(UnknownId());

        void Known(ReadOnlySpan<char> run)
        {
            if (run.IsEmpty)
                return;
            if (unknown)
                ids.Add(UnknownId());
            unknown = false;
            Merge(run, ids);
        }

        void Unknown()
        {
            if (unknown && !rules.FuseUnknown)
                ids.Add(UnknownId());
            unknown = true;
        }
    }

    /// <summary>The byte tokens of a character; null where they are not asked for, or not all there.</summary>
    private int[]? Bytes(ReadOnlySpan<char> character)
    {
        Span<byte> utf8 = stackalloc byte[4];
        utf8 = utf8[..Encoding.UTF8.GetBytes(character, utf8)];
        var ids = new int[utf8.Length];
        for (var i = 0; i < ids.Length; i++)
        {
            if (!rules.ByteFallback || byteIds[utf8[i]] is not { } id)
                return null;
            ids[i] = id;
        }

        return ids;
    }

    private void Merge(ReadOnlySpan<char> run, List<int> ids)
    {
        if (mergerByToken is not null)
        {
            var first = ids.Count;
            foreach (var rune in run.EnumerateRunes())
                ids.Add(vocabulary[rune.ToString()]);
            mergerByToken.Merge(ids, first);
            return;
        }

        if (hidesSpaces && run.Contains(' '))
            run = Safe(run.ToString());
        ids.AddRange(merger!.EncodeToIds(run, considerPreTokenization: false, considerNormalization: false));
    }

    private int UnknownId() =>
        Id(rules.UnknownToken!)
        ?? throw new InputException(
            $"{source}: a character of the text has no token, and the unknown token {Quoting.Quote(rules.UnknownToken)} is not in the vocabulary; "
                + "add it or name another."
        );

    private string Safe(string token) => hidesSpaces ? token.Replace(' ', SpaceStandIn) : token;
}
