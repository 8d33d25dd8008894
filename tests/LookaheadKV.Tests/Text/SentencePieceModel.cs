using System.Text;
using Google.Protobuf;
using LookaheadKV.Text;

namespace LookaheadKV.Tests.Text;

/// <summary>SentencePiece models written by hand, and their encoding by the naive rule: always join the pair of the best score.</summary>
internal sealed class SentencePieceModel
{
    public const int Normal = 1;
    public const int Unknown = 2;
    public const int Control = 3;
    public const int UserDefined = 4;
    public const int Byte = 6;

    public List<(string Text, float Score, int Kind)> Pieces { get; } = [];
    public int ModelType { get; init; } = 2;
    public bool ByteFallback { get; init; } = true;
    public bool DummyPrefix { get; init; } = true;
    public bool RemovesExtraSpaces { get; init; }
    public string CharacterMap { get; init; } = "";

    private (Dictionary<string, int> Ids, Dictionary<string, float> Scores)? tables;

    private static readonly Lazy<string[]> Learned = new(() =>
    {
        var merged = Samples
            .Definition.Merges.Select(merge => ByteLevel.Unspell(merge.Left + merge.Right)!)
            .Where(bytes => System.Text.Unicode.Utf8.IsValid(bytes))
            .Select(bytes => Encoding.UTF8.GetString(bytes).Replace(' ', '▁'));
        var letters = string.Concat(Samples.Templates(50)).EnumerateRunes().Select(rune => rune.ToString()).Where(text => text != " ");
        return [.. merged.Concat(letters.Append("▁")).Distinct().Where(text => text is not ("<" or "|"))];
    });

    /// <summary>The text tokens of the sample vocabulary with "▁" for the space, best first as they were learned.</summary>
    public static SentencePieceModel Sample(bool byteFallback = true)
    {
        var model = new SentencePieceModel { ByteFallback = byteFallback };
        model.Pieces.AddRange([("<unk>", 0, Unknown), ("<s>", 0, Control), ("</s>", 0, Control)]);
        for (var value = 0; value < 256 && byteFallback; value++)
            model.Pieces.Add(($"<0x{value:X2}>", 0, Byte));
        var score = 0f;
        foreach (var text in Learned.Value)
            model.Pieces.Add((text, score--, Normal));
        return model;
    }

    public void Write(string path)
    {
        using var stream = File.Create(path);
        using var output = new CodedOutputStream(stream);
        foreach (var (text, score, kind) in Pieces)
            Message(output, 1, piece => WritePiece(piece, text, score, kind));
        Message(
            output,
            2,
            trainer =>
            {
                Field(trainer, 3, ModelType);
                Field(trainer, 4, Pieces.Count); // one that the reader skips
                Field(trainer, 35, ByteFallback ? 1 : 0);
            }
        );
        Message(
            output,
            3,
            normalizer =>
            {
                normalizer.WriteTag(1, WireFormat.WireType.LengthDelimited);
                normalizer.WriteString(CharacterMap.Length > 0 ? "nmt_nfkc" : "identity");
                normalizer.WriteTag(2, WireFormat.WireType.LengthDelimited);
                normalizer.WriteString(CharacterMap);
                Field(normalizer, 3, DummyPrefix ? 1 : 0);
                Field(normalizer, 4, RemovesExtraSpaces ? 1 : 0);
            }
        );
    }

    /// <summary>Ids of a text without control tokens in it.</summary>
    public List<int> Encode(string text)
    {
        var (ids, scores) = tables ??= (
            Pieces.Select((piece, id) => (piece.Text, id)).ToDictionary(),
            Pieces.Where(piece => piece.Kind == Normal).ToDictionary(piece => piece.Text, piece => piece.Score)
        );
        var marked = text.Length == 0 ? "" : (DummyPrefix ? "▁" : "") + text.Replace(' ', '▁');
        var row = marked.EnumerateRunes().Select(rune => rune.ToString()).ToList();
        while (true)
        {
            var (best, place) = (float.NegativeInfinity, -1);
            for (var i = 1; i < row.Count; i++)
            {
                if (scores.TryGetValue(row[i - 1] + row[i], out var score) && score > best)
                    (best, place) = (score, i - 1);
            }

            if (place < 0)
                break;
            row[place] += row[place + 1];
            row.RemoveAt(place + 1);
        }

        var encoded = new List<int>();
        foreach (var piece in row)
        {
            if (scores.ContainsKey(piece))
                encoded.Add(ids[piece]);
            else if (ByteFallback)
                encoded.AddRange(Encoding.UTF8.GetBytes(piece).Select(value => ids[$"<0x{value:X2}>"]));
            else if (encoded.Count == 0 || encoded[^1] != 0)
                encoded.Add(0); // unknown characters in a row are one
        }

        return encoded;
    }

    private static void WritePiece(CodedOutputStream output, string text, float score, int kind)
    {
        output.WriteTag(1, WireFormat.WireType.LengthDelimited);
        output.WriteString(text);
        output.WriteTag(2, WireFormat.WireType.Fixed32);
        output.WriteFloat(score);
        Field(output, 3, kind);
    }

    private static void Field(CodedOutputStream output, int number, int value)
    {
        output.WriteTag(number, WireFormat.WireType.Varint);
        output.WriteInt32(value);
    }

    private static void Message(CodedOutputStream output, int number, Action<CodedOutputStream> write)
    {
        using var bytes = new MemoryStream();
        using (var inner = new CodedOutputStream(bytes, leaveOpen: true))
            write(inner);
        output.WriteTag(number, WireFormat.WireType.LengthDelimited);
        output.WriteBytes(ByteString.CopyFrom(bytes.ToArray()));
    }
}
