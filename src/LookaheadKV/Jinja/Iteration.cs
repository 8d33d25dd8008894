namespace LookaheadKV.Jinja;

/// <summary>Going through the items of a value; every item is a step.</summary>
internal static class Iteration
{
    public static bool IsIterable(object? value) =>
        value is string or Markup or SequenceValue or DictValue or DictView or Generator or Undefined or LoopValue;

    /// <summary>The items; a value that has none is refused when they are asked for, not before.</summary>
    public static IEnumerable<object?> Over(Machine machine, object? value)
    {
        if (value is Generator generator)
        {
            while (generator.TryNext(out var item))
            {
                machine.Step();
                yield return item;
            }
            yield break;
        }
        foreach (var item in Items(value))
        {
            machine.Step();
            yield return item;
        }
    }

    public static List<object?> Listed(Machine machine, object? value) => [.. Over(machine, value)];

    private static IEnumerable<object?> Items(object? value) =>
        value switch
        {
            string text => CodePoints.Of(text),
            Markup => throw new JinjaException("going through escaped text is not supported"),
            SequenceValue sequence => sequence.Items,
            DictValue dict => dict.Keys,
            DictView view => view.Items,
            Undefined => [],
            LoopValue => throw new JinjaException("going through loop itself is not supported"),
            _ => throw new JinjaException($"{Printing.TypeName(value)} cannot be gone through item by item"),
        };
}
