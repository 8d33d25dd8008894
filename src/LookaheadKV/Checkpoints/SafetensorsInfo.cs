using static TorchSharp.torch;

namespace LookaheadKV.Checkpoints;

/// <summary>What a safetensors file says of one tensor.</summary>
/// <param name="DType">Element type.</param>
/// <param name="Shape">Sizes; empty for a scalar, with a zero for an empty tensor.</param>
/// <param name="Begin">First byte, counted from the start of the file.</param>
/// <param name="End">One past the last byte.</param>
public sealed record SafetensorsInfo(ScalarType DType, IReadOnlyList<long> Shape, long Begin, long End)
{
    /// <summary>Bytes of the tensor.</summary>
    public long Bytes => End - Begin;
}
