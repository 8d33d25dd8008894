using System.Globalization;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Scoring;

namespace LookaheadKV.Methods;

/// <summary>An option that goes with every scorer: a change of the policy, as it may stand in brackets.</summary>
/// <param name="Name">Its name there.</param>
/// <param name="Allowed">The values that there are, in words that go on from "give".</param>
/// <param name="Help">What it changes, in a line.</param>
/// <param name="Read">Reads a value; null where it is not allowed.</param>
/// <param name="Shown">What a policy has there, as it would be written.</param>
public sealed record Modifier(
    string Name,
    string Allowed,
    string Help,
    Func<string, Func<EvictionPolicy, EvictionPolicy>?> Read,
    Func<EvictionPolicy, string> Shown
)
{
    /// <summary>
    /// Whether it holds beside a method's parameter of its name: an observation window is kept too. Any other gives way to the parameter.
    /// </summary>
    public bool GoesWithParameter { get; init; }

    /// <summary>How the heads of a layer share; beside a global budget they have nothing to share.</summary>
    public static Modifier Heads { get; } =
        new(
            "heads",
            "uniform, adaptive, or adaptive:α with α of 0 to 1",
            "how a layer's part is divided among its kv heads: evenly, or by their scores, each sure of the share α (0.2) of its even part",
            text => HeadsOf(text) is { } heads ? policy => policy with { Heads = heads } : null,
            policy => policy.Heads.ToString()
        );

    /// <summary>How the layers share a budget.</summary>
    public static Modifier Layers { get; } =
        new(
            "layers",
            "uniform, pyramid, pyramid:β with β of 1 or more, or global",
            "how the budget is divided among the layers: evenly, more for the lower ones (the steeper, the larger β; 20), or by the scores of all heads",
            text => LayersOf(text) is { } layers ? policy => policy with { Layers = layers } : null,
            policy => policy.Layers.ToString()
        );

    /// <summary>All of them, in the order in which they apply.</summary>
    public static IReadOnlyList<Modifier> All { get; } =
    [
        new(
            "pool",
            "none, max:K or mean:K with an odd K, such as max:7",
            "smoothing of the scores over K neighbouring positions",
            text => PoolingOf(text) is { } pooling ? policy => policy with { Pooling = pooling } : null,
            policy => policy.Pooling.ToString()
        ),
        new(
            "group",
            "mean or max",
            "how the query heads of a kv head become one score",
            text => GroupOf(text) is { } group ? policy => policy with { Group = group } : null,
            policy => policy.Group == GroupReduction.Max ? "max" : "mean"
        ),
        new(
            "sinks",
            TokenCount.AllowedFrom(0),
            "the first tokens of the prompt, kept whatever their score",
            text =>
                TokenCount.Read(text, 0) is { } first
                    ? policy => policy with { Protection = policy.Protection with { First = first } }
                    : null,
            policy => Number(policy.Protection.First)
        ),
        new(
            "window",
            TokenCount.AllowedFrom(0),
            "the last tokens of the prompt, kept whatever their score",
            text =>
                TokenCount.Read(text, 0) is { } last ? policy => policy with { Protection = policy.Protection with { Last = last } } : null,
            policy => Number(policy.Protection.Last)
        )
        {
            GoesWithParameter = true,
        },
        new(
            "protect",
            "positions and ranges joined by +, such as 3+10-19",
            "positions of the prompt, counted from 0, kept whatever their score",
            text => PositionsOf(text) is { } given ? policy => policy with { Protection = policy.Protection with { Given = given } } : null,
            policy => string.Join('+', policy.Protection.Given)
        ),
        Layers,
        Heads,
    ];

    private static Pooling? PoolingOf(string text) =>
        text.Split(':') switch
        {
            ["none"] => Pooling.None,
            ["max", var width] when Odd(width) is { } k => Pooling.Max(k),
            ["mean", var width] when Odd(width) is { } k => Pooling.Mean(k),
            _ => null,
        };

    private static GroupReduction? GroupOf(string text) =>
        text switch
        {
            "mean" => GroupReduction.Mean,
            "max" => GroupReduction.Max,
            _ => null,
        };

    private static LayerAllocation? LayersOf(string text) =>
        text.Split(':', 2) switch
        {
            ["uniform"] => LayerAllocation.Uniform,
            ["global"] => new LayerAllocation.Global(),
            ["pyramid"] => new LayerAllocation.Pyramid(),
            ["pyramid", var beta] when Real(beta) is >= 1 and var b => new LayerAllocation.Pyramid(b),
            _ => null,
        };

    private static HeadAllocation? HeadsOf(string text) =>
        text.Split(':', 2) switch
        {
            ["uniform"] => HeadAllocation.Uniform,
            ["adaptive"] => new HeadAllocation.Adaptive(),
            ["adaptive", var floor] when Real(floor) is >= 0 and <= 1 and var f => new HeadAllocation.Adaptive(f),
            _ => null,
        };

    private static EquatableList<int>? PositionsOf(string text)
    {
        int[]?[] ranges = [.. text.Split('+').Select(Range)];
        return ranges.Contains(null) ? null : new(ranges.SelectMany(range => range!).Distinct().Order());

        static int[]? Range(string text) =>
            text.Split('-').Select(end => TokenCount.Read(end, 0)).ToArray() switch
            {
                [{ } at] => [at],
                [{ } first, { } last] when last >= first => [.. Enumerable.Range(first, last - first + 1)],
                _ => null,
            };
    }

    private static int? Odd(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var width) && width % 2 == 1 ? width : null;

    private static double? Real(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null;

    private static string Number(int count) => count.ToString(CultureInfo.InvariantCulture);
}
