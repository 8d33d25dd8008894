namespace LookaheadKV.Pretraining;

/// <summary>
/// Shape of a small Llama-style decoder that is trained from nothing: RMSNorm, rotary positions in the rotate-half convention, grouped
/// attention, SwiGLU, and an output head tied to the embedding. The defaults are the shipped model (4.95M parameters).
/// </summary>
public sealed record TrainableDecoderConfig
{
    /// <summary>Number of token ids, V.</summary>
    public int VocabularySize { get; init; } = 2048;

    /// <summary>Model width E.</summary>
    public int Width { get; init; } = 256;

    /// <summary>Number of layers L.</summary>
    public int Layers { get; init; } = 6;

    /// <summary>Query heads H, a multiple of <see cref="KeyValueHeads"/>.</summary>
    public int QueryHeads { get; init; } = 4;

    /// <summary>Key/value heads G.</summary>
    public int KeyValueHeads { get; init; } = 2;

    /// <summary>Head size D, even.</summary>
    public int HeadSize { get; init; } = 64;

    /// <summary>Width F of the gated feed-forward block.</summary>
    public int IntermediateSize { get; init; } = 704;

    /// <summary>Base of the rotary frequencies.</summary>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Added to the mean square inside every RMSNorm.</summary>
    public double RmsNormEpsilon { get; init; } = 1e-5;

    /// <summary>Longest sequence the rotary tables are made for.</summary>
    public int MaxPositions { get; init; } = 2304;

    /// <summary>Returns this configuration if its numbers fit together.</summary>
    /// <exception cref="InputException">A size is not positive, the head size is odd, or the heads do not divide.</exception>
    public TrainableDecoderConfig Checked()
    {
        (string Name, int Value)[] sizes =
        [
            (nameof(VocabularySize), VocabularySize),
            (nameof(Width), Width),
            (nameof(Layers), Layers),
            (nameof(QueryHeads), QueryHeads),
            (nameof(KeyValueHeads), KeyValueHeads),
            (nameof(HeadSize), HeadSize),
            (nameof(IntermediateSize), IntermediateSize),
            (nameof(MaxPositions), MaxPositions),
        ];
        foreach (var (name, value) in sizes)
            if (value < 1)
                throw new InputException($"model {name} is {value}: it must be at least 1; correct it in the plan");
        if (HeadSize % 2 != 0)
            throw new InputException($"model HeadSize is {HeadSize}: rotary positions need an even head size; choose an even one");
        if (QueryHeads % KeyValueHeads != 0)
            throw new InputException($"model QueryHeads is {QueryHeads}: it must be a multiple of KeyValueHeads, {KeyValueHeads}");
        if (!(RopeTheta > 0) || !(RmsNormEpsilon > 0))
            throw new InputException($"model RopeTheta is {RopeTheta} and RmsNormEpsilon {RmsNormEpsilon}: both must be above 0");
        return this;
    }
}
