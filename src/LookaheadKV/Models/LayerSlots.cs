using static TorchSharp.torch;

namespace LookaheadKV.Models;

/// <summary>
/// The order in which compiled functions get what a layer is made of: weight and bias of each map, by <see cref="LinearName"/>, then the norms, by
/// <see cref="NormName"/>. The lists and the indices of <see cref="DecoderLayer"/>'s text are both made here; an empty tensor stands where there is nothing.
/// </summary>
internal static class LayerSlots
{
    /// <summary>Tensors of one layer.</summary>
    public static int Count => 2 * LinearNames.All.Count + NormNames.All.Count;

    /// <summary>Tensors of a layer's low-rank pairs: A, B and scale of each map.</summary>
    public static int PairCount => 3 * LinearNames.All.Count;

    /// <summary>What stands where a layer has nothing; nobody's to dispose.</summary>
    public static Tensor None { get; } = empty(0).DetachFromDisposeScope();

    /// <summary>Pairs of a layer without any.</summary>
    public static Tensor[] NoPairs { get; } = [.. Enumerable.Repeat(None, PairCount)];

    /// <summary>The index of a norm; a map's weight stands at twice its number, its bias behind it.</summary>
    public static int Of(NormName name) => 2 * LinearNames.All.Count + (int)name;

    /// <summary>A layer's list.</summary>
    public static T[] List<T>(Func<LinearName, T> weight, Func<LinearName, T> bias, Func<NormName, T> norm) =>
        [.. LinearNames.All.SelectMany(name => (T[])[weight(name), bias(name)]), .. NormNames.All.Select(norm)];
}
