using Google.Protobuf;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>
/// Reads a SentencePiece model (tokenizer.model) of the BPE kind, as Llama 2 and Mistral have. Its merges are every split of a piece into
/// two other pieces, with the score of the piece; what would tokenize differently is refused by name.
/// </summary>
internal static class SentencePieceReader
{
    private const string Mark = "▁";

    private sealed class Model
    {
        public List<ScoredPiece> Pieces { get; } = [];
        public int Type { get; set; } = 1;
        public bool ByteFallback { get; set; }
        public string NormalizerName { get; set; } = "";
        public bool HasCharacterMap { get; set; }
        public bool DummyPrefix { get; set; } = true;
        public bool RemovesExtraSpaces { get; set; } = true;
        public bool EscapesSpaces { get; set; } = true;
        public bool SpaceIsSuffix { get; set; }
    }

    /// <summary>Reads the model; the tokenizer_config.json beside it adds its tokens.</summary>
    public static TokenizerJson Read(ModelFiles files, string file)
    {
        var (path, config) = (files.NameOf(file), TokenizerConfig.Read(files));
        var bytes = files.Bytes(file);
        Model model;
        try
        {
            model = Parse(bytes);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new InputException($"{path}: not a SentencePiece model ({Quoting.OneLine(error.Message)}); fetch the file again.", error);
        }

        if (model.Pieces.Count == 0)
            throw new InputException($"{path}: not a SentencePiece model (it holds no pieces); fetch the file again.");
        Check(path, model);
        return Definition(path, model, config);
    }

    private static TokenizerJson Definition(string path, Model model, TokenizerConfig config)
    {
        var vocabulary = new Dictionary<string, int>();
        foreach (var (id, piece) in model.Pieces.Index())
        {
            if (!vocabulary.TryAdd(piece.Text, id))
                throw new InputException($"{path}: piece {Quoting.Quote(piece.Text)} is listed twice; the file is damaged.");
        }

        var added = model
            .Pieces.Index()
            .Where(entry => entry.Item.Kind is PieceKind.Control or PieceKind.Unknown or PieceKind.UserDefined)
            .Select(entry => new AddedToken(entry.Index, entry.Item.Text, entry.Item.Kind != PieceKind.UserDefined))
            .Where(token => config.AddedTokens.All(other => other.Id != token.Id && other.Content != token.Content));
        var unknown = model.Pieces.Find(piece => piece.Kind == PieceKind.Unknown)?.Text;
        var begin = config.BeginToken ?? model.Pieces.Find(piece => piece is { Kind: PieceKind.Control, Text: "<s>" })?.Text;
        // The form before `legacy: false` puts a space before every stretch of text between control tokens, as SentencePiece does.
        var prefixed = model.DummyPrefix && config.AddPrefixSpace != false;
        return new TokenizerJson(
            vocabulary,
            ScoredPiece.Merges(model.Pieces),
            [.. added, .. config.AddedTokens],
            new TextRules
            {
                Normalizers = config.IsLegacy
                    ? [.. prefixed ? [new TextChange.Prepend(Mark)] : (TextChange[])[], new TextChange.Replace(" ", Mark)]
                    : [],
                PreTokenizers = config.IsLegacy
                    ? []
                    : [new PreTokenizer.Metaspace(Mark, prefixed ? PrefixScheme.First : PrefixScheme.Never, SplitsWords: false)],
                ByteFallback = model.ByteFallback,
                UnknownToken = unknown,
                FuseUnknown = true,
                RankByToken = true,
                Decoders =
                [
                    new TokenDecoder.Replace(Mark, " "),
                    .. model.ByteFallback ? [new TokenDecoder.ByteFallback()] : (TokenDecoder[])[],
                    new TokenDecoder.Strip(' ', prefixed ? 1 : 0, OfText: true),
                ],
                // The Llama classes, whose files these are, begin a prompt with it unless told otherwise.
                Ends = new PromptEnds(begin is not null && vocabulary.TryGetValue(begin, out var beginId) ? [beginId] : [], []),
            },
            path
        );
    }

    private static void Check(string path, Model model)
    {
        if (model.Type != 2)
            throw Refused(
                "model_type",
                model.Type switch
                {
                    1 => "unigram",
                    3 => "word",
                    4 => "char",
                    var other => other.ToString(),
                },
                "bpe"
            );
        if (model.HasCharacterMap)
            throw Refused("the normalizer", model.NormalizerName, "identity");
        if (model.RemovesExtraSpaces)
            throw Refused("remove_extra_whitespaces", "true", "false");
        if (!model.EscapesSpaces)
            throw Refused("escape_whitespaces", "false", "true");
        if (model.SpaceIsSuffix)
            throw Refused("treat_whitespace_as_suffix", "true", "false");
        var bytes = model.Pieces.Where(piece => piece.Kind == PieceKind.Byte).Select(piece => piece.Text).ToHashSet();
        if (model.ByteFallback && ByteTokens.All.FirstOrDefault(token => !bytes.Contains(token)) is { } missing)
            throw Refused("byte_fallback", $"true without {missing}", "all 256 byte pieces with it");
        if (model.Pieces.Find(piece => piece.Kind == PieceKind.Unused) is { } unused)
            throw Refused("a piece's type", $"unused ({unused.Text})", "normal, unknown, control, user_defined and byte");

        InputException Refused(string what, string is_, string allowed) =>
            new(
                $"{path}: {what} is {Quoting.Quote(is_)}; this reader of SentencePiece models takes {allowed}. A tokenizer.json may serve instead."
            );
    }

    // The messages of sentencepiece_model.proto, of each the fields that matter here.
    private static Model Parse(byte[] bytes)
    {
        var model = new Model();
        foreach (var (field, input) in Fields(bytes))
        {
            if (field == 1)
                model.Pieces.Add(ParsePiece(input.ReadBytes().ToByteArray()));
            else if (field == 2)
                ParseTrainer(model, input.ReadBytes().ToByteArray());
            else if (field == 3)
                ParseNormalizer(model, input.ReadBytes().ToByteArray());
            else
                input.SkipLastField();
        }

        return model;
    }

    private static ScoredPiece ParsePiece(byte[] bytes)
    {
        var (text, score, kind) = ("", 0f, PieceKind.Normal);
        foreach (var (field, input) in Fields(bytes))
        {
            if (field == 1)
                text = input.ReadString();
            else if (field == 2)
                score = input.ReadFloat();
            else if (field == 3)
                kind = (PieceKind)input.ReadEnum();
            else
                input.SkipLastField();
        }

        return new ScoredPiece(text, score, kind);
    }

    private static void ParseTrainer(Model model, byte[] bytes)
    {
        foreach (var (field, input) in Fields(bytes))
        {
            if (field == 3)
                model.Type = input.ReadEnum();
            else if (field == 24)
                model.SpaceIsSuffix = input.ReadBool();
            else if (field == 35)
                model.ByteFallback = input.ReadBool();
            else
                input.SkipLastField();
        }
    }

    private static void ParseNormalizer(Model model, byte[] bytes)
    {
        foreach (var (field, input) in Fields(bytes))
        {
            if (field == 1)
                model.NormalizerName = input.ReadString();
            else if (field == 2)
                model.HasCharacterMap = input.ReadBytes().Length > 0;
            else if (field == 3)
                model.DummyPrefix = input.ReadBool();
            else if (field == 4)
                model.RemovesExtraSpaces = input.ReadBool();
            else if (field == 5)
                model.EscapesSpaces = input.ReadBool();
            else
                input.SkipLastField();
        }
    }

    /// <summary>The numbers of a message's fields, one after the other; the stream stands at each field's value, to be read or skipped.</summary>
    private static IEnumerable<(int Field, CodedInputStream Input)> Fields(byte[] bytes)
    {
        using var input = new CodedInputStream(bytes);
        while (input.ReadTag() is > 0 and var tag)
            yield return (WireFormat.GetTagFieldNumber(tag), input);
    }
}
