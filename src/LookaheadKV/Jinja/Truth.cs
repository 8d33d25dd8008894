using System.Numerics;

namespace LookaheadKV.Jinja;

/// <summary>Which values count as true, and how many items a value has.</summary>
internal static class Truth
{
    public static bool Of(object? value) =>
        value switch
        {
            null or Undefined => false,
            bool flag => flag,
            BigInteger integer => !integer.IsZero,
            double number => number != 0,
            LoopValue => true, // it has a length, which is never 0 within the loop
            _ => Length(value) is not 0,
        };

    /// <summary>Python's <c>len</c>; null for what has none.</summary>
    public static int? Length(object? value) =>
        value switch
        {
            string text => CodePoints.Count(text),
            Markup markup => CodePoints.Count(markup.Text),
            SequenceValue sequence => sequence.Items.Count,
            DictValue dict => dict.Count,
            DictView view => view.Items.Count,
            Undefined => 0,
            LoopValue loop => loop.Length,
            _ => null,
        };
}
