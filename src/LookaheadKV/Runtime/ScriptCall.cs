using TorchSharp;
using static TorchSharp.torch;

namespace LookaheadKV.Runtime;

/// <summary>
/// Calls a compiled TorchScript function. TorchSharp turns a number among the arguments into a native scalar that nothing keeps alive: a
/// garbage collection between that and the call frees it, and the function reads whatever then stands there. Here the scalars live until
/// the call has returned.
/// </summary>
internal static class ScriptCall
{
    /// <summary>Calls a function that returns one tensor; arguments may be tensors, lists of tensors, int, double and bool.</summary>
    public static Tensor Invoke(jit.CompilationUnit unit, string function, params object[] arguments) =>
        (Tensor)Run(unit, function, arguments);

    /// <summary>Calls a function; a list of tensors comes back as an array.</summary>
    public static object Run(jit.CompilationUnit unit, string function, object[] arguments)
    {
        var owned = Array.ConvertAll(arguments, Owned);
        try
        {
            return unit.invoke(function, owned);
        }
        finally
        {
            foreach (var scalar in owned.OfType<Scalar>())
                scalar.Dispose();
            GC.KeepAlive(arguments);
        }
    }

    private static object Owned(object argument) =>
        argument switch
        {
            double number => number.ToScalar(),
            int number => ((long)number).ToScalar(),
            bool flag => flag.ToScalar(),
            _ => argument,
        };
}
