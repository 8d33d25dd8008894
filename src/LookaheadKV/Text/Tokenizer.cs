using System.Text;
using Microsoft.ML.Tokenizers;

namespace LookaheadKV.Text;

/// <summary>
/// A byte-level BPE tokenizer read from a Hugging Face tokenizer.json: text to ids and back, without loss. Safe to use from several
/// threads. It cuts the text itself (added tokens, normalization, pre-tokens by code points); Microsoft.ML.Tokenizers merges the pieces.
/// </summary>
public sealed class Tokenizer
{
    private readonly BpeTokenizer merger;
    private readonly PretokenPattern pattern;
    private readonly AddedTokenFinder findInText;
    private readonly AddedTokenFinder findInNormalized;
    private readonly Dictionary<string, AddedToken> added;
    private readonly Dictionary<int, byte[]> bytes;
    private readonly HashSet<int> special;

    /// <summary>Makes the tokenizer that a definition describes.</summary>
    /// <exception cref="InputException">.NET cannot run its split pattern, or it needs NFC and the program has no Unicode tables.</exception>
    public Tokenizer(TokenizerJson definition)
    {
        Definition = definition;
        if (definition.NormalizeNfc && "e\u0301".Normalize(NormalizationForm.FormC) != "\u00e9")
            throw new InputException(
                $"{definition.Source}: it needs Unicode normalization (NFC), which this program runs without; set InvariantGlobalization to false."
            );
        pattern = new PretokenPattern(definition.Pattern, definition.Source);
        added = definition.AddedTokens.ToDictionary(token => token.Content);
        findInText = new AddedTokenFinder(definition.AddedTokens.Where(token => !token.Normalized));
        findInNormalized = new AddedTokenFinder(definition.AddedTokens.Where(token => token.Normalized));
        special = [.. definition.AddedTokens.Where(token => token.Special).Select(token => token.Id)];
        bytes = BytesById(definition);
        VocabularySize = bytes.Keys.Max() + 1;
        merger = BpeTokenizer.Create(
            new BpeOptions(definition.Vocabulary)
            {
                ByteLevel = true,
                Merges = definition.Merges.Select(merge => $"{merge.Left} {merge.Right}"),
            }
        );
    }

    /// <summary>What one pre-token becomes: its ids are added to the list.</summary>
    internal delegate void PieceEncoder(ReadOnlySpan<char> piece, List<int> ids);

    /// <summary>What the tokenizer was made from; its <see cref="TokenizerJson.Write"/> writes it again.</summary>
    public TokenizerJson Definition { get; }

    /// <summary>One more than the largest id: ids are 0 .. VocabularySize-1.</summary>
    public int VocabularySize { get; }

    /// <summary>The control tokens, in order of their ids.</summary>
    public IReadOnlyList<AddedToken> SpecialTokens => [.. Definition.AddedTokens.Where(token => token.Special).OrderBy(token => token.Id)];

    /// <summary>Reads a tokenizer.json, or the one in a folder.</summary>
    /// <exception cref="InputException">The file is missing, damaged, or asks for something other than byte-level BPE.</exception>
    public static Tokenizer Load(string folderOrFile) =>
        new(TokenizerJson.Read(Directory.Exists(folderOrFile) ? Path.Combine(folderOrFile, "tokenizer.json") : folderOrFile));

    /// <summary>
    /// The ids of a text. Nothing is put before or after it; added tokens that stand in it become their ids. Half a surrogate pair counts
    /// as U+FFFD, as in UTF-8.
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
        var text = new MemoryStream();
        foreach (var id in ids)
        {
            var token = Bytes(id);
            if (!skipSpecial || !special.Contains(id))
                text.Write(token);
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length);
    }

    /// <summary>The id of the token whose text is exactly <paramref name="token"/> (" the", an end marker), or null if there is none.</summary>
    public int? Id(string token)
    {
        if (added.TryGetValue(token, out var marker))
            return marker.Id;
        return Definition.Vocabulary.TryGetValue(ByteLevel.Spell(token), out var id) ? id : null;
    }

    /// <summary>The text of one token. A token that is part of a character, or of two, shows U+FFFD for the parts.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    public string Token(int id) => Encoding.UTF8.GetString(Bytes(id));

    /// <summary>Adds a text's ids to a list, with <paramref name="encodePiece"/> deciding what each pre-token becomes.</summary>
    internal void Encode(string text, List<int> ids, PieceEncoder encodePiece)
    {
        var rest = WellFormed(text).AsSpan();
        while (findInText.Find(rest, out var start, out var token))
        {
            EncodeNormalized(rest[..start], ids, encodePiece);
            ids.Add(token.Id);
            rest = rest[(start + token.Content.Length)..];
        }

        EncodeNormalized(rest, ids, encodePiece);
    }

    /// <summary>Adds the ids of one pre-token.</summary>
    internal void EncodePiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (Definition.IgnoreMerges && Definition.Vocabulary.TryGetValue(ByteLevel.Spell(piece), out var whole))
            ids.Add(whole);
        else
            ids.AddRange(merger.EncodeToIds(piece, considerPreTokenization: false, considerNormalization: false));
    }

    private void EncodeNormalized(ReadOnlySpan<char> text, List<int> ids, PieceEncoder encodePiece)
    {
        var rest = text;
        if (Definition.NormalizeNfc && !Ascii.IsValid(text))
            rest = text.ToString().Normalize(NormalizationForm.FormC);
        while (findInNormalized.Find(rest, out var start, out var token))
        {
            EncodePieces(rest[..start], ids, encodePiece);
            ids.Add(token.Id);
            rest = rest[(start + token.Content.Length)..];
        }

        EncodePieces(rest, ids, encodePiece);
    }

    private void EncodePieces(ReadOnlySpan<char> text, List<int> ids, PieceEncoder encodePiece)
    {
        var ends = new List<int>(text.Length / 4 + 4);
        pattern.Split(text, ends);
        var start = 0;
        foreach (var end in ends)
        {
            encodePiece(text[start..end], ids);
            start = end;
        }
    }

    private byte[] Bytes(int id) =>
        bytes.TryGetValue(id, out var token)
            ? token
            : throw new InputException(
                $"token id {id} is not in the vocabulary of {Definition.Source}; its ids are 0 to {VocabularySize - 1}"
                    + (id >= 0 && id < VocabularySize ? $", and {id} is one of those that are not used." : ".")
            );

    private static Dictionary<int, byte[]> BytesById(TokenizerJson definition)
    {
        var bytes = new Dictionary<int, byte[]>();
        foreach (var (spelling, id) in definition.Vocabulary)
            bytes[id] = ByteLevel.Unspell(spelling) ?? Encoding.UTF8.GetBytes(spelling);
        foreach (var token in definition.AddedTokens)
            bytes[token.Id] = Encoding.UTF8.GetBytes(token.Content);
        return bytes;
    }

    /// <summary>The text with U+FFFD for every lone surrogate, which a pass through UTF-8 gives.</summary>
    internal static string WellFormed(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;
}
