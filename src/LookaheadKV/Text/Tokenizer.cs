using System.Text;
using LookaheadKV.Checkpoints;

namespace LookaheadKV.Text;

/// <summary>
/// A BPE tokenizer read from a Hugging Face folder: text to ids and back. It is safe to use from several threads. The text is cut at the
/// added tokens, normalized, cut into pre-tokens by code points; then the symbols of each, bytes or characters, are merged.
/// </summary>
public sealed class Tokenizer
{
    private readonly TextRules rules;
    private readonly BytePairMerger merger;
    private readonly PretokenPattern[] patterns;
    private readonly AddedTokenFinder findInText;
    private readonly AddedTokenFinder findInNormalized;
    private readonly Dictionary<string, AddedToken> added;
    private readonly Dictionary<string, int> vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup;
    private readonly int[] byteIds; // ids of the 256 bytes; empty where characters have no bytes
    private readonly int? unknown;
    private readonly Dictionary<int, string> pieces;
    private readonly Dictionary<int, byte[]> bytes;
    private readonly HashSet<int> special;

    /// <summary>Makes the tokenizer that a definition describes.</summary>
    /// <exception cref="InputException">.NET cannot run a split pattern, or normalization is needed and the program has no Unicode tables.</exception>
    public Tokenizer(TokenizerJson definition)
    {
        (Definition, rules) = (definition, definition.Rules);
        if (rules.Normalizers.OfType<TextChange.Form>().Any() && "e\u0301".Normalize(NormalizationForm.FormC) != "\u00e9")
            throw new InputException(
                $"{definition.Source}: it needs Unicode normalization (NFC), which this program runs without; set InvariantGlobalization to false."
            );
        patterns = [.. rules.Patterns.Select(pattern => new PretokenPattern(pattern, definition.Source))];
        added = definition.AddedTokens.ToDictionary(token => token.Content);
        findInText = new AddedTokenFinder(definition.AddedTokens.Where(token => !token.Normalized));
        findInNormalized = new AddedTokenFinder(definition.AddedTokens.Where(token => token.Normalized), rules.Normalize);
        special = [.. definition.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
        vocabulary = new Dictionary<string, int>(definition.Vocabulary);
        lookup = vocabulary.GetAlternateLookup<ReadOnlySpan<char>>();
        byteIds = [.. rules.ByteSpellings.Select(spelling => vocabulary[spelling])];
        unknown = rules.UnknownToken is { } token ? vocabulary[token] : null;
        pieces = vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        bytes = pieces.ToDictionary(entry => entry.Key, entry => BytesOf(entry.Value));
        foreach (var marker in definition.AddedTokens)
        {
            pieces[marker.Id] = marker.Normalized ? rules.Normalize(marker.Content) : marker.Content; // as it was found
            bytes[marker.Id] = Encoding.UTF8.GetBytes(marker.Content);
        }

        VocabularySize = pieces.Keys.Max() + 1;
        merger = new BytePairMerger(RankedMerges(definition, vocabulary));
    }

    /// <summary>What one pre-token becomes: its ids are added to the list.</summary>
    internal delegate void PieceEncoder(ReadOnlySpan<char> piece, List<int> ids);

    /// <summary>What the tokenizer was made from; its <see cref="TokenizerJson.Write"/> writes it again.</summary>
    public TokenizerJson Definition { get; }

    /// <summary>One more than the largest id: ids are 0 .. VocabularySize-1.</summary>
    public int VocabularySize { get; }

    /// <summary>The control tokens, in order of their ids.</summary>
    public IReadOnlyList<AddedToken> SpecialTokens => [.. Definition.AddedTokens.Where(token => token.Special).OrderBy(token => token.Id)];

    /// <summary>Reads a model's tokenizer (its tokenizer.json where it has a tokenizer.model too), or a tokenizer.json or tokenizer.model alone.</summary>
    /// <param name="path">What <see cref="ModelFiles.Open"/> takes, or one of the two files.</param>
    /// <exception cref="InputException">The file is missing, damaged, or asks for something that is not implemented, which is named.</exception>
    public static Tokenizer Load(string path)
    {
        var (files, file) = ModelFiles.Exists(path) ? In(ModelFiles.Open(path)) : ModelFiles.OfFile(path);
        return new Tokenizer(
            Path.GetExtension(file) == ".model" ? SentencePieceReader.Read(files, file) : TokenizerJsonReader.Read(files, file)
        );

        static (ModelFiles, string) In(ModelFiles files) =>
            (
                files,
                FileIn(files)
                    ?? throw new InputException(
                        $"{files.Path}: no {ModelFiles.TokenizerJson} and no {ModelFiles.SentencePiece} in this folder; fetch one of them."
                    )
            );
    }

    /// <summary>Whether a model has a tokenizer that <see cref="Load"/> reads.</summary>
    /// <param name="model">What <see cref="ModelFiles.Open"/> takes.</param>
    public static bool IsIn(string model) => FileIn(ModelFiles.Open(model)) is not null;

    /// <summary>
    /// The ids of a text. No control token is put before or after it; added tokens that stand in it become their ids. Half a surrogate pair
    /// counts as U+FFFD, as in UTF-8.
    /// </summary>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 3 + 8);
        Encode(text, ids, EncodePiece);
        return [.. ids];
    }

    /// <summary>The text of ids; bytes that are not UTF-8, such as half a character at an end, become U+FFFD.</summary>
    /// <param name="ids">Ids in 0 .. <see cref="VocabularySize"/>-1.</param>
    /// <param name="skipSpecial">Leave control tokens out instead of writing their text.</param>
    /// <exception cref="InputException">An id has no token.</exception>
    public string Decode(IEnumerable<int> ids, bool skipSpecial = false)
    {
        var decoder = new StreamingDecoder(this, skipSpecial);
        var text = new StringBuilder();
        foreach (var id in ids)
            text.Append(decoder.Add(id));
        return text.Append(decoder.Finish()).ToString();
    }

    /// <summary>The id of the token whose text is exactly <paramref name="token"/> (" the", an end marker), or null if there is none.</summary>
    public int? Id(string token)
    {
        if (added.TryGetValue(token, out var marker))
            return marker.Id;
        var spelling =
            rules.OverBytes ? ByteLevel.Spell(token)
            : rules.Decoding is { Mark: var mark } ? token.Replace(" ", mark, StringComparison.Ordinal)
            : token;
        return vocabulary.TryGetValue(spelling, out var id) ? id : null;
    }

    /// <summary>The text of one token. A token that is part of a character, or of two, shows U+FFFD for the parts.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    public string Token(int id) => Encoding.UTF8.GetString(Bytes(id));

    /// <summary>The bytes of one token's text.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    internal ReadOnlySpan<byte> Bytes(int id) => bytes.TryGetValue(id, out var token) ? token : throw Unused(id);

    /// <summary>One token as the vocabulary writes it.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    internal string Piece(int id) => pieces.TryGetValue(id, out var piece) ? piece : throw Unused(id);

    /// <summary>Whether an id is a control token's.</summary>
    internal bool IsSpecial(int id) => special.Contains(id);

    /// <summary>Adds a text's ids to a list, with <paramref name="encodePiece"/> deciding what each pre-token becomes.</summary>
    internal void Encode(string text, List<int> ids, PieceEncoder encodePiece)
    {
        var whole = WellFormed(text);
        foreach (var (start, end, token) in findInText.Cut(whole))
        {
            if (token is not null)
                ids.Add(token.Id);
            else
                EncodeNormalized(rules.Normalize(whole[start..end]), start == 0, ids, encodePiece);
        }
    }

    /// <summary>Adds the ids of one pre-token.</summary>
    internal void EncodePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (rules.IgnoreMerges && TryWhole(piece, out var whole))
        {
            ids.Add(whole);
            return;
        }

        var first = ids.Count;
        if (rules.OverBytes)
            AddBytes(piece, ids);
        else
            AddCharacters(piece, ids);
        merger.Merge(ids, first);
    }

    private void EncodeNormalized(string text, bool atStart, List<int> ids, PieceEncoder encodePiece)
    {
        foreach (var (start, end, token) in findInNormalized.Cut(text))
        {
            if (token is not null)
                ids.Add(token.Id);
            else
                EncodePieces(text.AsSpan(start, end - start), atStart && start == 0, ids, encodePiece);
        }
    }

    private void EncodePieces(ReadOnlySpan<char> stretch, bool atStart, List<int> ids, PieceEncoder encodePiece)
    {
        var text = rules.Prefix is { } prefix ? prefix.Apply(stretch.ToString(), atStart) : stretch;
        var ends = new List<int>(text.Length / 4 + 4) { text.Length };
        foreach (var pattern in patterns)
            ends = pattern.Refine(text, ends);
        var start = 0;
        foreach (var end in ends)
        {
            encodePiece(text[start..end], ids);
            start = end;
        }
    }

    private bool TryWhole(ReadOnlySpan<char> piece, out int id) =>
        rules.OverBytes ? vocabulary.TryGetValue(ByteLevel.Spell(piece), out id) : lookup.TryGetValue(piece, out id);

    private void AddBytes(ReadOnlySpan<char> text, List<int> ids)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            foreach (var value in utf8[..rune.EncodeToUtf8(utf8)])
                ids.Add(byteIds[value]);
        }
    }

    private void AddCharacters(ReadOnlySpan<char> text, List<int> ids)
    {
        var afterUnknown = false;
        for (var at = 0; at < text.Length; )
        {
            Rune.DecodeFromUtf16(text[at..], out _, out var length);
            var character = text.Slice(at, length);
            at += length;
            var known = lookup.TryGetValue(character, out var id);
            if (known)
                ids.Add(id);
            else if (byteIds.Length > 0)
                AddBytes(character, ids);
            else if (!(afterUnknown && rules.FuseUnknown))
                ids.Add(unknown!.Value);
            afterUnknown = !known;
        }
    }

    private byte[] BytesOf(string piece)
    {
        if (rules.Decoding is not { } decoding)
            return ByteLevel.Unspell(piece) ?? Encoding.UTF8.GetBytes(piece);
        return decoding.ByteTokens && ByteTokens.Value(piece) is { } value
            ? [value]
            : Encoding.UTF8.GetBytes(piece.Replace(decoding.Mark, " ", StringComparison.Ordinal));
    }

    private InputException Unused(int id) =>
        new(
            $"token id {id} is not in the vocabulary of {Definition.Source}; its ids are 0 to {VocabularySize - 1}"
                + (id >= 0 && id < VocabularySize ? $", and {id} is one of those that are not used." : ".")
        );

    private static string? FileIn(ModelFiles files) =>
        new[] { ModelFiles.TokenizerJson, ModelFiles.SentencePiece }.FirstOrDefault(files.Has);

    private static IEnumerable<(int, int, int, int)> RankedMerges(TokenizerJson definition, Dictionary<string, int> vocabulary)
    {
        var (rank, before) = (-1, -1);
        foreach (var (left, right) in definition.Merges)
        {
            var joined = vocabulary[left + right];
            if (!definition.Rules.RankByToken || joined != before)
                rank++;
            before = joined;
            yield return (vocabulary[left], vocabulary[right], rank, joined);
        }
    }

    /// <summary>The text with U+FFFD for every lone surrogate, which a pass through UTF-8 gives.</summary>
    internal static string WellFormed(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;
}
