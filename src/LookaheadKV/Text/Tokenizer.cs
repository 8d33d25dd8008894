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
    private readonly BpeModel model;
    private readonly AddedTokenFinder findInText;
    private readonly AddedTokenFinder findInNormalized;
    private readonly Dictionary<string, AddedToken> added;
    private readonly Dictionary<int, string> pieces;
    private readonly Dictionary<int, string> special;

    /// <summary>Makes the tokenizer that a definition describes.</summary>
    /// <exception cref="InputException">Normalization is needed and the program has no Unicode tables.</exception>
    public Tokenizer(TokenizerJson definition)
    {
        (Definition, rules) = (definition, definition.Rules);
        if (rules.Normalizers.OfType<TextChange.Form>().Any() && "e\u0301".Normalize(NormalizationForm.FormC) != "\u00e9")
            throw new InputException(
                $"{definition.Source}: it needs Unicode normalization (NFC), which this program runs without; set InvariantGlobalization to false."
            );
        added = definition.AddedTokens.ToDictionary(token => token.Content);
        findInText = new AddedTokenFinder(definition.AddedTokens.Where(token => !token.Normalized));
        findInNormalized = new AddedTokenFinder(definition.AddedTokens.Where(token => token.Normalized), rules.Normalize);
        special = definition.AddedTokens.Where(token => token.Special).ToDictionary(token => token.Id, token => token.Content);
        pieces = definition.Vocabulary.ToDictionary(entry => entry.Value, entry => entry.Key);
        foreach (var marker in definition.AddedTokens)
            pieces[marker.Id] = marker.Normalized ? rules.Normalize(marker.Content) : marker.Content; // as it was found
        VocabularySize = pieces.Keys.DefaultIfEmpty(-1).Max() + 1;
        model = new BpeModel(definition);
    }

    /// <summary>What the tokenizer was made from; its <see cref="TokenizerJson.Write"/> writes it again.</summary>
    public TokenizerJson Definition { get; }

    /// <summary>One more than the largest id: ids are 0 .. VocabularySize-1.</summary>
    public int VocabularySize { get; }

    /// <summary>The control tokens, in order of their ids.</summary>
    public IReadOnlyList<AddedToken> SpecialTokens => [.. Definition.AddedTokens.Where(token => token.Special).OrderBy(token => token.Id)];

    /// <summary>
    /// Reads a model's tokenizer (its tokenizer.json where it has a tokenizer.model too), or a tokenizer.json or tokenizer.model alone, with
    /// what the tokenizer_config.json beside it says of control tokens.
    /// </summary>
    /// <param name="path">What <see cref="ModelFiles.Open"/> takes, or one of the two files.</param>
    /// <exception cref="InputException">A file is missing, damaged, or asks for something that is not implemented, which is named.</exception>
    public static Tokenizer Load(string path)
    {
        var (files, file) = ModelFiles.Exists(path) ? In(ModelFiles.Open(path)) : ModelFiles.OfFile(path);
        var definition =
            Path.GetExtension(file) == ".model" ? SentencePieceReader.Read(files, file) : TokenizerJsonReader.Read(files, file);
        return new Tokenizer(definition.With(TokenizerConfig.Read(files)));

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
        var whole = WellFormed(text);
        foreach (var (start, end, token) in findInText.Cut(whole))
        {
            if (token is not null)
                ids.Add(token.Id);
            else
                EncodeNormalized(rules.Normalize(whole[start..end]), start == 0, ids);
        }

        return [.. ids];
    }

    /// <summary>The control tokens that a raw prompt begins with, such as the begin token; none where the tokenizer's files ask for none.</summary>
    public IReadOnlyList<int> PromptBegin => rules.Ends.Before;

    /// <summary>
    /// The ids of a whole raw prompt: those of its text, and around them the control tokens that the tokenizer's files ask for, such as the
    /// begin token. One that the text starts with itself is not put before it again. A rendered chat is no raw prompt: it has its own.
    /// </summary>
    public int[] EncodePrompt(string text)
    {
        var ids = Encode(text);
        var (before, behind) = (rules.Ends.Before, rules.Ends.Behind);
        return [.. ids.Take(before.Count).SequenceEqual(before) ? [] : before, .. ids, .. behind];
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
        return model.Id(
            rules.OverBytes ? ByteLevel.Spell(token)
            : rules.Mark is { } mark ? token.Replace(" ", mark)
            : token
        );
    }

    /// <summary>The text of one token. A token that is part of a character, or of two, shows U+FFFD for the parts.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    public string Token(int id)
    {
        var piece = Piece(id);
        return added.ContainsKey(piece) ? piece : rules.TextOf(piece);
    }

    /// <summary>One token as the vocabulary writes it.</summary>
    /// <exception cref="InputException">The id has no token.</exception>
    internal string Piece(int id) =>
        pieces.TryGetValue(id, out var piece)
            ? piece
            : throw new InputException(
                $"token id {id} is not in the vocabulary of {Definition.Source}; its ids are 0 to {VocabularySize - 1}"
                    + (id >= 0 && id < VocabularySize ? $", and {id} is one of those that are not used." : ".")
            );

    /// <summary>The text of a control token; null for an id that is none's.</summary>
    internal string? ControlToken(int id) => special.GetValueOrDefault(id);

    /// <summary>The text with U+FFFD for every lone surrogate, which a pass through UTF-8 gives.</summary>
    internal static string WellFormed(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;

    private void EncodeNormalized(string text, bool atStart, List<int> ids)
    {
        foreach (var (start, end, token) in findInNormalized.Cut(text))
        {
            if (token is not null)
                ids.Add(token.Id);
            else
                EncodeStretch(new Pretoken(text.AsMemory(start..end), atStart && start == 0), ids);
        }
    }

    private void EncodeStretch(Pretoken stretch, List<int> ids)
    {
        List<Pretoken> pretokens = [stretch];
        foreach (var step in rules.PreTokenizers)
        {
            var smaller = new List<Pretoken>(pretokens.Count);
            foreach (var pretoken in pretokens)
                step.Cut(pretoken, smaller);
            pretokens = smaller;
        }

        foreach (var pretoken in pretokens)
            model.Encode(pretoken.Text.Span, ids);
    }

    private static string? FileIn(ModelFiles files) =>
        new[] { ModelFiles.TokenizerJson, ModelFiles.SentencePiece }.FirstOrDefault(files.Has);
}
