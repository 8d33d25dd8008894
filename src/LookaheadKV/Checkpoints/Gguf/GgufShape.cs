namespace LookaheadKV.Checkpoints.Gguf;

/// <summary>The sizes that say how a model's tensors are laid out.</summary>
internal sealed record GgufShape(int Layers, int Width, int QueryHeads, int KeyValueHeads, int HeadSize, int Vocabulary)
{
    /// <exception cref="InputException">A size is missing, or they do not fit each other.</exception>
    public static GgufShape Of(GgufFile file, GgufFamily family)
    {
        var metadata = file.Metadata;
        var width = metadata.Count(family.Key("embedding_length"));
        var heads = metadata.CountOfLayers(family.Key("attention.head_count"));
        var size = metadata.Count(family.Key("attention.key_length"), Math.Max(1, width / heads));
        RequireSize("attention.value_length");
        RequireSize("rope.dimension_count");
        return new(
            Layers(),
            width,
            heads,
            metadata.CountOfLayers(family.Key("attention.head_count_kv"), heads),
            size,
            file.Find("token_embd.weight") is { Shape: [> 0 and <= int.MaxValue and var rows, _] }
                ? (int)rows
                : throw new InputException(
                    $"{metadata.Path}: there is no tensor token_embd.weight of two dimensions; fetch or convert the file again."
                )
        );

        // Values of another size than keys, and heads that are rotated in part, are not implemented.
        void RequireSize(string setting)
        {
            if (metadata.Count(family.Key(setting), size) is var other && other != size)
                throw metadata.Wrong(family.Key(setting), $"{size}, the size of a head");
        }

        // Every layer has tensors: a number beyond theirs is damage, and would make lists of that length.
        int Layers()
        {
            var layers = metadata.Count(family.Key("block_count"));
            return layers <= file.Tensors.Count()
                ? layers
                : throw metadata.Wrong(family.Key("block_count"), $"at most the file's {file.Tensors.Count()} tensors");
        }
    }
}
