using LookaheadKV.Files;

namespace LookaheadKV.Text;

/// <summary>Reads the decoders of a tokenizer.json.</summary>
internal static class DecoderReader
{
    public static IReadOnlyList<TokenDecoder> Read(JsonField field)
    {
        if (!field.Present)
            return [new TokenDecoder.Spaced()];
        var decoders = new List<TokenDecoder>();
        var fused = false;
        foreach (var step in TokenizerJsonReader.Steps(field, "decoders"))
        {
            switch (step["type"].Text())
            {
                case "Fuse":
                    fused = true; // text that comes in pieces is one text all the same
                    break;
                case "Strip" when step["stop"].Integer() == 0:
                    decoders.Add(
                        new TokenDecoder.Strip(PreTokenizerReader.Character(step["content"])[0], step["start"].Integer(), OfText: fused)
                    );
                    break;
                case "Strip":
                    throw step["stop"].Unsupported("0, since text is decoded from its start on");
                case var other when fused:
                    throw step["type"].Unsupported($"only Strip behind Fuse, or behind ByteLevel (not {other})");
                default:
                    decoders.Add(OfTokens(step));
                    fused = decoders[^1] is TokenDecoder.SpelledBytes;
                    break;
            }
        }

        return decoders;
    }

    private static TokenDecoder OfTokens(JsonField step) =>
        step["type"].Text() switch
        {
            "ByteLevel" => new TokenDecoder.SpelledBytes(),
            "ByteFallback" => new TokenDecoder.ByteFallback(),
            "Metaspace" => new TokenDecoder.Metaspace(PreTokenizerReader.Character(step["replacement"]), PreTokenizerReader.Scheme(step)),
            "Replace" => new TokenDecoder.Replace(TokenizerJsonReader.NotEmpty(step["pattern"]["String"]), step["content"].Text()),
            _ => throw step["type"]
                .Unsupported("the decoders ByteLevel, ByteFallback, Metaspace, Replace (of a String), Fuse, Strip and a Sequence of them"),
        };
}
