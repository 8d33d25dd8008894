using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// Numbers in TorchSharp's operators. It turns each into a native scalar that nothing keeps alive, also the 1 that <c>a + b</c> has for its
/// <c>alpha</c>: a garbage collection between that and the call, which a busy machine has time for, frees it, and the operator reads whatever then
/// stands there ("Expected false to be true", "Unknown scalar type"). What runs in every layer takes its numbers from here, where they live long enough.
/// </summary>
internal static class Numbers
{
    private static readonly Scalar One = 1.ToScalar();
    private static readonly Scalar MinusInfinity = double.NegativeInfinity.ToScalar();

    /// <summary>a + b.</summary>
    public static Tensor Plus(this Tensor a, Tensor b) => a.add(b, One);

    /// <summary>Adds b to a, in place.</summary>
    public static Tensor Accumulate(this Tensor a, Tensor b) => a.add_(b, One);

    /// <summary>a times a number.</summary>
    public static Tensor Times(this Tensor a, double factor)
    {
        using var scalar = factor.ToScalar();
        return a.mul(scalar);
    }

    /// <summary>Multiplies a by a number, in place.</summary>
    public static Tensor Scale(this Tensor a, double factor)
    {
        using var scalar = factor.ToScalar();
        return a.mul_(scalar);
    }

    /// <summary>Puts −∞ wherever the mask is true, in place.</summary>
    public static Tensor Hide(this Tensor a, Tensor mask) => a.masked_fill_(mask, MinusInfinity);
}
